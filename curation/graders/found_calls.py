"""Finds the calls of tools in what a model wrote.

find_calls('Wait.<tool_call>{"name": "head", "arguments": {"n": 5}}</tool_call>')     [Call("head", {"n": 5})]

Read are `<tool_call>` blocks (one call, or a list, each); without one, an answer that is JSON, whole or in its last code
fence; without that, its lines that are JSON calls. A call is `{name, arguments}` or OpenAI's `{function: {name, arguments}}`, a
message with `tool_calls` holds several, and arguments may be JSON text. A block that cannot be read is a call without a name.
"""

import re
from typing import Any, NamedTuple

from curation.graders.grade import without_thoughts
from curation.graders.json_value import NO_VALUE, read_json

_BLOCK = re.compile(r"<tool_call>(.*?)(?:</tool_call>|(?=<tool_call>)|\Z)", re.DOTALL)
_FENCE = re.compile(r"^```[^\n`]{0,40}\n(.*?)^```", re.DOTALL | re.MULTILINE)


class Call(NamedTuple):
    """A call; the arguments are a JSON object, or whatever stands in its place."""

    name: str
    arguments: Any


UNREADABLE = Call("", {})


def find_calls(answer: str) -> list[Call]:
    """Return the calls of an answer in their order."""
    text = without_thoughts(answer).strip()
    blocks = _BLOCK.findall(text)
    if blocks:
        return [call for block in blocks for call in read_calls(read_json(block.strip())) or [UNREADABLE]]
    for part in (text, *_FENCE.findall(text)[-1:]):
        if calls := read_calls(read_json(part.strip())):
            return calls
    return [
        call for line in text.splitlines() if line.lstrip()[:1] in ("{", "[") for call in read_calls(read_json(line.strip()))
    ]


def read_calls(value: Any) -> list[Call]:
    """Return the calls in a JSON value; none if any part of it is no call."""
    if isinstance(value, dict) and isinstance(value.get("tool_calls"), list):
        value = value["tool_calls"]
    calls = [read_call(item) for item in (value if isinstance(value, list) else [value])]
    found = [call for call in calls if call is not None]
    return found if len(found) == len(calls) else []


def read_call(value: Any) -> Call | None:
    """Return a JSON value as a call, or None if it is none."""
    inner = value.get("function", value) if isinstance(value, dict) else None
    if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
        return None
    if not inner.keys() & {"arguments", "parameters", "allowed"} and set(inner) != {"name"}:
        return None
    arguments = inner.get("arguments", inner.get("parameters", {}))
    if isinstance(arguments, str):
        parsed = read_json(arguments) if arguments.strip() else {}
        arguments = arguments if parsed is NO_VALUE else parsed
    return Call(inner["name"], {} if arguments is None else arguments)
