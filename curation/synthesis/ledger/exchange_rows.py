"""One call of the ledger as one line of a file, and back under every check.

format_row(call)      '{"created_at":"2026-08-01T10:00:00+00:00","endpoint":"...","key":"9f...",...}'
read_row(line)        TeacherCall(...), or RefusedRowError("the request id is not that of the request")
"""

import dataclasses
import json
import math
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from curation.chat_model import ChatReply, request_id
from curation.records import TeacherCall
from curation.synthesis.ledger.request_ledger import as_call, load_reply
from curation.synthesis.ledger.stored_request import Answerer, read_request

MAX_TEXT_CHARS = 2_000
MAX_DEPTH = 100
MAX_TOKENS = 2**31
MAX_COST_USD = 1_000.0
"""A single call that cost more is a mistake or a trap."""
_TEXTS = ("key", "provider", "endpoint", "model", "revision", "created_at")
_FIELDS = frozenset((*_TEXTS, "request", "reply"))


class RefusedRowError(Exception):
    """A row that is not imported, with its reason."""


def format_row(call: TeacherCall) -> str:
    """Return a call as one line of ASCII JSON, without line end."""
    nested = {"request": json.loads(call.request), "reply": json.loads(call.reply)}
    row = {name: getattr(call, name) for name in _TEXTS} | nested
    return json.dumps(row, sort_keys=True, separators=(",", ":"), allow_nan=False)


def read_row(line: bytes) -> TeacherCall:
    """Return a call whose request id is that of its request.

    Raises:
        RefusedRowError: the line is no such call.
    """
    row = _parse(line)
    for name in _TEXTS:
        _check_text(name, row[name])
    _check_address_and_time(row)
    try:
        request = read_request(row["request"])
        model = Answerer(**{name: row[name] for name in ("provider", "endpoint", "model", "revision")})
        is_same = request_id(model, request) == row["key"]
    except (ValueError, RecursionError) as error:
        raise RefusedRowError(f"no request ({error})"[:120]) from None
    if not is_same:
        raise RefusedRowError("the request id is not that of the request")
    call = as_call(row["key"], model, request, _read_reply(row["reply"]))
    return dataclasses.replace(call, created_at=row["created_at"])


def _parse(line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise RefusedRowError("no JSON") from None
    if not isinstance(row, dict) or set(row) != _FIELDS:
        raise RefusedRowError("other fields than a row has")
    if _is_deeper(row, MAX_DEPTH):
        raise RefusedRowError(f"nested deeper than {MAX_DEPTH}")
    return row


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _is_deeper(value: Any, depth: int) -> bool:
    layer = [value]
    for _ in range(depth):
        layer = [item for whole in layer if isinstance(whole, (dict, list)) for item in _items(whole)]
        if not layer:
            return False
    return True


def _items(whole: dict[str, Any] | list[Any]) -> list[Any]:
    return list(whole.values()) if isinstance(whole, dict) else whole


def _check_text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise RefusedRowError(f"{name} is no text")
    if len(value) > MAX_TEXT_CHARS:
        raise RefusedRowError(f"{name} is too long")
    if not value.isprintable() or any(0xD800 <= ord(character) <= 0xDFFF for character in value):
        raise RefusedRowError(f"{name} holds characters that no name has")


def _check_address_and_time(row: dict[str, Any]) -> None:
    try:
        if "@" in urlsplit(row["endpoint"]).netloc:
            raise RefusedRowError("the endpoint holds a user name or password")
        if datetime.fromisoformat(row["created_at"]).tzinfo is None:
            raise ValueError("no time zone")
    except ValueError:
        raise RefusedRowError("endpoint or created_at cannot be read") from None


def _read_reply(plain: Any) -> ChatReply:
    try:
        reply = load_reply(json.dumps(plain, allow_nan=False))
        is_sound = isinstance(plain, dict) and "text" in plain and _has_sound_values(reply)
    except (ValueError, TypeError, AttributeError, RecursionError):
        is_sound = False
    if not is_sound:
        raise RefusedRowError("the reply is no reply")
    return reply


def _has_sound_values(reply: ChatReply) -> bool:
    """Tell whether the values are of the type of the fields' defaults, and numbers within reason."""
    for name in (field.name for field in dataclasses.fields(ChatReply)):
        value = getattr(reply, name)
        if name == "tool_calls":
            sound = all(isinstance(text, str) for call in value for text in (call.id, call.name, call.arguments))
        elif name == "cost_usd":
            sound = type(value) in (int, float) and math.isfinite(value) and 0 <= value <= MAX_COST_USD
        elif name.endswith("_tokens"):
            sound = type(value) is int and 0 <= value <= MAX_TOKENS
        else:
            sound = isinstance(value, str)
        if not sound:
            return False
    return True
