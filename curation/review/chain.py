"""Appending verdicts: checked, numbered and hash-chained in one transaction, many at a time.

    append_votes(connection, "sdk_assistant", [Vote(item_key="9f...", decision="approve", reviewer="Ada", token="51...")])

The recipe's row in `review_queues` is locked first, so that numbers have no gaps and appear in order: whoever has read
up to number n has missed nothing before it.
"""

import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from curation.errors import ItemWithdrawnError, LedgerTamperedError, VerdictConflictError, VerdictRefusedError
from curation.ids import content_hash
from curation.records import Decision, ReviewerKind, Verdict
from curation.review import schema
from curation.review.payload import unpack_item

EXAMPLE_DECISIONS: tuple[Decision, ...] = ("approve", "edit", "reject")
PAIR_DECISIONS: tuple[Decision, ...] = ("prefer_a", "prefer_b", "tie", "both_bad")

MAX_TEXT_CHARS = 1_000_000
MAX_REASON_CHARS = 4_000
MAX_REVIEWER_CHARS = 80

_CHUNK = 500
_HASHED = tuple(column.name for column in schema.verdicts.columns if column.name != "hash")


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """A verdict that somebody wants to record."""

    item_key: str
    decision: Decision
    reviewer: str
    reviewer_kind: ReviewerKind = "human"
    reason: str = ""
    edited_answer: str = ""
    token: str = ""
    """Idempotency token: the same vote sent again with it is recorded once."""
    expected: int | None = None
    """Sequence of the newest verdict of this reviewer kind that the voter has seen (0: none); None votes blindly."""


def append_votes(connection: sa.Connection, recipe: str, votes: Sequence[Vote]) -> list[Verdict]:
    """Append votes in order and return the verdicts as recorded.

    Raises:
        VerdictRefusedError: if a vote does not fit its item.
        VerdictConflictError: if somebody decided an item after the voter had looked at it.
        ItemWithdrawnError: if an item is not in the queue (any more).
    """
    length, head = _lock_chain(connection, recipe)
    items = {row["item_key"]: row for row in _select(connection, schema.items, "item_key", recipe, {v.item_key for v in votes})}
    tokens = {vote.token for vote in votes if vote.token}
    recorded = {row["token"]: row for row in _select(connection, schema.verdicts, "token", recipe, tokens)}
    result: list[Verdict] = []
    rows: list[dict[str, Any]] = []
    touched: set[str] = set()
    for vote in votes:
        if vote.token in recorded:
            result.append(_replay(recorded[vote.token], vote))
            continue
        item = items.get(vote.item_key)
        _check(connection, item, vote)
        row = _link(recipe, vote, sequence=length + len(rows) + 1, previous_hash=head)
        head = row["hash"]
        rows.append(row)
        recorded |= {vote.token: row} if vote.token else {}
        items[vote.item_key][f"{vote.reviewer_kind}_sequence"] = row["sequence"]
        touched.add(vote.item_key)
        result.append(as_verdict(row))
    if rows:
        _store(connection, recipe, rows, [items[key] for key in sorted(touched)])
    return result


def check_chain(rows: Iterable[Any], *, length: int, head: str) -> None:
    """Check that verdict rows, in order, are numbered 1 to `length` and that each follows from the one before it.

    Raises:
        LedgerTamperedError: naming the first entry that does not.
    """
    previous, number = "", 0
    for number, row in enumerate(rows, start=1):
        intact = row["sequence"] == number and row["previous_hash"] == previous and row["hash"] == _hash(row)
        if not intact:
            raise LedgerTamperedError(ledger="review", entry=row["sequence"])
        previous = row["hash"]
    if (number, previous) != (length, head):
        raise LedgerTamperedError(ledger="review", entry=number + 1)


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
    )


def _lock_chain(connection: sa.Connection, recipe: str) -> tuple[int, str]:
    query = sa.select(schema.queues.c.num_verdicts, schema.queues.c.head).where(schema.queues.c.recipe == recipe)
    row = connection.execute(query.with_for_update()).one_or_none()
    return (row.num_verdicts, row.head) if row else (0, "")


def _select(connection: sa.Connection, table: sa.Table, column: str, recipe: str, values: set[str]) -> Iterator[dict[str, Any]]:
    ordered = sorted(values)
    for start in range(0, len(ordered), _CHUNK):
        chosen = table.c[column].in_(ordered[start : start + _CHUNK])
        for row in connection.execute(sa.select(table).where(table.c.recipe == recipe, chosen)).mappings():
            yield dict(row)


