"""Calls of tools by rule, for the extractive teacher: the request says what the tool does and names a value for each argument.

    write_single(prompt, salt)
        {"request": "How do I get the weather of a city? Here the city is Lima.", "calls": [{"name": "weather", ...}], ...}

Only for definitions whose required arguments are plain: text, numbers, yes or no, or one of a list.
"""

import json
from collections.abc import Callable
from typing import Any

from curation.ids import canonical_json, stable_bucket
from curation.synthesis.prompts.grounded import ReadPrompt
from curation.synthesis.teachers.phrasing import phrase

_WORDS = ("Lima", "Oslo", "Nairobi", "Kyoto", "Quito", "Tunis", "Hanoi", "Perth", "Malmo", "Turin", "Bergen", "Dakar")
_MOST = 200


def write_single(prompt: ReadPrompt, salt: str) -> dict[str, Any]:
    """Write a request that one call answers."""
    return _write(prompt, salt, 1)


def write_parallel(prompt: ReadPrompt, salt: str) -> dict[str, Any]:
    """Write a request that two calls of one tool answer."""
    return _write(prompt, salt, 2)


def _write(prompt: ReadPrompt, salt: str, number: int) -> dict[str, Any]:
    tools = [json.loads(line) for line in prompt.passage.split("\n") if line.startswith("{")]
    tool = next((tool for tool in tools if tool["name"] == prompt.title), {"name": prompt.title})
    calls = [_arguments(tool, salt, turn) for turn in range(number)]
    about = phrase((tool.get("description") or tool["name"].replace("_", " ")).split(". ")[0].rstrip("."), salt=salt)[0]
    said = [" and ".join(f"the {name.replace('_', ' ')} is {_say(value)}" for name, value in call.items()) for call in calls]
    request = " ".join([about, *(f"{'Then' if turn else 'Here'} {text}." for turn, text in enumerate(said) if text)])
    written = [{"name": tool["name"], "arguments": canonical_json(call)} for call in calls]
    return {"request": request, "calls": written, "answer": ""}


def _arguments(tool: dict[str, Any], salt: str, turn: int) -> dict[str, Any]:
    schema = tool.get("parameters") or {}
    properties = schema.get("properties") or {}
    return {name: _value(name, properties.get(name) or {}, salt, turn) for name in schema.get("required") or []}


def _value(name: str, schema: dict[str, Any], salt: str, turn: int) -> Any:
    """Return a value for an argument: one of its list, else one of its type."""
    if schema.get("enum"):
        return schema["enum"][_draw(name, len(schema["enum"]), salt, turn)]
    if schema.get("type") in ("integer", "number"):
        low = int(schema.get("minimum", 1))
        high = int(schema.get("maximum", low + _MOST))
        return low + _draw(name, max(high - low + 1, 1), salt, turn)
    if schema.get("type") == "boolean":
        return _draw(name, 2, salt, turn) == 1
    return _WORDS[_draw(name, len(_WORDS), salt, turn)]


def _draw(name: str, number: int, salt: str, turn: int) -> int:
    """Return a place among `number`; the next turn takes the next, so that two calls differ."""
    return (stable_bucket(name, number, salt) + turn) % number


def _say(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


TOOL_CALL_TASKS: dict[str, Callable[[ReadPrompt, str], dict[str, Any]]] = {
    "tool_calls_single": write_single,
    "tool_calls_parallel": write_parallel,
}
"""The tasks of this module, for the extractive teacher."""
