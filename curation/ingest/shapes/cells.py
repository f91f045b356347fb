"""Single cells: text, yes or no, date, and JSON that a table holds as text.

cell_text(42)                        "42"
read_flag("True", ())                True
read_date("2024-05-01T12:00+02:00")  "2024-05-01T10:00:00Z"
"""

import json
import math
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from curation.ingest.shapes.synonyms import FLAGS, fold

MILLISECONDS_FROM = 1e11
"""Seconds since 1970 stay below this until the year 5138; larger numbers are milliseconds."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_NUMBER = re.compile(r"\d{1,15}(\.\d{1,9})?")


def is_missing(value: Any) -> bool:
    """Tell whether a cell says nothing: absent, null, or a number that is none."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def cell_text(value: Any) -> str | None:
    """Return a text or a number as text; nothing for lists, objects, bytes and missing values."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, int, float, Decimal)) and not is_missing(value):
        try:
            return str(value)
        except ValueError:  # more digits than Python prints
            return None
    return None


def cell_texts(value: Any) -> list[str] | None:
    """Return the texts of a text, or of a list of texts or of objects with a `text`."""
    if isinstance(value, (list, tuple)):
        found = [cell_text(item.get("text") if isinstance(item, dict) else item) for item in value]
        return None if any(item is None for item in found) else [item for item in found if item is not None]
    text = cell_text(value)
    return None if text is None else [text]


def load_json(value: Any) -> Any:
    """Return what JSON text holds, or nothing if it is no JSON list or object; lists and objects are returned as they are."""
    if not isinstance(value, str):
        return value if isinstance(value, (list, dict)) else None
    if value.lstrip()[:1] not in ("[", "{"):
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def read_flag(value: Any, desirable: tuple[str, ...]) -> bool | None:
    """Return whether a label is a thumb up, or nothing if it is no label.

    Args:
        value: boolean, one of the known flags, or any scalar if `desirable` is given.
        desirable: labels that mean yes; all others then mean no.
    """
    text = cell_text(value)
    if text is None or not text.strip():
        return None
    if desirable:
        return fold(text) in {fold(item) for item in desirable}
    return FLAGS.get(fold(text))


def read_date(value: Any) -> str | None:
    """Return a date as ISO 8601 in UTC, empty for a missing one, nothing if it cannot be read.

    ISO texts, date objects of Parquet, and seconds or milliseconds since 1970 are read; a time without a zone is UTC.
    """
    if is_missing(value) or value == "":
        return ""
    try:
        return _read_date(value)
    except (ValueError, OverflowError, OSError):
        return None


def _read_date(value: Any) -> str | None:
    if isinstance(value, str) and _DAY.fullmatch(value.strip()):
        return date.fromisoformat(value.strip()).isoformat()
    if isinstance(value, str):
        number = _NUMBER.fullmatch(value.strip())
        return _from_number(float(value)) if number else _in_utc(datetime.fromisoformat(value.strip()))
    if isinstance(value, datetime):
        return _in_utc(value)
    if isinstance(value, date):
        return value.isoformat()
    return _from_number(float(value)) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _from_number(seconds: float) -> str:
    return _in_utc(datetime.fromtimestamp(seconds / 1000 if seconds >= MILLISECONDS_FROM else seconds, tz=UTC))


def _in_utc(moment: datetime) -> str:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
