"""Appending verdicts: checked, numbered and hash-chained in one transaction, many at a time.

    append_votes(connection, "sdk_assistant", [Vote(item_key="9f...", decision="approve", reviewer="Ada", token="51...")])

The recipe's row in `review_queues` is locked first, so that numbers have no gaps and appear in order: whoever has read
up to number n has missed nothing before it. The verdicts are the outbox: sensors and webhooks read them by number.
In the same transaction the reviewer's slot is taken or found to be lost, the item's state is worked out anew from its
verdicts, the counts move with it, and its lot is settled: no way of recording verdicts can leave a lot behind.
"""

import datetime
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from curation.database.statement import Statement
from curation.errors import ItemWithdrawnError, VerdictConflictError, VerdictRefusedError
from curation.records import Verdict
from curation.review import schema
from curation.review.lots.held import move_decided
from curation.review.lots.settlement import announce_lot, settle_lots
from curation.review.queue.chain import as_verdict, hash_row
from curation.review.queue.counts import move_counts
from curation.review.queue.resolution import resolve, resolve_item
from curation.review.queue.slots import fit_slots, take_slot
from curation.review.queue.statements import (
    ADD_SLOT,
    ADD_VERDICT,
    CHANGE_SLOT,
    DROP_SLOT,
    FIND_ITEM,
    FIND_SLOTS,
    FIND_TOKEN,
    FIND_VERDICTS,
    LOCK_QUEUE,
    MOVE_HEAD,
    SETTLE_ITEM,
    SETTLED,
    SLOT_COLUMNS,
    is_sqlite,
)
from curation.review.queue.vote import Vote, check_vote

_CHUNK = 500


def append_votes(connection: sa.Connection, recipe: str, votes: Sequence[Vote]) -> list[Verdict]:
    """Append votes in order and return the verdicts as recorded.

    Raises:
        VerdictRefusedError: if a vote does not fit its item.
        VerdictConflictError: if somebody decided an item after the voter had looked at it.
        LeaseLostError: if the voter's lease has run out, or somebody else has the item now.
        ItemWithdrawnError: if an item is not in the queue (any more).
    """
    return _Appending(connection, recipe, votes).run(votes)


