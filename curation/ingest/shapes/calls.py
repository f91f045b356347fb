"""Tool calling as a question, the tools, and the calls that answer it.

{"query": "Weather in Rome?", "tools": [{"name": "weather"}], "answers": [{"name": "weather", "arguments": {"city": "Rome"}}]}

The answer may also list allowed values, `[{"weather": {"city": ["Rome", "Roma"]}}]`: the first of each is taken, and an
argument that may be left out (its first value is empty) is left out.
"""

from collections.abc import Mapping
from typing import Any

from curation.ingest.row_records import Unusable
from curation.ingest.shapes.cells import load_json
from curation.ingest.shapes.chats import TOOLS
from curation.ingest.shapes.conversation import check_conversation, check_prompt
from curation.ingest.shapes.instructions import SYSTEM
from curation.ingest.shapes.reading import Demonstration, Part, Reading, Shape
from curation.ingest.shapes.sides import read_prompt
from curation.ingest.shapes.tool_calls import read_calls, read_tools
from curation.records import Message

MAX_DEPTH = 20


def _convert_calls(reading: Reading, values: Mapping[str, Any]) -> Demonstration | Unusable:
    prompt, tools = read_prompt(reading, "user", values), read_tools(reading.cell("tools", values))
    if isinstance(prompt, Unusable):
        return prompt
    if isinstance(tools, Unusable):
        return tools
    ordered, answer = check_prompt(prompt, tools), reading.cell("assistant", values)
    if isinstance(ordered, Unusable):
        return ordered
    if answer is None:
        return Unusable("no_answer", "The row has a prompt and tools, but no column with the calls that answer it.")
    calls = read_calls(_first_allowed(load_json(answer)), 1)
    if isinstance(calls, Unusable):
        return calls
    checked = check_conversation([*ordered, Message(role="assistant", content="", tool_calls=tuple(calls))], tools, trim=False)
    return checked if isinstance(checked, Unusable) else Demonstration(checked, tools)


def _first_allowed(value: Any) -> Any:
    """Turn calls with allowed values into plain calls; plain calls stay as they are."""
    if not isinstance(value, list):
        return value
    return [_plain(item) if _has_allowed_values(item) else item for item in value]


def _has_allowed_values(item: Any) -> bool:
    if not isinstance(item, dict) or len(item) != 1:
        return False
    (arguments,) = item.values()
    return isinstance(arguments, dict) and all(isinstance(allowed, list) for allowed in arguments.values())


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    ((name, arguments),) = item.items()
    given = {key: _pick(allowed, 0) for key, allowed in arguments.items() if "" not in allowed or _pick(allowed, 0) != ""}
    return {"name": name, "arguments": given}


def _pick(allowed: Any, depth: int) -> Any:
    """Return the first allowed value; the values of an object are lists of allowed values themselves."""
    first = allowed[0] if isinstance(allowed, list) and allowed else allowed
    if isinstance(first, dict) and depth < MAX_DEPTH:
        return {key: _pick(inner, depth + 1) for key, inner in first.items()}
    return first


TOOL_CALLING = Shape(
    "tool_calling",
    (
        SYSTEM,
        Part("user", "unpaired_prompt", "prompt"),
        TOOLS._replace(is_required=True),
        Part("assistant", "calls", "calls", False, "{column} -> calls"),
    ),
    _convert_calls,
)
