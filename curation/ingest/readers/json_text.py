r"""One JSON text -> a row of plain values that can be written again exactly, or the reason why not.

parse_object('{"id": 1}')             {"id": 1}
parse_object('{"id": 1, "id": 2}')    Wrong(reason="duplicate_column", detail="The key 'id' stands twice in one object.")
"""

import json
import math
import re
from typing import Any, NamedTuple

from curation.ingest.decoding import decode_utf8
from curation.ingest.readers.limits import Limits
from curation.ingest.rows import BadRow, Row, bad_row

_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")


class Wrong(NamedTuple):
    """Why a JSON text is no row."""

    reason: str
    detail: str


class _DuplicateKeyError(ValueError):
    pass


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _DuplicateKeyError(f"The key '{twice[:100]}' stands twice in one object.")
    return values


def _float_of(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:40]} is too large a number")
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


DECODER = json.JSONDecoder(object_pairs_hook=_object_of, parse_float=_float_of, parse_constant=_refuse_constant)


def parse_object(text: str, limits: Limits) -> dict[str, Any] | Wrong:
    """Parse the JSON text of one row."""
    try:
        value = DECODER.decode(text)
    except _DuplicateKeyError as error:
        return Wrong("duplicate_column", str(error))
    except (ValueError, RecursionError) as error:
        return Wrong("invalid_json", f"{error}.")
    return check_object(value, text, limits)


def check_object(value: Any, text: str, limits: Limits) -> dict[str, Any] | Wrong:
    """Return a parsed value if it is an object that every later stage can write again; `text` is what it was parsed from."""
    if not isinstance(value, dict):
        return Wrong("not_an_object", f"There is a JSON {_type_name(value)}, not an object.")
    if text.count("{") + text.count("[") > limits.nesting and _depth(value) > limits.nesting:
        return Wrong("nested_too_deeply", f"Lists and objects are nested more than {limits.nesting} deep.")
    if _ESCAPED_SURROGATE.search(text) and _LONE_SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        return Wrong("lone_surrogate", "An escape such as \\ud800 stands alone; it is no character.")
    return value


def _type_name(value: Any) -> str:
    names = {str: "string", list: "array", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


def _depth(value: Any) -> int:
    """Return how deeply lists and objects are nested, level by level: no recursion that could overflow."""
    level, depth = [value], 0
    while level:
        level = [item for part in level for item in _children(part)]
        depth += 1
    return depth - 1


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def read_line(number: int, line: bytes, limits: Limits) -> Row | BadRow:
    """Return the row that one line of JSON Lines holds."""
    text = decode_utf8(line)
    if not isinstance(text, str):
        return bad_row(number, text.reason, f"Line {number}: {text.detail}", line)
    value = parse_object(text, limits)
    if isinstance(value, Wrong):
        return bad_row(number, value.reason, f"Line {number}: {value.detail}", line)
    return Row(number, value)
