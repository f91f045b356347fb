"""A prompt or an answer that is a text in one file, a list of messages in the next, and one turn in the third.

read_messages(reading, "chosen", {"chosen": {"from": "gpt", "value": "Hi"}}, alone="assistant")
    [Message(role="assistant", content="Hi")]
"""

import re
from collections.abc import Mapping
from typing import Any

from curation.ingest.row_records import Unusable
from curation.ingest.shapes.cells import cell_text, load_json
from curation.ingest.shapes.config import RoleName
from curation.ingest.shapes.kinds import KINDS
from curation.ingest.shapes.reading import Reading
from curation.ingest.shapes.synonyms import SPEAKERS, fold
from curation.ingest.shapes.turns import read_turns
from curation.ingest.text import normalise_text
from curation.records import Message, Role

TRANSCRIPT = re.compile(r"\n\n(Human|Assistant):")


def speakers_of(reading: Reading, known: Mapping[str, RoleName] = SPEAKERS) -> Mapping[str, RoleName]:
    """Return the known speakers and those that the source declares."""
    declared = reading.config.role_names
    return {**known, **{fold(name): role for name, role in declared.items()}} if declared else known


def read_messages(reading: Reading, role: str, values: Mapping[str, Any], *, alone: Role) -> list[Message] | Unusable:
    """Return the messages of a cell; a text alone is a message of the role `alone`."""
    value = reading.cell(role, values)
    if _is_talk(reading, value):
        items = load_json(value)
        nested = len(items) == 1 and isinstance(items[0], list)
        return read_turns(items[0] if nested else items, speakers_of(reading))
    if isinstance(value, dict) and ("value" in value or "content" in value):
        return read_turns([{"role": alone, **value}], speakers_of(reading))
    if isinstance(value, dict) and isinstance(value.get("text"), (str, list)):
        value = value["text"]
    if isinstance(value, (list, tuple)) and value and cell_text(value[0]) is not None:
        value = value[0]
    text = reading.required_text(role, values) if value is None else cell_text(value)
    if text is None:
        return Unusable("not_text", f"Column '{reading.columns.get(role, role)}' holds no text and no messages.")
    if isinstance(text, Unusable):
        return text
    content = normalise_text(text)
    if not content.strip():
        return Unusable("empty_text", f"Column '{reading.columns.get(role, role)}' is empty.")
    return [Message(role=alone, content=content)]


def _is_talk(reading: Reading, value: Any) -> bool:
    items = load_json(value)
    inner = items[0] if isinstance(items, list) and len(items) == 1 and isinstance(items[0], list) else items
    return isinstance(inner, list) and any(KINDS[kind](inner, reading.config) for kind in ("openai", "sharegpt"))


def read_transcript(value: Any) -> list[Message]:
    """Return the turns of a text that is a whole conversation of `Human:` and `Assistant:` paragraphs; none of any other."""
    pieces = TRANSCRIPT.split("\n\n" + value.lstrip()) if isinstance(value, str) else []
    if len(pieces) < 5 or pieces[0].strip():
        return []
    named = zip(pieces[1::2], pieces[2::2], strict=True)
    return [
        Message(role="user" if who == "Human" else "assistant", content=normalise_text(text.strip(" "))) for who, text in named
    ]


def read_prompt(reading: Reading, role: str, values: Mapping[str, Any]) -> list[Message] | Unusable:
    """Return the messages before an answer: the system prompt of its own column, if any, then the prompt's."""
    prompt, system = read_messages(reading, role, values, alone="user"), reading.text("system", values)
    if isinstance(prompt, Unusable):
        return prompt
    if isinstance(system, Unusable):
        return system
    if not system.strip():
        return prompt
    if prompt and prompt[0].role == "system":
        same = prompt[0].content == system
        return prompt if same else Unusable("two_system_prompts", "The messages and the system column give two system prompts.")
    return [Message(role="system", content=system), *prompt]
