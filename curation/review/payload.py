"""Review items as the database stores them: ASCII JSON, so that any text (NUL, half surrogates) survives in any database.

unpack_item(pack_item(item)) == item
"""

import json
import re
from typing import Any, TypeVar

from curation.record_rows import as_row, from_row
from curation.records import ReviewItem

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
T = TypeVar("T")
_SURROGATES = re.compile("[\ud800-\udfff]")


def pack_item(item: ReviewItem) -> str:
    """Return an item as one line of ASCII JSON."""
    return _ENCODER.encode(as_row(item))


def unpack_item(payload: str) -> ReviewItem:
    """Return the item that `pack_item` was given."""
    return from_row(ReviewItem, json.loads(payload))


def encodable(value: T) -> T:
    """Return a text that UTF-8 can hold, of the same class; what is no text as it is (Jinja asks about all that it prints)."""
    if isinstance(value, str) and not value.isascii():
        return type(value)(_SURROGATES.sub("\ufffd", value))
    return value


def json_line(row: dict[str, Any]) -> bytes:
    """Return a row as one line of JSON, with its end."""
    text = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
    return f"{encodable(text)}\n".encode()
