"""The hash chain of a recipe's verdicts: each row is hashed over its content and the hash of the row before it.

check_chain(rows, length=2, head="7c...")       passes, or raises LedgerTamperedError naming the first bad entry
"""

from collections.abc import Iterable
from typing import Any

from curation.errors import LedgerTamperedError
from curation.ids import content_hash
from curation.records import Verdict

_FIRST = (
    "recipe",
    "sequence",
    "item_key",
    "decision",
    "reviewer",
    "reviewer_kind",
    "reason",
    "edited_answer",
    "created_at",
    "token",
    "previous_hash",
)
_LATER = ("role", "supersedes", "details")
"""Columns that older rows lack (NULL); those keep the hash they were given."""


def hash_row(row: Any) -> str:
    """Return the hash of a verdict row (all its columns but `hash`)."""
    later = [row[name] for name in _LATER]
    return content_hash([row[name] for name in _FIRST] + (later if any(value is not None for value in later) else []))


def check_chain(rows: Iterable[Any], *, length: int, head: str) -> None:
    """Check that verdict rows, in order, are numbered 1 to `length` and that each follows from the one before it.

    Raises:
        LedgerTamperedError: naming the first entry that does not.
    """
    previous, number = "", 0
    for number, row in enumerate(rows, start=1):
        if not (row["sequence"] == number and row["previous_hash"] == previous and _has_its_hash(row)):
            raise LedgerTamperedError(ledger="review", entry=row["sequence"])
        previous = row["hash"]
    if (number, previous) != (length, head):
        raise LedgerTamperedError(ledger="review", entry=number + 1)


def _has_its_hash(row: Any) -> bool:
    try:
        return bool(row["hash"] == hash_row(row))
    except (TypeError, ValueError):  # no value that was ever recorded: SQLite takes bytes in a column of text
        return False


def as_verdict(row: Any) -> Verdict:
    """Turn a row of `review_verdicts` into a record."""
    return Verdict(
        key=row["item_key"],
        sequence=row["sequence"],
        decision=row["decision"],
        reviewer=row["reviewer"],
        reviewer_kind=row["reviewer_kind"],
        reason=row["reason"],
        edited_answer=row["edited_answer"],
        created_at=row["created_at"],
        role=row["role"] or "review",
        supersedes=row["supersedes"] or 0,
        details=row["details"] or "",
    )
