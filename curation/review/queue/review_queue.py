"""The review queue of one recipe: items that wait, who holds them, and every verdict that was ever given.

    with open_queue(home, "sdk_assistant") as queue:
        queue.sync_items(items, config)                       # SyncReport(added=12, kept=488, closed=3)
        lease = queue.claim("Ada")                            # nobody else gets this slot before it runs out
        queue.submit(lease.item_key, "approve", "Ada", token=secrets.token_hex(16), generation=lease.generation)

Verdicts are never changed or removed: a change of mind is a new verdict, and so is an undo. Which verdict counts is worked
out by `resolution.resolve`; a person outranks every automatic reviewer.
"""

import contextlib
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from curation.database import Database
from curation.errors import UnknownIdError
from curation.home import Home
from curation.records import Decision, ReviewerKind, ReviewItem, Verdict
from curation.review import schema
from curation.review.config import Accept, ReviewConfig
from curation.review.lots.held import asked_about, is_held, read_held
from curation.review.payload import unpack_item
from curation.review.queue import claims, sync
from curation.review.queue.append import append_votes
from curation.review.queue.chain import as_verdict, check_chain
from curation.review.queue.claims import Lease, Request
from curation.review.queue.counts import Counts, read_counts
from curation.review.queue.listing import Status, select_arrivals
from curation.review.queue.resolution import Resolution, State, counting_verdicts, resolve
from curation.review.queue.statements import (
    FIND_ITEM,
    FIND_VERDICTS,
    PREVIOUS_ITEM,
    SETTINGS,
    TWO_VERDICTS,
    is_sqlite,
)
from curation.review.queue.vote import Role, Vote, VoteDetails

RANDOM_EVERY = 4
"""Every fourth item that a process serves comes from the random order, so that at least a fifth of all do."""


@dataclass(frozen=True, kw_only=True)
class QueueEntry:
    """An item with what was said about it."""

    item: ReviewItem
    is_listed: bool
    """False once the text is no longer part of the data."""
    opened_at: str
    human: Verdict | None = None
    """The verdict of people that counts."""
    automatic: Verdict | None = None
    accept: Accept = "human"
    state: State = "open"
    num_votes: int = 0
    last_sequence: int = 0

    @property
    def verdict(self) -> Verdict | None:
        """The verdict that counts, if any."""
        if self.human is not None or self.accept == "human" or self.state != "open":
            return self.human
        return self.automatic

    @property
    def seen(self) -> int:
        """What a person who looks at this entry passes to `submit` as `expected`."""
        return self.last_sequence


@dataclass(frozen=True, kw_only=True)
class QueueSettings:
    """What the recipe said when its items were last put into the queue."""

    policy: str = "all"
    accept: Accept = "human"
    rubric: str = ""
    overlap: int = 1
    lease_seconds: float = 600.0


