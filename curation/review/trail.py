"""The audit trail: every verdict of a queue, newest first, in pages; and whether the chain that holds it is intact.

    read_trail(queue, Wanted(reviewer="Ada"))        TrailPage(entries=[Entry(verdict=..., hash="7c...")], next=790)
    ChainWatch().start(queue)                        ChainState(status="running", num_checked=20_000, num_verdicts=812_000)

A verdict was never changed if its hash is what it says and the chain over all of them ends in the head that the queue
keeps; `ChainWatch` checks that in a thread and remembers the outcome until the process ends.
"""

import csv
import datetime
import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import sqlalchemy as sa

from curation.errors import LedgerTamperedError, TunewrightError
from curation.records import Verdict
from curation.review import schema
from curation.review.exchange.audit import follow_chain
from curation.review.exchange.csv_cells import neutralise
from curation.review.queue import ReviewQueue
from curation.review.queue.chain import as_verdict

PAGE_SIZE = 100
BUDGET = 20_000
"""Verdicts that are looked at for one page."""
_CHUNK = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which verdicts; empty fields do not filter. Days are in UTC."""

    reviewer: str = ""
    decision: str = ""
    item_key: str = ""
    since: str = ""
    """First day."""
    until: str = ""
    """Last day, which is included."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One verdict in the trail."""

    verdict: Verdict
    hash: str
    previous_hash: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TrailPage:
    """One page of the trail."""

    entries: list[Entry]
    next: int = 0
    """The next page holds what is numbered lower; 0 at the end."""
    is_cut: bool = False
    """The page looked at `BUDGET` verdicts and found no more than these; there may be older ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChainState:
    """What is known about the chain."""

    status: Literal["unknown", "running", "intact", "broken", "failed"] = "unknown"
    num_checked: int = 0
    num_verdicts: int = 0
    checked_at: str = ""
    checked_by: str = ""
    head: str = ""
    problem: str = ""


def read_trail(
    queue: ReviewQueue, wanted: Wanted, *, before: int = 0, limit: int = PAGE_SIZE, budget: int = BUDGET
) -> TrailPage:
    """Return verdicts, the newest first, with numbers below `before` (0: all). Raises DatabaseError."""
    entries: list[Entry] = []
    num_left, number = budget, schema.verdicts.c.sequence
    order = (number + 0 if wanted.item_key else number).desc()  # of one item there are few: sort them, do not walk the rest
    with queue.database.read() as connection:
        last = _bound(connection, queue.recipe, wanted.until, before)
        while num_left:
            size = min(num_left, limit + 1 if num_left == budget else _CHUNK)
            query = sa.select(schema.verdicts).where(*_indexed(queue.recipe, wanted, last)).order_by(order).limit(size)
            rows = connection.execute(query).mappings().all()
            for row in rows:
                if _fits(row, wanted):
                    if len(entries) == limit:
                        return TrailPage(entries=entries, next=entries[-1].verdict.sequence)
                    entries.append(_entry(row))
                elif wanted.since and row["created_at"][:10] < wanted.since:
                    return TrailPage(entries=entries)
            if len(rows) < size:
                return TrailPage(entries=entries)
            last, num_left = rows[-1]["sequence"], num_left - size
    return TrailPage(entries=entries, next=last, is_cut=True)


def each_entry(queue: ReviewQueue, wanted: Wanted) -> Iterator[Entry]:
    """Yield every verdict that is wanted, oldest first, without holding them all. Raises DatabaseError."""
    last = 0
    while True:
        with queue.database.read() as connection:
            chosen = (*_indexed(queue.recipe, wanted, 0), schema.verdicts.c.sequence > last)
            query = sa.select(schema.verdicts).where(*chosen).order_by(schema.verdicts.c.sequence).limit(_CHUNK)
            rows = connection.execute(query).mappings().all()
        yield from (_entry(row) for row in rows if _fits(row, wanted))
        if len(rows) < _CHUNK:
            return
        last = rows[-1]["sequence"]


def _indexed(recipe: str, wanted: Wanted, high: int) -> list[sa.ColumnElement[bool]]:
    table = schema.verdicts.c
    chosen = [table.recipe == recipe]
    chosen += [table.item_key == wanted.item_key] if wanted.item_key else []
    chosen += [table.reviewer == wanted.reviewer] if wanted.reviewer else []
    return chosen + ([table.sequence < high] if high else [])


def _fits(row: Any, wanted: Wanted) -> bool:
    day = row["created_at"][:10]
    in_time = (not wanted.since or day >= wanted.since) and (not wanted.until or day <= wanted.until)
    return in_time and wanted.decision in ("", row["decision"])


def _bound(connection: sa.Connection, recipe: str, until: str, before: int) -> int:
    """Return the number below which verdicts of the last day wanted, or older ones, lie (0: no bound)."""
    if not until:
        return before
    table = schema.verdicts.c
    following = []
    for kind in ("human", "automatic"):
        chosen = (table.recipe == recipe, table.reviewer_kind == kind, table.created_at > f"{until}T~")
        query = sa.select(table.created_at, table.sequence).where(*chosen).order_by(table.created_at).limit(1)
        found = connection.execute(query)
        following += [row.sequence for row in found]
    return min([bound for bound in (before, *following) if bound], default=0)


def _entry(row: Any) -> Entry:
    return Entry(verdict=as_verdict(row), hash=row["hash"], previous_hash=row["previous_hash"])


# -- downloads ----------------------------------------------------------------------------------------------------

_COLUMNS = (
    "sequence", "created_at", "reviewer", "reviewer_kind", "role", "decision", "key", "reason", "supersedes", "edited_answer",
    "details", "hash", "previous_hash",
)  # fmt: skip


def as_csv(entries: Iterator[Entry]) -> Iterator[bytes]:
    """Yield the trail as a CSV file in UTF-8; no cell is one that a spreadsheet calculates."""
    yield _csv_line(_COLUMNS)
    for entry in entries:
        row = _row(entry)
        yield _csv_line([neutralise(str(row[name])) for name in _COLUMNS])


def as_jsonl(entries: Iterator[Entry]) -> Iterator[bytes]:
    """Yield the trail as one line of JSON a verdict."""
    for entry in entries:
        yield json.dumps(_row(entry)).encode() + b"\n"


def _row(entry: Entry) -> dict[str, Any]:
    return asdict(entry.verdict) | {"hash": entry.hash, "previous_hash": entry.previous_hash}


def _csv_line(cells: Any) -> bytes:
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL).writerow(cells)
    return file.getvalue().encode("utf-8", "replace")


# -- the chain ----------------------------------------------------------------------------------------------------


class ChainWatch:
    """Checks chains in threads, one at a time for each recipe, and remembers the outcomes. Thread-safe."""

    def __init__(self) -> None:
        self._states: dict[str, ChainState] = {}
        self._lock = threading.Lock()

    def state(self, recipe: str) -> ChainState:
        """Return what is known about a recipe's chain."""
        with self._lock:
            return self._states.get(recipe, ChainState())

    def start(self, queue: ReviewQueue, person: str, *, wait_seconds: float = 0.5) -> ChainState:
        """Check a chain unless that is under way, and return what is known after a moment."""
        with self._lock:
            if self._states.get(queue.recipe, ChainState()).status == "running":
                return self._states[queue.recipe]
            self._states[queue.recipe] = ChainState(status="running", checked_by=person)
        thread = threading.Thread(target=self._check, args=(queue, person), name="chain-check", daemon=True)
        thread.start()
        thread.join(wait_seconds)
        return self.state(queue.recipe)

    def _set(self, recipe: str, **values: Any) -> None:
        with self._lock:
            self._states[recipe] = replace(self._states[recipe], **values)

    def _check(self, queue: ReviewQueue, person: str) -> None:
        try:
            head = self._walk(queue)
        except LedgerTamperedError as error:
            self._set(queue.recipe, status="broken", problem=str(error), checked_at=_now())
        except Exception as error:  # whatever it was, nobody may wait for this thread, and the check can be started again
            problem = str(error) if isinstance(error, TunewrightError) else f"{type(error).__name__}: {error}"
            self._set(queue.recipe, status="failed", problem=problem, checked_at=_now())
        else:
            self._set(queue.recipe, status="intact", head=head, checked_at=_now())

    def _walk(self, queue: ReviewQueue) -> str:
        chain = schema.queues.c
        with queue.database.snapshot() as connection:
            query = sa.select(chain.num_verdicts, chain.head).where(chain.recipe == queue.recipe)
            found = connection.execute(query).one_or_none()
            length, head = (found.num_verdicts, found.head) if found else (0, "")
            self._set(queue.recipe, num_verdicts=length)
            follow_chain(connection, queue.recipe, length=length, head=head, watch=self._watch(queue.recipe))
        return head

    def _watch(self, recipe: str) -> Callable[[int], None]:
        return lambda num: self._set(recipe, num_checked=num)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