class _Appending:
    """One transaction's worth of votes on one recipe."""

    def __init__(self, connection: sa.Connection, recipe: str, votes: Sequence[Vote]) -> None:
        self.connection, self.recipe = connection, recipe
        locked = LOCK_QUEUE[is_sqlite(connection)].run(connection, {"recipe": recipe}).one_or_none()
        self.length, self.head, self.overlap, self.now = tuple(locked) if locked else (0, "", 1, 0.0)
        keys = {vote.item_key for vote in votes}
        self.items = {row["item_key"]: row for row in _find(connection, FIND_ITEM, schema.items, "item_key", recipe, keys)}
        tokens = {vote.token for vote in votes if vote.token}
        found = _find(connection, FIND_TOKEN, schema.verdicts, "token", recipe, tokens)
        self.recorded = {row["token"]: row for row in found}
        people = {vote.item_key for vote in votes if vote.reviewer_kind == "human"}
        self.said: dict[str, list[Verdict]] = {}
        verdicts = _find(connection, FIND_VERDICTS, schema.verdicts, "item_key", recipe, people)
        for row in sorted(verdicts, key=_sequence):
            self.said.setdefault(row["item_key"], []).append(as_verdict(row))
        self.slots: dict[str, list[dict[str, Any]]] = {}
        for row in _find(connection, FIND_SLOTS, schema.slots, "item_key", recipe, people):
            self.slots.setdefault(row["item_key"], []).append(row)
        self.rows: list[dict[str, Any]] = []
        self.before = {key: dict(row) for key, row in self.items.items()}

    def run(self, votes: Sequence[Vote]) -> list[Verdict]:
        result, touched = [], set[str]()
        for vote in votes:
            if vote.token in self.recorded:
                result.append(_replay(self.recorded[vote.token], vote))
                continue
            result.append(as_verdict(self._append(vote)))
            touched.add(vote.item_key)
        if self.rows:
            self._store(sorted(touched))
            self._settle_lots()
        return result

    def _append(self, vote: Vote) -> dict[str, Any]:
        item = self.items.get(vote.item_key)
        if item is None or not item["is_listed"]:
            raise ItemWithdrawnError(item=vote.item_key)
        check_vote(item, vote)
        newest = item["last_sequence" if vote.reviewer_kind == "human" else "automatic_sequence"]
        if vote.expected is not None and vote.expected != newest:
            raise self._conflict(newest)
        number = self.length + len(self.rows) + 1
        supersedes = self._take(vote, number) if vote.reviewer_kind == "human" else 0
        row = self._link(vote, number, supersedes)
        self.rows.append(row)
        self.head = row["hash"]
        self.recorded |= {vote.token: row} if vote.token else {}
        self._settle(item, vote, as_verdict(row))
        return row

    def _take(self, vote: Vote, number: int) -> int:
        """Take the voter's slot and return the sequence of the verdict that this one replaces."""
        said = self.said.setdefault(vote.item_key, [])
        slots = self.slots.setdefault(vote.item_key, [])
        return take_slot(slots, vote, number, self.now, resolve(said, self.overlap), self._conflict)

    def _settle(self, item: dict[str, Any], vote: Vote, verdict: Verdict) -> None:
        """Work out what the item's verdicts come to now."""
        if vote.reviewer_kind == "automatic":
            item |= {"automatic_sequence": verdict.sequence, "automatic_decision": verdict.decision}
            return
        said = self.said[vote.item_key]
        said.append(verdict)
        outcome = resolve_item(item, said, self.overlap)
        item |= outcome.as_columns() | {"last_sequence": verdict.sequence}
        fit_slots(self.slots[vote.item_key], item, outcome, self.overlap)

    def _link(self, vote: Vote, sequence: int, supersedes: int) -> dict[str, Any]:
        row = {
            "recipe": self.recipe,
            "sequence": sequence,
            "item_key": vote.item_key,
            "decision": vote.decision,
            "reviewer": vote.reviewer,
            "reviewer_kind": vote.reviewer_kind,
            "reason": vote.reason,
            "edited_answer": vote.edited_answer,
            "created_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "token": vote.token or None,
            "previous_hash": self.head,
            "role": vote.role,
            "supersedes": supersedes,
            "details": vote.details.to_json(),
        }
        return row | {"hash": hash_row(row)}

    def _store(self, touched: list[str]) -> None:
        connection, after = self.connection, self.items
        ADD_VERDICT.run(connection, self.rows)
        one = {"recipe": self.recipe}
        SETTLE_ITEM.run(connection, [one | {name: after[key][name] for name in ("item_key", *SETTLED)} for key in touched])
        for key in touched:
            store_slots(connection, self.slots.get(key, []))
        moves = [(self.before[key], after[key]) for key in touched]
        move_counts(connection, moves)
        move_decided(connection, self.recipe, moves)
        counting = ("human_sequence", "automatic_sequence", "state")
        has_moved = any(self.before[key][name] != after[key][name] for key in touched for name in counting)
        last = self.rows[-1]
        new = {"num_verdicts": last["sequence"], "head": last["hash"], "has_moved": int(has_moved)}
        MOVE_HEAD.run(connection, one | new)

    def _settle_lots(self) -> None:
        people = {row["item_key"] for row in self.rows if row["reviewer_kind"] == "human"}
        for lot in settle_lots(self.connection, self.recipe, people):
            announce_lot(self.connection, self.recipe, lot)

    def _conflict(self, sequence: int) -> VerdictConflictError:
        recorded = next((row for row in self.rows if row["sequence"] == sequence), None)
        if recorded is None:
            chosen = (schema.verdicts.c.recipe == self.recipe, schema.verdicts.c.sequence == sequence)
            found = self.connection.execute(sa.select(schema.verdicts).where(*chosen)).mappings().one_or_none()
            recorded = dict(found) if found else None
        if recorded is None:
            return VerdictConflictError(reviewer="Nobody", decision="nothing")
        return VerdictConflictError(reviewer=recorded["reviewer"], decision=recorded["decision"])


def store_slots(connection: sa.Connection, slots: list[dict[str, Any]]) -> None:
    """Write back the slots of an item that have changed (`is_new`, `is_changed`, `is_gone`)."""
    for slot in slots:
        if slot.get("is_gone"):
            statement = DROP_SLOT
        elif slot.get("is_new"):
            statement = ADD_SLOT
        elif slot.get("is_changed"):
            statement = CHANGE_SLOT
        else:
            continue
        statement.run(connection, {name: slot[name] for name in SLOT_COLUMNS})


def _find(
    connection: sa.Connection, one: Statement, table: sa.Table, column: str, recipe: str, values: set[str]
) -> Iterable[dict[str, Any]]:
    """Return the rows of a recipe whose column holds one of these values; quickest for a single value."""
    if len(values) == 1:
        return [dict(row) for row in one.run(connection, {"recipe": recipe, column: next(iter(values))}).mappings()]
    return select_rows(connection, table, column, recipe, values) if values else []


def select_rows(
    connection: sa.Connection, table: sa.Table, column: str, recipe: str, values: set[str]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a recipe whose column holds one of these values."""
    ordered = sorted(values)
    for start in range(0, len(ordered), _CHUNK):
        chosen = table.c[column].in_(ordered[start : start + _CHUNK])
        for row in connection.execute(sa.select(table).where(table.c.recipe == recipe, chosen)).mappings():
            yield dict(row)


def _sequence(row: dict[str, Any]) -> int:
    return int(row["sequence"])


def _replay(row: dict[str, Any], vote: Vote) -> Verdict:
    same = all(row[name] == getattr(vote, name) for name in ("item_key", "decision", "reviewer", "reason", "edited_answer"))
    if not same:
        raise VerdictRefusedError(problem="this page was already used for another decision. Load the item again.")
    return as_verdict(row)
