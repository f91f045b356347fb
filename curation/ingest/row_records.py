"""What every row has, whatever its shape: a key, a hash, a group; and `Unusable`, the reason why it is no record.

row_key(source, Row(number=1, values={"id": "q7", "question": "Why?"}))     "q7"
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from curation.ids import hash_text
from curation.ingest.config import SourceConfig
from curation.ingest.rows import Row

MAX_KEY_CHARS = 200
MAX_SHOWN_COLUMNS = 300
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")


class Unusable(NamedTuple):
    """Why a readable row is no record: short reason and one sentence."""

    reason: str
    detail: str


def key_column(source: SourceConfig) -> str:
    """Return the column that names a row."""
    return source.shape.columns.key or source.key_column


def row_key(source: SourceConfig, row: Row) -> str:
    """Return what the key column says, or nothing."""
    return _cell_name(row.values.get(key_column(source)))


def row_group(source: SourceConfig, row: Row, *, by_key: bool = True) -> str:
    """Return what the group column says, or nothing; without a group column, and `by_key`, what the key column says."""
    column = source.shape.columns.group or source.group_column
    return _cell_name(row.values.get(column or (key_column(source) if by_key else "")))


def row_hash(row: Row) -> str:
    """Return a hash over the values of a row, whatever their types and the order of the columns."""
    try:
        return hash_text(json.dumps(row.values, sort_keys=True, default=str))
    except (ValueError, TypeError, RecursionError):  # integers of thousands of digits, names that are no text, endless nesting
        return hash_text("\n".join(f"{name} {_cell_name(value)}" for name, value in row.values.items()))


def list_columns(values: Mapping[str, Any]) -> str:
    """Return the names of the columns for people, at most MAX_SHOWN_COLUMNS characters."""
    return ", ".join(map(str, values))[:MAX_SHOWN_COLUMNS]


def _cell_name(value: Any) -> str:
    if value is None or isinstance(value, (dict, list, bool)):
        return ""
    try:
        name = _CONTROL.sub(" ", str(value)).strip()
    except ValueError:  # an integer of more digits than Python prints
        return ""
    return name if len(name) <= MAX_KEY_CHARS else hash_text(name)