def _link(recipe: str, vote: Vote, *, sequence: int, previous_hash: str) -> dict[str, Any]:
    row = {
        "recipe": recipe,
        "sequence": sequence,
        "item_key": vote.item_key,
        "decision": vote.decision,
        "reviewer": vote.reviewer,
        "reviewer_kind": vote.reviewer_kind,
        "reason": vote.reason,
        "edited_answer": vote.edited_answer,
        "created_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "token": vote.token or None,
        "previous_hash": previous_hash,
    }
    return row | {"hash": _hash(row)}


def _hash(row: Any) -> str:
    return content_hash([row[name] for name in _HASHED])


def _store(connection: sa.Connection, recipe: str, rows: list[dict[str, Any]], touched: list[dict[str, Any]]) -> None:
    connection.execute(schema.verdicts.insert(), rows)
    update = schema.items.update().where(
        schema.items.c.recipe == recipe, schema.items.c.item_key == sa.bindparam("touched_key")
    )
    newest = update.values(human_sequence=sa.bindparam("human"), automatic_sequence=sa.bindparam("automatic"))
    values = [
        {"touched_key": item["item_key"], "human": item["human_sequence"], "automatic": item["automatic_sequence"]}
        for item in touched
    ]
    connection.execute(newest, values)
    moved = schema.queues.update().where(schema.queues.c.recipe == recipe)
    connection.execute(moved.values(num_verdicts=rows[-1]["sequence"], head=rows[-1]["hash"]))


def _replay(row: dict[str, Any], vote: Vote) -> Verdict:
    same = all(row[name] == getattr(vote, name) for name in ("item_key", "decision", "reviewer", "reason", "edited_answer"))
    if not same:
        raise VerdictRefusedError(problem="this page was already used for another decision. Load the item again.")
    return as_verdict(row)


def _check(connection: sa.Connection, item: dict[str, Any] | None, vote: Vote) -> None:
    if item is None or not item["is_listed"]:
        raise ItemWithdrawnError(item=vote.item_key)
    allowed = EXAMPLE_DECISIONS if item["kind"] == "example" else PAIR_DECISIONS
    if vote.decision not in allowed:
        raise VerdictRefusedError(
            problem=f"'{vote.decision}' is no decision about {_KINDS[item['kind']]}; choose {', '.join(allowed)}."
        )
    _check_text("reviewer", vote.reviewer, MAX_REVIEWER_CHARS)
    _check_text("reason", vote.reason, MAX_REASON_CHARS)
    _check_text("edited answer", vote.edited_answer, MAX_TEXT_CHARS)
    if not vote.reviewer.strip():
        raise VerdictRefusedError(problem="it does not say who decided.")
    if vote.reviewer.startswith("automatic:") != (vote.reviewer_kind == "automatic"):
        raise VerdictRefusedError(
            problem="names that start with 'automatic:' belong to automatic reviewers, and to nobody else."
        )
    _check_edit(item, vote)
    newest = item[f"{vote.reviewer_kind}_sequence"]
    if vote.expected is not None and vote.expected != newest:
        raise _conflict(connection, item, newest)


_KINDS = {"example": "an example", "pair": "a pair"}


def _check_edit(item: dict[str, Any], vote: Vote) -> None:
    if vote.decision != "edit":
        if vote.edited_answer:
            raise VerdictRefusedError(problem=f"'{vote.decision}' takes no edited answer.")
        return
    if not vote.edited_answer.strip():
        raise VerdictRefusedError(problem="the edited answer is empty. Reject the item instead if it has no good answer.")
    if vote.edited_answer == unpack_item(item["payload"]).answer:
        raise VerdictRefusedError(problem="the edit changes nothing. Change the answer, or approve it as it stands.")


def _check_text(name: str, text: str, max_chars: int) -> None:
    if len(text) > max_chars:
        raise VerdictRefusedError(problem=f"the {name} has {len(text):,} characters; at most {max_chars:,} are kept.")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise VerdictRefusedError(problem=f"the {name} holds characters that no text may hold (NUL or half a surrogate pair).")


def _conflict(connection: sa.Connection, item: dict[str, Any], sequence: int) -> VerdictConflictError:
    same = (schema.verdicts.c.recipe == item["recipe"], schema.verdicts.c.sequence == sequence)
    row = connection.execute(sa.select(schema.verdicts).where(*same)).mappings().one_or_none()
    return VerdictConflictError(reviewer=row["reviewer"] if row else "Nobody", decision=row["decision"] if row else "nothing")
