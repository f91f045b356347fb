"""The review queue of one recipe: items that wait, and every verdict that was ever given.

    with open_queue(home, "sdk_assistant") as queue:
        queue.sync_items(items, config)                       # SyncReport(added=12, kept=488, closed=3)
        entry = queue.next_item()
        queue.submit(entry.item.key, "approve", "Ada", token=secrets.token_hex(16), expected=entry.seen)

Verdicts are never changed or removed; the newest one of an item counts, and a person outranks every automatic reviewer.
"""

import contextlib
import datetime
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa

from curation.database import Database
from curation.errors import UnknownIdError
from curation.home import Home
from curation.records import Decision, ReviewerKind, ReviewItem, Verdict
from curation.review import schema
from curation.review.chain import Vote, append_votes, as_verdict, check_chain
from curation.review.config import Accept, ReviewConfig
from curation.review.payload import pack_item, unpack_item

Status = Literal["open", "decided", "all"]


@dataclass(frozen=True, kw_only=True)
class SyncReport:
    """How many items are new (or back), unchanged, and withdrawn."""

    added: int
    kept: int
    closed: int


@dataclass(frozen=True, kw_only=True)
class QueueEntry:
    """An item with its newest verdict of each kind."""

    item: ReviewItem
    is_listed: bool
    """False once the text is no longer part of the data."""
    opened_at: str
    human: Verdict | None = None
    automatic: Verdict | None = None
    accept: Accept = "human"

    @property
    def verdict(self) -> Verdict | None:
        """The verdict that counts, if any."""
        return self.human or (self.automatic if self.accept == "automatic" else None)

    @property
    def seen(self) -> int:
        """What a person who looks at this entry passes to `submit` as `expected`."""
        return self.human.sequence if self.human else 0


