"""Shapes with a whole conversation in one column.

openai     {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}], "tools": [...]}
sharegpt   {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}], "tools": "[...]"}
dialogue   {"turns": [{"speaker": "USER", "utterance": "Hi"}, {"speaker": "SYSTEM", "utterance": "Hello"}]}
mixed      rows with messages and rows with a question and an answer in one file
"""

from collections.abc import Mapping
from typing import Any

from curation.ingest.row_records import Unusable, list_columns
from curation.ingest.shapes.cells import load_json
from curation.ingest.shapes.conversation import check_conversation
from curation.ingest.shapes.instructions import QUESTION_ANSWER, SYSTEM
from curation.ingest.shapes.reading import Demonstration, Draft, Part, Reading, Shape
from curation.ingest.shapes.sides import speakers_of
from curation.ingest.shapes.synonyms import DIALOGUE_SPEAKERS, SPEAKERS
from curation.ingest.shapes.tool_calls import read_tools
from curation.ingest.shapes.turns import read_turns
from curation.records import Message

TOOLS = Part("tools", "tools", "tools", False)


def _convert_chat(reading: Reading, values: Mapping[str, Any]) -> Demonstration | Unusable:
    if reading.cell("messages", values) in (None, ""):
        return Unusable("missing_column", f"The row needs '{reading.columns['messages']}'; it has {list_columns(values)}.")
    loaded = load_json(reading.cell("messages", values))
    if not isinstance(loaded, list):
        return Unusable("invalid_messages", "The messages are no list, nor the JSON text of one.")
    if loaded and isinstance(loaded[-1], dict) and loaded[-1].get("weight") in (0, "0"):
        return Unusable("not_for_training", "The last message has the weight 0: it is not to be learned.")
    messages, tools = _read_all(reading, values, loaded), read_tools(reading.cell("tools", values))
    if isinstance(messages, Unusable):
        return messages
    if isinstance(tools, Unusable):
        return tools
    checked = check_conversation(messages, tools, trim=reading.config.trim_to_assistant)
    return checked if isinstance(checked, Unusable) else Demonstration(checked, tools)


def _read_all(reading: Reading, values: Mapping[str, Any], loaded: list[Any]) -> list[Message] | Unusable:
    messages, system = read_turns(loaded, speakers_of(reading, SPEAKERS)), reading.text("system", values)
    if isinstance(messages, Unusable):
        return messages
    if isinstance(system, Unusable):
        return system
    if not system.strip() or (messages and messages[0] == Message(role="system", content=system)):
        return messages
    return [Message(role="system", content=system), *messages]


OPENAI = Shape("openai", (SYSTEM, Part("messages", "messages", "openai"), TOOLS), _convert_chat)
SHAREGPT = Shape("sharegpt", (SYSTEM, Part("messages", "messages", "sharegpt"), TOOLS), _convert_chat)


def _convert_dialogue(reading: Reading, values: Mapping[str, Any]) -> Demonstration | Unusable:
    system = reading.text("system", values)
    turns = read_turns(reading.cell("messages", values), speakers_of(reading, DIALOGUE_SPEAKERS))
    if isinstance(system, Unusable):
        return system
    if isinstance(turns, Unusable):
        return turns
    first = [Message(role="system", content=system)] if system.strip() else []
    checked = check_conversation([*first, *_join_utterances(turns)], "", trim=reading.config.trim_to_assistant)
    return checked if isinstance(checked, Unusable) else Demonstration(checked)


def _join_utterances(turns: list[Message]) -> list[Message]:
    """Join what one speaker says in a row, a line each: people press Enter before they are done."""
    joined: list[list[Message]] = []
    for turn in turns:
        if joined and joined[-1][0].role == turn.role and turn.content.strip():
            joined[-1].append(turn)
        else:
            joined.append([turn])
    return [Message(role=group[0].role, content="\n".join(turn.content for turn in group)) for group in joined]


DIALOGUE = Shape("dialogue", (SYSTEM, Part("messages", "turns", "dialogue")), _convert_dialogue)


def _convert_mixed(reading: Reading, values: Mapping[str, Any]) -> Draft | Unusable:
    is_chat = reading.cell("messages", values) not in (None, "")
    if is_chat and reading.cell("assistant", values) not in (None, ""):
        return Unusable("two_readings", "The row has messages as well as an answer.")
    if is_chat:
        return _convert_chat(reading, values)
    if reading.cell("user", values) is None or reading.cell("assistant", values) is None:
        columns = reading.columns
        wanted = f"'{columns['messages']}', or '{columns['user']}' and '{columns['assistant']}'"
        return Unusable("missing_column", f"The row needs {wanted}; it has {list_columns(values)}.")
    return QUESTION_ANSWER.convert(reading, values)


MIXED = Shape("mixed", (*OPENAI.parts, *QUESTION_ANSWER.parts[1:]), _convert_mixed)
