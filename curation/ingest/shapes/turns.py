"""Lists of turns, whoever wrote them, to messages.

read_turns([{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}], SPEAKERS)
    [Message(role="user", content="Hi"), Message(role="assistant", content="Hello")]
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

from curation.ingest.row_records import Unusable
from curation.ingest.shapes.cells import cell_text, load_json
from curation.ingest.shapes.config import RoleName
from curation.ingest.shapes.synonyms import fold
from curation.ingest.shapes.tool_calls import read_calls
from curation.ingest.text import normalise_text
from curation.records import Message, ToolCall

SPEAKER_KEYS = ("role", "from", "speaker", "user_type")
TEXT_KEYS = ("content", "value", "utterance", "text")
TEXT_PARTS = ("text", "input_text", "output_text")
MAX_TURNS = 4_000
MAX_SHOWN = 60


class Turn(NamedTuple):
    """Who says what, before roles are known."""

    speaker: str
    content: Any
    item: Mapping[Any, Any]


def read_turns(value: Any, speakers: Mapping[str, RoleName]) -> list[Message] | Unusable:
    """Return the messages of a list of turns; their order is not checked yet.

    Args:
        value: list (or JSON text of one) of `{role, content}`, `{from, value}`, `{speaker, text}` objects or
            `[speaker, text]` pairs.
        speakers: folded speaker name to role; turns of role `skip` are left out.
    """
    items = load_json(value)
    if not isinstance(items, list):
        return Unusable("invalid_messages", "The messages are not a list.")
    if len(items) > MAX_TURNS:
        return Unusable("invalid_messages", f"The conversation has {len(items)} turns, more than {MAX_TURNS}.")
    messages: list[Message] = []
    for number, item in enumerate(items, start=1):
        turn = _as_turn(item)
        if turn is None:
            return Unusable(
                "invalid_messages", f"Message {number} needs a role out of {_known(speakers)} and a text as content."
            )
        problem = _add(messages, turn, number, speakers)
        if problem is not None:
            return problem
    return messages


def _known(speakers: Mapping[str, RoleName]) -> str:
    return ", ".join(sorted(speakers))


def _as_turn(item: Any) -> Turn | None:
    if isinstance(item, (list, tuple)):
        fits = len(item) == 2 and all(isinstance(part, str) for part in item)
        return Turn(item[0], item[1], {}) if fits else None
    if not isinstance(item, dict):
        return None
    speaker = next((item[key] for key in SPEAKER_KEYS if isinstance(item.get(key), str)), None)
    content = next((item[key] for key in TEXT_KEYS if item.get(key) is not None), None)
    return None if speaker is None else Turn(speaker, content, item)


def _add(messages: list[Message], turn: Turn, number: int, speakers: Mapping[str, RoleName]) -> Unusable | None:
    """Append what a turn says, or say what is wrong with it."""
    role = speakers.get(fold(turn.speaker))
    if role is None:
        shown = turn.speaker[:MAX_SHOWN]
        declare = f"declare it, such as `role_names: {{{shown}: skip}}`"
        detail = f"Message {number} is by '{shown}', not by one of {_known(speakers)}; {declare}."
        return Unusable("unknown_role", detail)
    if role == "skip":
        return None
    content = turn.content if role == "tool_calls" else _read_content(turn.content, number)
    if isinstance(content, Unusable):
        return content
    calls = _read_turn_calls(role, turn, messages)
    if isinstance(calls, Unusable):
        return calls._replace(detail=f"Message {number}: {calls.detail}")
    if role == "tool_calls":
        _append_calls(messages, calls)
        return None
    if turn.content is None and not calls:
        return Unusable("empty_turn", f"Message {number} has no text.")
    message = Message(role=role, content=str(content), tool_calls=tuple(calls))
    messages.append(_name_result(message, turn, messages) if role == "tool" else message)
    return None


def _read_content(content: Any, number: int) -> str | Unusable:
    """Return the text of a turn: a text, or the text parts of a list of parts, one a line."""
    if content is None:
        return ""
    if isinstance(content, str):
        return normalise_text(content)
    if isinstance(content, list) and all(isinstance(part, (dict, str)) for part in content):
        kinds = [part.get("type", "text") if isinstance(part, dict) else "text" for part in content]
        strange = [kind for kind in kinds if kind not in TEXT_PARTS]
        if strange:
            return Unusable(
                "unsupported_content", f"Message {number} holds '{str(strange[0])[:MAX_SHOWN]}'; only text is read."
            )
        texts = [cell_text(part.get("text") if isinstance(part, dict) else part) for part in content]
        if all(text is not None for text in texts):
            return normalise_text("\n".join(text for text in texts if text is not None))
    return Unusable("invalid_messages", f"The content of message {number} is no text.")


def _read_turn_calls(role: RoleName, turn: Turn, messages: list[Message]) -> list[ToolCall] | Unusable:
    found = turn.content if role == "tool_calls" else turn.item.get("tool_calls") or turn.item.get("function_call")
    if not found and role != "tool_calls":
        return []
    if role not in ("assistant", "tool_calls"):
        return Unusable("invalid_tool_call", "Only the assistant calls tools.")
    return read_calls(found, 1 + sum(len(message.tool_calls) for message in messages))


def _append_calls(messages: list[Message], calls: list[ToolCall]) -> None:
    """Let calls that stand in a turn of their own join the assistant's turn before them, if there is one."""
    last = messages[-1] if messages else None
    if last is not None and last.role == "assistant":
        messages[-1] = dataclasses.replace(last, tool_calls=(*last.tool_calls, *calls))
    else:
        messages.append(Message(role="assistant", content="", tool_calls=tuple(calls)))


def _name_result(message: Message, turn: Turn, messages: list[Message]) -> Message:
    """Tell which call a tool's message answers: by its id, or else the next open one."""
    answered = 0
    for earlier in reversed(messages):
        if earlier.role != "tool":
            break
        answered += 1
    caller = messages[-1 - answered] if answered < len(messages) else None
    open_calls = caller.tool_calls[answered:] if caller is not None else ()
    given, name = turn.item.get("tool_call_id"), turn.item.get("name")
    call_id = normalise_text(given).strip() if isinstance(given, str) else ""
    matching = [call for call in (caller.tool_calls if caller else ()) if call.id == call_id]
    call = matching[0] if matching else open_calls[0] if open_calls and not call_id else None
    return dataclasses.replace(
        message,
        tool_call_id=call_id or (call.id if call else ""),
        name=normalise_text(name).strip() if isinstance(name, str) and name.strip() else call.name if call else "",
    )