class ReviewQueue:
    """Reads and writes one recipe's items and verdicts. Thread-safe. All methods raise DatabaseError."""

    def __init__(self, database: Database, recipe: str) -> None:
        self.database = database
        self.recipe = recipe
        self._served = itertools.count(1)

    # -- items ----------------------------------------------------------------------------------------------------

    def sync_items(
        self, items: Iterable[ReviewItem], config: ReviewConfig, priorities: Mapping[str, float] | None = None
    ) -> sync.SyncReport:
        """Make these items the listed ones. Others are withdrawn; an item that comes back keeps its verdicts.

        `priorities` gives item keys a rank (higher first); without one, the newest items come first.
        """
        return sync.sync_items(self.database, self.recipe, items, config, priorities)

    def settings(self) -> QueueSettings:
        """Return what the recipe said when its items were last synced."""
        with self.database.read() as connection:
            return self._settings(connection)

    def next_item(self, after: str | None = None, *, kind: str | None = None) -> QueueEntry | None:
        """Return the first open item behind `after` in key order, starting over at the end; None if all are decided.

        It reserves nothing; whoever wants to decide an item uses `claim`.
        """
        with self.database.read() as connection:
            settings = self._settings(connection)
            chosen = self._chosen(connection, "open", settings.accept, kind)
            query = sa.select(schema.items).where(*chosen).order_by(schema.items.c.item_key).limit(1)
            rows = connection.execute(query.where(schema.items.c.item_key > after)).mappings().all() if after else []
            rows = rows or connection.execute(query).mappings().all()
            return self._entries(connection, rows, settings)[0] if rows else None

    def list_items(
        self, status: Status = "all", *, offset: int = 0, limit: int = 50, kind: str | None = None
    ) -> list[QueueEntry]:
        """Return a page of the listed items in the order in which they came; where lots hold some back, in key order."""
        item = schema.items.c
        with self.database.read() as connection:
            settings = self._settings(connection)
            if status == "held" or (status in ("open", "disputed") and read_held(connection, self.recipe)):
                chosen = self._chosen(connection, status, settings.accept, kind)
                query = sa.select(schema.items).where(*chosen).order_by(item.item_key).offset(offset).limit(limit)
            else:
                arrivals = select_arrivals(self.recipe, status, settings.accept, kind=kind, offset=offset, limit=limit)
                found = connection.execute(arrivals).scalars().all()
                query = sa.select(schema.items).where(self._mine, item.arrival.in_(found)).order_by(item.arrival)
            return self._entries(connection, connection.execute(query).mappings().all(), settings)

    def get_item(self, item_key: str) -> QueueEntry:
        """Return one item, listed or withdrawn. Raises UnknownIdError."""
        return self.get_items([item_key])[0]

    def get_items(self, item_keys: Sequence[str]) -> list[QueueEntry]:
        """Return items, listed or withdrawn, in the order asked for. Raises UnknownIdError."""
        with self.database.read() as connection:
            if len(item_keys) == 1:
                one = {"recipe": self.recipe, "item_key": item_keys[0]}
                found: Iterable[Any] = FIND_ITEM.run(connection, one).mappings()
            else:
                query = sa.select(schema.items).where(self._mine, schema.items.c.item_key.in_(list(item_keys)))
                found = connection.execute(query).mappings()
            rows = {row["item_key"]: row for row in found}
            missing = next((key for key in item_keys if key not in rows), None)
            if missing is not None:
                raise UnknownIdError(id=missing)
            return self._entries(connection, [rows[key] for key in item_keys], self._settings(connection))

    def previous_item(self, item: ReviewItem) -> QueueEntry | None:
        """Return the last decided item that showed another text of the same row, if there is one."""
        same = {"recipe": self.recipe, "record_key": item.record_key, "kind": item.kind, "item_key": item.key}
        with self.database.read() as connection:
            rows = PREVIOUS_ITEM[is_sqlite(connection)].run(connection, same).mappings().all()
            entries = self._entries(connection, rows, self._settings(connection)) if rows else []
            return entries[0] if entries else None

    def counts(self, *, kind: str | None = None) -> Counts:
        """Return how many listed items there are, and how they were decided."""
        with self.database.read() as connection:
            return read_counts(connection, self.recipe, self._settings(connection).accept, kind=kind)

    # -- leases ---------------------------------------------------------------------------------------------------

    def claim(
        self, reviewer: str, *, role: Role = "review", kind: str = "", after: str = "", item_key: str = ""
    ) -> Lease | None:
        """Lease the next item to a person, or that item; None if there is nothing (left) for them to decide.

        An item that the person holds already is leased again under a new generation: the newest page wins.
        """

        def work(connection: sa.Connection) -> Lease | None:
            is_random = not kind and not item_key and next(self._served) % RANDOM_EVERY == 0
            origin: Any = "chosen" if item_key else "random" if is_random else "priority"
            request = Request(reviewer=reviewer, role=role, kind=kind, after=after, item_key=item_key, origin=origin)
            return claims.claim(connection, self.recipe, request)

        return self.database.write(work)

    def extend(self, lease: Lease) -> Lease:
        """Make a lease last for another full term. Raises LeaseLostError if it was lost."""
        return self.database.write(lambda connection: claims.extend(connection, self.recipe, lease))

    def release(self, lease: Lease, *, skip: bool = False) -> bool:
        """Give an item back; `skip` serves it to this person after all others. False if the lease was lost before."""
        return self.database.write(lambda connection: claims.release(connection, self.recipe, lease, skip=skip))

    def leases(self, reviewer: str) -> list[Lease]:
        """Return what a person holds now, the oldest first."""
        with self.database.read() as connection:
            return claims.list_leases(connection, self.recipe, reviewer)

    # -- verdicts -------------------------------------------------------------------------------------------------

    def submit(
        self,
        item_key: str,
        decision: Decision,
        reviewer: str,
        reviewer_kind: ReviewerKind = "human",
        reason: str = "",
        edited_answer: str = "",
        *,
        token: str = "",
        expected: int | None = None,
        generation: int | None = None,
        role: Role = "review",
        details: VoteDetails | None = None,
    ) -> Verdict:
        """Record one verdict; it is on disk when this returns. See `Vote` for the fields, `record` for the errors."""
        vote = Vote(
            item_key=item_key,
            decision=decision,
            reviewer=reviewer,
            reviewer_kind=reviewer_kind,
            reason=reason,
            edited_answer=edited_answer,
            token=token,
            expected=expected,
            generation=generation,
            role=role,
            details=details or VoteDetails(),
        )
        return self.record([vote])[0]

    def undo(self, verdict: Verdict, reviewer: str, reason: str = "", *, token: str = "") -> Verdict:
        """Take a verdict back: the item is open again for the same reviewer or another. Raises as `record` does."""
        vote = Vote(
            item_key=verdict.key,
            decision="undo",
            reviewer=reviewer,
            reason=reason,
            token=token,
            supersedes=verdict.sequence,
            role=verdict.role,
        )
        return self.record([vote])[0]

    def record(self, votes: Sequence[Vote]) -> list[Verdict]:
        """Record many verdicts in one transaction, all or none.

        Raises:
            VerdictRefusedError, VerdictConflictError, LeaseLostError, ItemWithdrawnError: see `append.append_votes`.
        """
        return self.database.write(lambda connection: append_votes(connection, self.recipe, votes))

    def current_verdicts(self, accept: Accept = "human", item_keys: Collection[str] | None = None) -> dict[str, Verdict]:
        """Return item key -> the verdict that counts, for these items (default: all that were ever decided)."""
        current = counting_verdicts(self.verdicts_after(0), accept, self.settings().overlap)
        return current if item_keys is None else {key: current[key] for key in item_keys if key in current}

    def verdicts_after(self, sequence: int, *, limit: int | None = None) -> list[Verdict]:
        """Return verdicts with a higher number, oldest first. Numbers have no gaps and never appear late."""
        with self.database.read() as connection:
            chosen = (schema.verdicts.c.recipe == self.recipe, schema.verdicts.c.sequence > sequence)
            query = sa.select(schema.verdicts).where(*chosen).order_by(schema.verdicts.c.sequence).limit(limit)
            return [as_verdict(row) for row in connection.execute(query).mappings()]

    def state_sequence(self) -> int:
        """Return the number of the newest verdict that changed what counts; cheap, for whoever looks often."""
        with self.database.read() as connection:
            query = sa.select(schema.queues.c.state_sequence).where(schema.queues.c.recipe == self.recipe)
            return int(connection.execute(query).scalar_one_or_none() or 0)

    def history(self, item_key: str) -> list[Verdict]:
        """Return every verdict on an item, oldest first."""
        with self.database.read() as connection:
            rows = FIND_VERDICTS.run(connection, {"recipe": self.recipe, "item_key": item_key})
            return [as_verdict(row) for row in rows.mappings()]

    def resolution(self, item_key: str) -> Resolution:
        """Return what the verdicts on an item come to."""
        return resolve(self.history(item_key), self.settings().overlap)

    def audited_verdicts(self) -> tuple[list[Verdict], str]:
        """Return every verdict, oldest first, and the head of the chain, once the whole chain has been checked.

        Raises:
            LedgerTamperedError: if a row was changed, removed or put in from outside.
        """
        mine = schema.verdicts.c.recipe == self.recipe
        chain = sa.select(schema.queues.c.num_verdicts, schema.queues.c.head).where(schema.queues.c.recipe == self.recipe)
        with self.database.snapshot() as connection:
            rows = (
                connection.execute(sa.select(schema.verdicts).where(mine).order_by(schema.verdicts.c.sequence)).mappings().all()
            )
            found = connection.execute(chain).one_or_none()
        length, head = (found.num_verdicts, found.head) if found else (0, "")
        check_chain(rows, length=length, head=head)
        return [as_verdict(row) for row in rows], head

    def verify_chain(self) -> str:
        """Check the hash chain and return its head (empty before the first verdict). Raises LedgerTamperedError."""
        return self.audited_verdicts()[1]

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    # -- reading --------------------------------------------------------------------------------------------------

    @property
    def _mine(self) -> sa.ColumnElement[bool]:
        return schema.items.c.recipe == self.recipe

    def _settings(self, connection: sa.Connection) -> QueueSettings:
        row = SETTINGS.run(connection, {"recipe": self.recipe}).one_or_none()
        if row is None:
            return QueueSettings()
        return QueueSettings(
            policy=row.policy, accept=row.accept, rubric=row.rubric, overlap=row.overlap, lease_seconds=row.lease_seconds
        )

    def _chosen(
        self, connection: sa.Connection, status: Status, accept: Accept, kind: str | None
    ) -> list[sa.ColumnElement[bool]]:
        item = schema.items.c
        chosen = [self._mine, item.is_listed, *([item.kind == kind] if kind else [])]
        counted = item.human_sequence > 0
        if accept == "automatic":
            counted = counted | ((item.state == "open") & (item.automatic_sequence > 0))
        if status in ("open", "disputed") and read_held(connection, self.recipe):
            chosen.append(item.item_key.in_(asked_about(self.recipe)))
        match status:
            case "open":
                chosen.append(~counted)
            case "decided":
                chosen.append(counted)
            case "disputed":
                chosen.append(item.state == "disputed")
            case "held":
                chosen.append(is_held(self.recipe))
            case "all":
                pass
        return chosen

    def _entries(self, connection: sa.Connection, rows: Sequence[Any], settings: QueueSettings) -> list[QueueEntry]:
        sequences = sorted({row[name] for row in rows for name in ("human_sequence", "automatic_sequence")} - {0})
        said = self._verdicts(connection, rows[0] if len(rows) == 1 else None, sequences)
        found = {row["sequence"]: as_verdict(row) for row in said}
        return [
            QueueEntry(
                item=unpack_item(row["payload"]),
                is_listed=bool(row["is_listed"]),
                opened_at=row["opened_at"],
                human=found.get(row["human_sequence"]),
                automatic=found.get(row["automatic_sequence"]),
                accept=settings.accept,
                state=row["state"],
                num_votes=row["num_votes"],
                last_sequence=row["last_sequence"],
            )
            for row in rows
        ]

    def _verdicts(self, connection: sa.Connection, only: Any, sequences: list[int]) -> Iterable[Any]:
        if not sequences:
            return []
        if only is not None:
            both = {name: only[name] for name in ("human_sequence", "automatic_sequence")}
            return TWO_VERDICTS.run(connection, both | {"recipe": self.recipe}).mappings()
        chosen = (schema.verdicts.c.recipe == self.recipe, schema.verdicts.c.sequence.in_(sequences))
        return connection.execute(sa.select(schema.verdicts).where(*chosen)).mappings()


def list_recipes(database: Database) -> list[str]:
    """Return the recipes that have a queue in this database, sorted. Raises DatabaseError."""
    with database.read() as connection:
        return list(connection.execute(sa.select(schema.queues.c.recipe).order_by(schema.queues.c.recipe)).scalars())


@contextlib.contextmanager
def open_queue(home: Home, recipe: str) -> Iterator[ReviewQueue]:
    """Open the review queue of a recipe and close it again. Raises DatabaseError."""
    queue = ReviewQueue(home.database("review", schema.MIGRATIONS), recipe)
    try:
        yield queue
    finally:
        queue.close()
