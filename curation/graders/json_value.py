"""Grades answers that must be a JSON value, whatever stands around it.

    grade_json('Here: {"b": [1], "a": 2.0}', '{"a": 2, "b": [1]}')      Grade(is_right=True, extracted='{"a":2.0,"b":[1]}')

The last JSON object or list of the answer counts (in a code fence or bare); the order of keys and the way in which a number
is written do not matter, the order of a list and the kind of a value do (`true` is not 1).
"""

import json
import re
from typing import Any

from curation.graders.grade import Grade, without_thoughts
from curation.ids import canonical_json

MAX_JSON_CHARS = 20_000
_MAX_STARTS = 200
_FENCE = re.compile(r"```[A-Za-z0-9]{0,20}[ \t]*\n(.*?)```", re.DOTALL)
NO_VALUE = object()
"""What is returned where no JSON is."""


def grade_json(answer: str, reference: str) -> Grade:
    """Tell whether the JSON in an answer equals that of the reference."""
    value, wanted = find_json(without_thoughts(answer)), read_json(reference.strip())
    if value is NO_VALUE:
        return Grade(False, "")
    try:
        return Grade(wanted is not NO_VALUE and is_same_json(value, wanted), canonical_json(value))
    except (RecursionError, ValueError):
        return Grade(False, "")


def is_same_json(one: Any, two: Any) -> bool:
    """Compare two JSON values; numbers by value, everything else by kind and value. May raise RecursionError."""
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(is_same_json(value, two[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(is_same_json(left, right) for left, right in zip(one, two, strict=True))
    if isinstance(one, bool) or isinstance(two, bool):
        return one is two
    if isinstance(one, (int, float)) and isinstance(two, (int, float)):
        return one == two
    return type(one) is type(two) and bool(one == two)


def find_json(answer: str) -> Any:
    """Return the JSON of an answer: all of it, else the last fence, else the last object or list that begins in it."""
    text = answer.strip()[-MAX_JSON_CHARS:]
    value = read_json(text)
    for fence in reversed(_FENCE.findall(text)):
        value = read_json(fence.strip()) if value is NO_VALUE else value
    return _find_last(text) if value is NO_VALUE else value


def _find_last(text: str) -> Any:
    decoder = json.JSONDecoder(parse_constant=_refuse)
    position, found = 0, NO_VALUE
    for _ in range(_MAX_STARTS):
        start = re.compile(r"[{\[]").search(text, position)
        if start is None:
            break
        try:
            found, position = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            position = start.end()
    return found


def read_json(text: str) -> Any:
    """Return the value of a JSON text, or `NO_VALUE`; NaN and infinities are no JSON."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return NO_VALUE


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
