"""Tool definitions and calls in the many ways that they are written, to one.

read_tools('[{"name": "head"}]')                          '[{"function":{"name":"head"},"type":"function"}]'
read_calls({"name": "head", "arguments": {"n": 5}}, 1)    [ToolCall(id="call_1", name="head", arguments='{"n":5}')]
"""

import json
from typing import Any

from curation.ids import canonical_json
from curation.ingest.row_records import Unusable
from curation.ingest.shapes.cells import is_missing, load_json
from curation.ingest.text import normalise_text
from curation.records import ToolCall

MAX_NAME_CHARS = 200


def read_tools(value: Any) -> str | Unusable:
    """Return tool definitions as a canonical JSON list in OpenAI's form, empty for none.

    Args:
        value: list of definitions, one definition, or either as JSON text; a bare `{name, parameters}` is wrapped.
    """
    if is_missing(value) or (isinstance(value, str) and not value.strip()):
        return ""
    loaded = load_json(value)
    items = [loaded] if isinstance(loaded, dict) else loaded
    if not isinstance(items, list):
        return Unusable("invalid_tools", "The tools are neither a list of definitions nor JSON text of one.")
    wrapped = [_wrap(load_json(item)) for item in items]
    if any(item is None for item in wrapped):
        position = wrapped.index(None) + 1
        return Unusable("invalid_tools", f"Tool {position} needs a name, as `name` or as `function.name`.")
    text = _as_json(wrapped)
    return Unusable("invalid_tools", "The tools hold a number that is no JSON.") if text is None else text if wrapped else ""


def _wrap(item: Any) -> dict[str, Any] | None:
    if not isinstance(item, dict):
        return None
    inner = item.get("function")
    definition = inner if isinstance(inner, dict) else item
    if not _name_of(definition):
        return None
    return item if isinstance(inner, dict) else {"type": "function", "function": item}


def _name_of(item: dict[Any, Any]) -> str:
    name = item.get("name")
    return normalise_text(name).strip() if isinstance(name, str) and len(name) <= MAX_NAME_CHARS else ""


def _as_json(value: Any) -> str | None:
    try:
        return normalise_text(canonical_json(value))
    except (ValueError, TypeError, RecursionError):
        return None


def tool_names(tools: str) -> frozenset[str]:
    """Return the names that `read_tools` found."""
    return frozenset(normalise_text(item["function"]["name"]).strip() for item in json.loads(tools)) if tools else frozenset()


def read_calls(value: Any, first: int) -> list[ToolCall] | Unusable:
    """Return the calls of one turn.

    Args:
        value: one call or a list of calls, plain or as JSON text: `{id, function: {name, arguments}}`, `{name, arguments}`.
        first: number of the first call in the conversation; calls without an id are named `call_NUMBER`.
    """
    loaded = load_json(value)
    items = [loaded] if isinstance(loaded, dict) else loaded
    if not isinstance(items, list) or not items:
        return Unusable("invalid_tool_call", "A call of a tool is no JSON object or list of objects.")
    calls: list[ToolCall] = []
    for number, item in enumerate(items, start=first):
        call = _read_call(item, number)
        if isinstance(call, Unusable):
            return call
        calls.append(call)
    return calls


def _read_call(item: Any, number: int) -> ToolCall | Unusable:
    if not isinstance(item, dict):
        return Unusable("invalid_tool_call", f"Call {number} is no object.")
    inner = item.get("function")
    call = inner if isinstance(inner, dict) else item
    name = _name_of(call)
    if not name:
        return Unusable("invalid_tool_call", f"Call {number} names no tool.")
    given = call["arguments"] if "arguments" in call else call.get("parameters", {})
    arguments = _read_arguments(given)
    if arguments is None:
        return Unusable("invalid_tool_call", f"The arguments of call {number} ({name}) are no JSON object.")
    found = item.get("id")
    label = normalise_text(found).strip() if isinstance(found, str) else ""
    return ToolCall(id=label[:MAX_NAME_CHARS] or f"call_{number}", name=name, arguments=arguments)


def _read_arguments(value: Any) -> str | None:
    """Return JSON text of an object; text that already is stays as it was written."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return "{}"
    loaded = load_json(value)
    if not isinstance(loaded, dict):
        return None
    canonical = _as_json(loaded)
    return canonical if canonical is None or not isinstance(value, str) else normalise_text(value).strip()