@dataclass(frozen=True, kw_only=True)
class QueueSettings:
    """What the recipe said when its items were last put into the queue."""

    policy: str = "all"
    accept: Accept = "human"
    rubric: str = ""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How far a queue is."""

    num_items: int = 0
    num_open: int = 0
    num_human: int = 0
    """Items whose counting verdict a person gave."""
    num_automatic: int = 0
    decisions: dict[str, int] = field(default_factory=dict)
    """Decision -> items, sorted by name."""

    @property
    def num_decided(self) -> int:
        """Items with a verdict that counts."""
        return self.num_items - self.num_open


class ReviewQueue:
    """Reads and writes one recipe's items and verdicts. Thread-safe. All methods raise DatabaseError."""

    def __init__(self, database: Database, recipe: str) -> None:
        self.database = database
        self.recipe = recipe

    # -- items ----------------------------------------------------------------------------------------------------

    def sync_items(self, items: Iterable[ReviewItem], config: ReviewConfig) -> SyncReport:
        """Make these items the listed ones. Others are withdrawn; an item that comes back keeps its verdicts."""
        wanted = {item.key: item for item in items}
        return self.database.write(lambda connection: self._sync(connection, wanted, config))

    def _sync(self, connection: sa.Connection, wanted: dict[str, ReviewItem], config: ReviewConfig) -> SyncReport:
        connection.execute(_ENSURE_QUEUE, {"recipe": self.recipe})
        settings = {"policy": config.policy, "accept": config.accept, "rubric": config.rubric}
        connection.execute(schema.queues.update().where(schema.queues.c.recipe == self.recipe).values(**settings))
        columns = (schema.items.c.item_key, schema.items.c.is_listed, schema.items.c.payload)
        known = {row.item_key: row for row in connection.execute(sa.select(*columns).where(self._mine))}
        listed = {key for key, row in known.items() if row.is_listed}
        fresh = [self._item_row(item) for key, item in wanted.items() if key not in known]
        if fresh:
            connection.execute(schema.items.insert(), fresh)
        packed = {key: pack_item(item) for key, item in wanted.items() if key in known}
        moved = [
            {"moved_key": key, "new": text} for key, text in packed.items() if key not in listed or known[key].payload != text
        ]
        self._update(connection, moved, payload=sa.bindparam("new"), is_listed=True)
        gone = [{"moved_key": key} for key in sorted(listed - wanted.keys())]
        self._update(connection, gone, is_listed=False)
        kept = len(listed & wanted.keys())
        return SyncReport(added=len(wanted) - kept, kept=kept, closed=len(gone))

    def _update(self, connection: sa.Connection, rows: list[dict[str, str]], **values: Any) -> None:
        if rows:
            chosen = schema.items.update().where(self._mine, schema.items.c.item_key == sa.bindparam("moved_key"))
            connection.execute(chosen.values(**values), rows)

    def _item_row(self, item: ReviewItem) -> dict[str, Any]:
        return {
            "recipe": self.recipe,
            "item_key": item.key,
            "kind": item.kind,
            "record_key": item.record_key,
            "payload": pack_item(item),
            "is_listed": True,
            "opened_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "human_sequence": 0,
            "automatic_sequence": 0,
        }

    def settings(self) -> QueueSettings:
        """Return what the recipe said when its items were last synced."""
        with self.database.read() as connection:
            return self._settings(connection)

    def next_item(self, after: str | None = None, *, kind: str | None = None) -> QueueEntry | None:
        """Return the first open item behind `after` in key order, starting over at the end; None if all are decided."""
        with self.database.read() as connection:
            settings = self._settings(connection)
            chosen = [*self._status("open", settings.accept), *([schema.items.c.kind == kind] if kind else [])]
            query = sa.select(schema.items).where(*chosen).order_by(schema.items.c.item_key).limit(1)
            rows = connection.execute(query.where(schema.items.c.item_key > after)).mappings().all() if after else []
            rows = rows or connection.execute(query).mappings().all()
            return self._entries(connection, rows, settings)[0] if rows else None

    def list_items(
        self, status: Status = "all", *, offset: int = 0, limit: int = 50, kind: str | None = None
    ) -> list[QueueEntry]:
        """Return a page of the listed items in key order."""
        with self.database.read() as connection:
            settings = self._settings(connection)
            chosen = [*self._status(status, settings.accept), *([schema.items.c.kind == kind] if kind else [])]
            query = sa.select(schema.items).where(*chosen).order_by(schema.items.c.item_key).offset(offset).limit(limit)
            return self._entries(connection, connection.execute(query).mappings().all(), settings)

    def get_item(self, item_key: str) -> QueueEntry:
        """Return one item, listed or withdrawn. Raises UnknownIdError."""
        with self.database.read() as connection:
            query = sa.select(schema.items).where(self._mine, schema.items.c.item_key == item_key)
            rows = connection.execute(query).mappings().all()
            if not rows:
                raise UnknownIdError(id=item_key)
            return self._entries(connection, rows, self._settings(connection))[0]

    def previous_item(self, item: ReviewItem) -> QueueEntry | None:
        """Return the last decided item that showed another text of the same row, if there is one."""
        newest = sa.func.greatest if not self.database.is_sqlite else sa.func.max
        order = newest(schema.items.c.human_sequence, schema.items.c.automatic_sequence)
        same = (
            schema.items.c.record_key == item.record_key,
            schema.items.c.kind == item.kind,
            schema.items.c.item_key != item.key,
        )
        with self.database.read() as connection:
            query = sa.select(schema.items).where(self._mine, *same, order > 0).order_by(order.desc()).limit(1)
            entries = self._entries(connection, connection.execute(query).mappings().all(), self._settings(connection))
            return entries[0] if entries else None

    def counts(self) -> Counts:
        """Return how many listed items there are, and how they were decided."""
        with self.database.read() as connection:
            counting = _counting(self._settings(connection).accept)
            on = (schema.verdicts.c.recipe == schema.items.c.recipe) & (schema.verdicts.c.sequence == counting)
            groups = (schema.verdicts.c.decision, schema.verdicts.c.reviewer_kind)
            query = sa.select(*groups, sa.func.count().label("num")).select_from(schema.items.outerjoin(schema.verdicts, on))
            rows = connection.execute(query.where(self._mine, schema.items.c.is_listed).group_by(*groups)).all()
        decisions: dict[str, int] = {}
        for row in sorted((row for row in rows if row.decision), key=lambda row: row.decision):
            decisions[row.decision] = decisions.get(row.decision, 0) + row.num
        return Counts(
            num_items=sum(row.num for row in rows),
            num_open=sum(row.num for row in rows if row.decision is None),
            num_human=sum(row.num for row in rows if row.reviewer_kind == "human"),
            num_automatic=sum(row.num for row in rows if row.reviewer_kind == "automatic"),
            decisions=decisions,
        )

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
        )
        return self.record([vote])[0]

    def record(self, votes: Sequence[Vote]) -> list[Verdict]:
        """Record many verdicts in one transaction, all or none.

        Raises:
            VerdictRefusedError, VerdictConflictError, ItemWithdrawnError: see `chain.append_votes`.
        """
        return self.database.write(lambda connection: append_votes(connection, self.recipe, votes))

    def current_verdicts(self, accept: Accept = "human", item_keys: Collection[str] | None = None) -> dict[str, Verdict]:
        """Return item key -> the verdict that counts, for these items (default: all that were ever decided)."""
        current = newest_verdicts(self.verdicts_after(0), accept)
        return current if item_keys is None else {key: current[key] for key in item_keys if key in current}

    def verdicts_after(self, sequence: int, *, limit: int | None = None) -> list[Verdict]:
        """Return verdicts with a higher number, oldest first. Numbers have no gaps and never appear late."""
        with self.database.read() as connection:
            chosen = (schema.verdicts.c.recipe == self.recipe, schema.verdicts.c.sequence > sequence)
            query = sa.select(schema.verdicts).where(*chosen).order_by(schema.verdicts.c.sequence).limit(limit)
            return [as_verdict(row) for row in connection.execute(query).mappings()]

    def history(self, item_key: str) -> list[Verdict]:
        """Return every verdict on an item, oldest first."""
        with self.database.read() as connection:
            chosen = (schema.verdicts.c.recipe == self.recipe, schema.verdicts.c.item_key == item_key)
            query = sa.select(schema.verdicts).where(*chosen).order_by(schema.verdicts.c.sequence)
            return [as_verdict(row) for row in connection.execute(query).mappings()]

    def audited_verdicts(self) -> tuple[list[Verdict], str]:
        """Return every verdict, oldest first, and the head of the chain, once the whole chain has been checked.

        Raises:
            LedgerTamperedError: if a row was changed, removed or put in from outside.
        """
        mine = schema.verdicts.c.recipe == self.recipe
        joined = schema.queues.outerjoin(schema.verdicts, schema.queues.c.recipe == schema.verdicts.c.recipe)
        chain = (schema.queues.c.num_verdicts, schema.queues.c.head)
        query = sa.select(schema.verdicts, *chain).select_from(joined).where(schema.queues.c.recipe == self.recipe)
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(schema.verdicts.c.sequence)).mappings().all()
            if not rows:
                rows = connection.execute(sa.select(schema.verdicts).where(mine).limit(1)).mappings().all()
        length, head = (rows[0].get("num_verdicts", 0), rows[0].get("head", "")) if rows else (0, "")
        rows = [row for row in rows if row["sequence"] is not None]
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
        row = connection.execute(sa.select(schema.queues).where(schema.queues.c.recipe == self.recipe)).one_or_none()
        return QueueSettings(policy=row.policy, accept=row.accept, rubric=row.rubric) if row else QueueSettings()

    def _status(self, status: Status, accept: Accept) -> list[sa.ColumnElement[bool]]:
        chosen = [self._mine, schema.items.c.is_listed.is_(True)]
        if status != "all":
            chosen.append(_counting(accept) == 0 if status == "open" else _counting(accept) > 0)
        return chosen

    def _entries(self, connection: sa.Connection, rows: Sequence[Any], settings: QueueSettings) -> list[QueueEntry]:
        sequences = sorted({row[name] for row in rows for name in ("human_sequence", "automatic_sequence")} - {0})
        chosen = (schema.verdicts.c.recipe == self.recipe, schema.verdicts.c.sequence.in_(sequences))
        found = {
            row["sequence"]: as_verdict(row) for row in connection.execute(sa.select(schema.verdicts).where(*chosen)).mappings()
        }
        return [
            QueueEntry(
                item=unpack_item(row["payload"]),
                is_listed=row["is_listed"],
                opened_at=row["opened_at"],
                human=found.get(row["human_sequence"]),
                automatic=found.get(row["automatic_sequence"]),
                accept=settings.accept,
            )
            for row in rows
        ]


def newest_verdicts(verdicts: Iterable[Verdict], accept: Accept) -> dict[str, Verdict]:
    """Return item key -> the verdict that counts: the newest of a person, else (if accepted) the newest automatic one."""
    human: dict[str, Verdict] = {}
    automatic: dict[str, Verdict] = {}
    for verdict in verdicts:
        (human if verdict.reviewer_kind == "human" else automatic)[verdict.key] = verdict
    return automatic | human if accept == "automatic" else human


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


_ENSURE_QUEUE = sa.text(
    "INSERT INTO review_queues (recipe, policy, accept, rubric, num_verdicts, head)"
    " VALUES (:recipe, '', '', '', 0, '') ON CONFLICT (recipe) DO NOTHING"
)


def _counting(accept: Accept) -> sa.ColumnElement[int]:
    if accept == "human":
        return schema.items.c.human_sequence
    human = schema.items.c.human_sequence
    return sa.case((human > 0, human), else_=schema.items.c.automatic_sequence)
