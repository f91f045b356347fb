r"""Rows as every reader of records gives them; what cannot be read is a `BadRow`, and the others are still read.

list(open_rows("faq.jsonl", io.BytesIO(b'{"id": 1}\n{oops\n'), ReadOptions()))
    [Row(number=1, values={"id": 1}), BadRow(number=2, reason="invalid_json", detail="Line 2: Expecting ...", ...)]
"""

from typing import Any, NamedTuple

from curation.ids import hash_bytes
from curation.ingest.text import excerpt_of

EXCERPT_BYTES = 2000


class Row(NamedTuple):
    """One readable row; `number` counts lines in JSON Lines and rows (header left out) elsewhere, from 1."""

    number: int
    values: dict[str, Any]


class BadRow(NamedTuple):
    """A row, or with number 0 the whole file, that cannot be read."""

    number: int
    reason: str
    detail: str
    raw_hash: str
    excerpt: str


def bad_row(number: int, reason: str, detail: str, raw: bytes = b"") -> BadRow:
    """Describe a row that cannot be read; `raw` is what stands there, as far as it is known."""
    return BadRow(number, reason, detail, hash_bytes(raw), excerpt_of(raw[:EXCERPT_BYTES].decode("utf-8", "replace")))
