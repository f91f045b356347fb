"""Shapes with opinions about answers.

preference   {"prompt": "Hi", "chosen": "Hello!", "rejected": "What?"}; each side a text, one turn, or a list of messages
unpaired     {"prompt": "Hi", "completion": "Hello!", "label": true}, or messages that end with the answer, and a label
"""

from collections.abc import Mapping, Sequence
from typing import Any

from curation.ingest.row_records import Unusable
from curation.ingest.shapes.cells import read_flag
from curation.ingest.shapes.chats import TOOLS
from curation.ingest.shapes.conversation import check_conversation
from curation.ingest.shapes.instructions import SYSTEM
from curation.ingest.shapes.reading import Comparison, Part, Reading, Shape, Thumb
from curation.ingest.shapes.sides import read_messages, read_prompt, read_transcript
from curation.ingest.shapes.tool_calls import read_tools
from curation.records import Message


def _convert_preference(reading: Reading, values: Mapping[str, Any]) -> Comparison | Unusable:
    sides = [_read_side(reading, role, values) for role in ("chosen", "rejected")]
    prompt = read_prompt(reading, "user", values) if reading.cell("user", values) is not None else []
    tools = read_tools(reading.cell("tools", values))
    for part in (prompt, *sides, tools):
        if isinstance(part, Unusable):
            return part
    chosen, rejected = ([] if isinstance(side, Unusable) else side for side in sides)
    return _compare([] if isinstance(prompt, Unusable) else prompt, chosen, rejected, str(tools))


def _read_side(reading: Reading, role: str, values: Mapping[str, Any]) -> list[Message] | Unusable:
    transcript = read_transcript(reading.cell(role, values)) if "user" not in reading.columns else []
    return transcript or read_messages(reading, role, values, alone="assistant")


def _compare(
    prompt: Sequence[Message], chosen: Sequence[Message], rejected: Sequence[Message], tools: str
) -> Comparison | Unusable:
    """Return the pair; what both sides begin with belongs to the prompt, and may be all of it."""
    if list(chosen) == list(rejected):
        return Unusable("equal_answers", "Chosen and rejected are the same.")
    shared = next(i for i in range(len(chosen) + 1) if i in (len(chosen), len(rejected)) or chosen[i] != rejected[i])
    answers = (chosen[shared:], rejected[shared:])
    if any(len(side) != 1 or side[0].role != "assistant" for side in answers):
        detail = "After what they share, chosen and rejected must each be one message of the assistant."
        return Unusable("no_common_prompt", detail)
    repeated = list(prompt) == list(chosen[: len(prompt)]) and shared >= len(prompt)
    whole = [*chosen[:shared]] if repeated else _merge(prompt, chosen[:shared])
    better, worse = (_check_answer(whole, side[0], tools) for side in answers)
    if isinstance(better, Unusable):
        return better
    if isinstance(worse, Unusable):
        return worse
    return Comparison(better[:-1], better[-1].content, worse[-1].content, tools)


def _merge(prompt: Sequence[Message], shared: Sequence[Message]) -> list[Message]:
    """Return the prompt column and the turns that both sides share; a last user turn that both hold counts once."""
    if shared and prompt and prompt[-1] == shared[0] and shared[0].role == "user":
        return [*prompt, *shared[1:]]
    if shared and len(prompt) == 1 and prompt[0] in shared:
        return [*shared]
    return [*prompt, *shared]


def _check_answer(prompt: Sequence[Message], answer: Message, tools: str) -> tuple[Message, ...] | Unusable:
    if answer.tool_calls:
        return Unusable("tool_call_answer", "The answer calls a tool; only texts can be compared.")
    return check_conversation([*prompt, answer], tools, trim=False)


PREFERENCE = Shape(
    "preference",
    (
        SYSTEM,
        Part("user", "preference_prompt", "prompt", False, "{column} -> prompt"),
        Part("chosen", "chosen", "answer", True, "{column} -> preferred"),
        Part("rejected", "rejected", "answer", True, "{column} -> the other"),
        TOOLS,
    ),
    _convert_preference,
)


def _convert_unpaired(reading: Reading, values: Mapping[str, Any]) -> Thumb | Unusable:
    cell = reading.cell("label", values)
    label = read_flag(cell, reading.config.desirable_values)
    if label is None:
        detail = f"Column '{reading.columns['label']}' is neither true nor false; declare `desirable_values` for other labels."
        return Unusable("invalid_label", detail)
    if reading.cell("tools", values) not in (None, "", "[]", []):
        return Unusable("unsupported_tools", "A row with a thumb up or down cannot define tools.")
    messages = _read_rated(reading, values)
    if isinstance(messages, Unusable):
        return messages
    checked = check_conversation(messages, "", trim=False)
    if isinstance(checked, Unusable):
        return checked
    if checked[-1].tool_calls:
        return Unusable("tool_call_answer", "The answer calls a tool; only texts can be rated.")
    return Thumb(checked[:-1], checked[-1].content, label)


def _read_rated(reading: Reading, values: Mapping[str, Any]) -> list[Message] | Unusable:
    if "messages" in reading.columns:
        return read_prompt(reading, "messages", values)
    prompt, answer = read_prompt(reading, "user", values), read_messages(reading, "assistant", values, alone="assistant")
    if isinstance(prompt, Unusable):
        return prompt
    return answer if isinstance(answer, Unusable) else [*prompt, *answer]


LABEL = Part("label", "thumb", "flag", True, "{column} -> thumb up or down")
UNPAIRED = Shape(
    "unpaired",
    (SYSTEM, Part("user", "unpaired_prompt", "prompt"), Part("assistant", "completion", "answer"), LABEL, TOOLS),
    _convert_unpaired,
)
RATED_CHAT = Shape(
    "unpaired",
    (SYSTEM, Part("messages", "messages", "prompt"), LABEL, TOOLS),
    _convert_unpaired,
)
