"""How fast a queue moves and when it will be done, from the verdicts of the last weeks and the counts beside the items.

    read_progress(queue)       Progress(days=[Day(day="2026-11-29", num=212), ...], pace=Pace(per_hour=74.0, ...), ...)

Nothing here reads all items or all verdicts each time: days are counted in an index over the time, the pace is worked out
from the newest `SAMPLE` verdicts, and what waits is read from `review_counts`. Verdicts by automatic reviewers do not count.
"""

import datetime
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from curation.review import schema
from curation.review.lots.held import Held, asked_about, read_held
from curation.review.queue import ReviewQueue
from curation.review.queue.slots import database_now
from curation.review.queue.statements import MAX_LEASE_SECONDS

DAYS = 30
SAMPLE = 5_000
MAX_GAP_SECONDS = 300.0
"""A longer pause between two verdicts of a person is no work."""
MIN_VERDICTS = 20
"""Fewer tell nothing about a pace."""
TASKS_SECONDS, QUICK_SECONDS = 60.0, 0.05
"""How long a count of tasks is kept, if it took longer than that."""
_BURST = 5
"""More verdicts of a person in one second are a bulk action, not reading."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """Votes that people gave on a day (UTC), changes of mind among them, undone ones too."""

    day: str
    num: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How fast people review."""

    per_hour: float
    """Verdicts an hour of work of one person: the median over people and days, weighted by verdicts."""
    num_verdicts: int
    """Verdicts that this rests on."""
    num_people: int
    per_active_day: float
    """Verdicts of all people together on a day on which anybody reviewed: the median of the last seven such days."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A kind or task of items."""

    name: str
    num_items: int
    num_open: int
    """Items that wait for a verdict of people."""
    num_disputed: int
    num_held: int = 0
    """Items that a lot holds back, so that nobody is asked about them; they are not among the open ones."""

    @property
    def num_decided(self) -> int:
        """Items that people decided."""
        return self.num_items - self.num_open - self.num_held


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """What the progress page shows."""

    days: list[Day]
    """The last 30 days, oldest first, those without a verdict among them."""
    pace: Pace | None
    """None while there are too few verdicts to tell."""
    votes_left: int
    """Votes that are missing: open items times overlap; partly voted items count as if one vote were there. Nothing that a
    lot holds back is among them."""
    num_disputed: int
    num_leased: int
    """Items that somebody has open at this moment."""
    kinds: list[Part]
    tasks: list[Part]
    oldest_open: tuple[str, str] | None
    """Item key and time of arrival of the open item that has waited longest."""
    num_held: int = 0
    """Items that lots hold back."""

    @property
    def hours_left(self) -> float | None:
        """Hours of work for one person at the pace so far; None if it cannot be told."""
        return self.votes_left / self.pace.per_hour if self.pace and self.pace.per_hour else None

    @property
    def days_left(self) -> float | None:
        """Days on which people review as much as on the last ones; None if it cannot be told."""
        return self.votes_left / self.pace.per_active_day if self.pace and self.pace.per_active_day else None


class ProgressReader:
    """Reads how far queues are, and keeps for a while what takes long to count in a large one. Thread-safe."""

    def __init__(self) -> None:
        self._days: dict[tuple[str, str], int] = {}
        self._tasks: dict[str, tuple[float, list[Part]]] = {}
        self._lock = threading.Lock()

    def read(self, queue: ReviewQueue, *, today: datetime.date | None = None) -> Progress:
        """Return how far a queue is and how fast it moves; in a large queue tasks may be a minute old. Raises DatabaseError."""
        day = today or datetime.datetime.now(datetime.UTC).date()
        overlap = queue.settings().overlap
        with queue.database.read() as connection:
            counts = connection.execute(sa.select(schema.counts).where(schema.counts.c.recipe == queue.recipe)).all()
            days = self._count_days(connection, queue.recipe, day)
            held = read_held(connection, queue.recipe)
            num_held, num_closed = (sum(found) for found in zip(*held.values(), strict=True)) if held else (0, 0)
            votes = sum(row.num * _missing(row.state, overlap) for row in counts)
            return Progress(
                days=days,
                pace=_work_out_pace(_newest(connection, queue.recipe), days),
                votes_left=max(0, votes - num_held * overlap + num_closed * (overlap - 1)),
                num_disputed=sum(row.num for row in counts if row.state == "disputed") - num_closed,
                num_leased=_count_leases(connection, queue.recipe),
                kinds=_parts(((row.kind, row.state, row.num) for row in counts), held),
                tasks=self._count_tasks(connection, queue.recipe, has_held=bool(held)),
                oldest_open=_oldest_open(connection, queue.recipe, has_held=bool(held)),
                num_held=num_held,
            )

    def _count_days(self, connection: sa.Connection, recipe: str, today: datetime.date) -> list[Day]:
        """Count day by day; what is older than yesterday does not change any more."""
        days = []
        for number in range(DAYS - 1, -1, -1):
            name = (today - datetime.timedelta(days=number)).isoformat()
            with self._lock:
                num = self._days.get((recipe, name))
            if num is None:
                num = _count_day(connection, recipe, name)
                if number > 1:
                    with self._lock:
                        self._days[recipe, name] = num
            days.append(Day(day=name, num=num))
        return days

    def _count_tasks(self, connection: sa.Connection, recipe: str, *, has_held: bool) -> list[Part]:
        with self._lock:
            counted_at, tasks = self._tasks.get(recipe, (-TASKS_SECONDS, []))
        now = time.monotonic()
        if now - counted_at >= TASKS_SECONDS:
            tasks = _count_tasks(connection, recipe, has_held=has_held)
            is_slow = time.monotonic() - now > QUICK_SECONDS
            with self._lock:
                self._tasks[recipe] = (now if is_slow else -TASKS_SECONDS, tasks)
        return tasks


def read_progress(queue: ReviewQueue, *, today: datetime.date | None = None) -> Progress:
    """Return how far a queue is and how fast it moves, counted anew. Raises DatabaseError."""
    return ProgressReader().read(queue, today=today)


def _missing(state: str, overlap: int) -> int:
    return {"open": overlap, "partial": max(overlap - 1, 1), "disputed": 1}.get(state, 0)


def _count_day(connection: sa.Connection, recipe: str, day: str) -> int:
    verdict = schema.verdicts.c
    chosen = (verdict.recipe == recipe, verdict.reviewer_kind == "human", verdict.decision != "undo")
    within = (verdict.created_at >= day, verdict.created_at < f"{day}~")
    return int(connection.execute(sa.select(sa.func.count()).where(*chosen, *within)).scalar_one())


def _newest(connection: sa.Connection, recipe: str) -> Sequence[Any]:
    """Return the newest verdicts of people, oldest first."""
    verdict = schema.verdicts.c
    chosen = (verdict.recipe == recipe, verdict.reviewer_kind == "human", verdict.created_at > "")
    query = sa.select(verdict.reviewer, verdict.created_at).where(*chosen).order_by(verdict.created_at.desc()).limit(SAMPLE)
    return connection.execute(query).all()[::-1]


def _work_out_pace(rows: Sequence[Any], days: Sequence[Day]) -> Pace | None:
    stretches: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        moment = datetime.datetime.fromisoformat(row.created_at).timestamp()
        stretches.setdefault((row.reviewer, row.created_at[:10]), []).append(moment)
    paces: list[tuple[float, int]] = []
    people = set()
    for (person, _), moments in stretches.items():
        at_once = Counter(moments)
        single = [moment for moment in moments if at_once[moment] <= _BURST]
        if len(single) < 2:
            continue
        paces.append((_pace_of(single), len(single)))
        people.add(person)
    num = sum(weight for _, weight in paces)
    if num < MIN_VERDICTS:
        return None
    active = [day.num for day in days if day.num][-7:]
    return Pace(
        per_hour=_weighted_median(paces),
        num_verdicts=num,
        num_people=len(people),
        per_active_day=float(statistics.median(active)) if active else 0.0,
    )


def _pace_of(moments: Sequence[float]) -> float:
    """Return verdicts an hour of one person on one day. A pause counts as the usual time for an item."""
    gaps = [late - early for early, late in zip(moments, moments[1:], strict=False)]
    working = [gap for gap in gaps if 0 <= gap <= MAX_GAP_SECONDS] or [MAX_GAP_SECONDS]
    usual = statistics.median(working)
    seconds = sum(working) + usual * (len(moments) - len(working))
    return len(moments) / max(seconds, 1.0) * 3600


def _weighted_median(values: Iterable[tuple[float, int]]) -> float:
    ordered = sorted(values)
    half, seen = sum(weight for _, weight in ordered) / 2, 0
    for value, weight in ordered:
        seen += weight
        if seen >= half:
            return value
    return 0.0


def _count_leases(connection: sa.Connection, recipe: str) -> int:
    slot, now = schema.slots.c, database_now(connection)
    live = (slot.holder > "", slot.expires_at > now, slot.expires_at <= now + MAX_LEASE_SECONDS)
    held = (slot.recipe == recipe, sa.text("done_sequence = 0 AND is_listed"), *live)
    return int(connection.execute(sa.select(sa.func.count()).where(*held)).scalar_one())


def _parts(rows: Iterable[tuple[str, str, int]], held: Mapping[str, Held]) -> list[Part]:
    """Return the parts by what is open, given (name, state, number) and name -> what lots hold back of that."""
    totals: dict[str, dict[Literal["all", "open", "disputed"], int]] = {}
    for name, state, num in rows:
        total = totals.setdefault(name, {"all": 0, "open": 0, "disputed": 0})
        total["all"] += num
        total["open"] += num if state != "decided" else 0
        total["disputed"] += num if state == "disputed" else 0
    parts = []
    for name, total in totals.items():
        back = held.get(name, Held())
        num_open, num_disputed = total["open"] - back.num, total["disputed"] - back.num_disputed
        part = Part(name=name, num_items=total["all"], num_open=num_open, num_disputed=num_disputed, num_held=back.num)
        parts += [part] if part.num_items else []
    return sorted(parts, key=lambda part: (-part.num_open, part.name))


def _count_tasks(connection: sa.Connection, recipe: str, *, has_held: bool) -> list[Part]:
    """Count in the index over task and state alone, a few bytes an item; where lots hold items back, it takes longer."""
    item = schema.items.c
    mine = (item.recipe == recipe, item.is_listed == sa.true())
    query = sa.select(item.task, item.state, sa.func.count()).group_by(item.task, item.state)
    rows = [tuple(row) for row in connection.execute(query.where(*mine))]
    if not has_held:
        return _parts(rows, {})
    asked = query.where(*mine, item.human_sequence == 0, item.item_key.in_(asked_about(recipe)))
    return _parts(rows, _held_by_task(rows, [tuple(row) for row in connection.execute(asked)]))


def _held_by_task(rows: Iterable[tuple[str, str, int]], asked: Iterable[tuple[str, str, int]]) -> dict[str, Held]:
    """Return what is held back of each task: what is not decided, without what somebody is asked about."""
    left: Counter[tuple[str, str]] = Counter({(task, state): num for task, state, num in rows if state != "decided"})
    left.subtract({(task, state): num for task, state, num in asked})
    held: dict[str, Held] = {}
    for (task, state), num in left.items():
        back = held.get(task, Held())
        held[task] = Held(back.num + num, back.num_disputed + (num if state == "disputed" else 0))
    return held


def _oldest_open(connection: sa.Connection, recipe: str, *, has_held: bool) -> tuple[str, str] | None:
    item = schema.items.c
    waiting = []
    for state in ("open", "partial"):
        chosen = [item.recipe == recipe, item.is_listed == sa.true(), item.state == state]
        chosen += [item.item_key.in_(asked_about(recipe))] if has_held else []
        query = sa.select(item.arrival, item.item_key, item.opened_at).where(*chosen).order_by(item.arrival).limit(1)
        waiting += [tuple(row) for row in connection.execute(query)]
    return min(waiting)[1:] if waiting else None


def read_parts(queue: ReviewQueue) -> tuple[list[Part], dict[str, int], dict[str, int]]:
    """Return the kinds, and how many items there are by state and by decision of people. Raises DatabaseError."""
    with queue.database.read() as connection:
        rows = connection.execute(sa.select(schema.counts).where(schema.counts.c.recipe == queue.recipe)).all()
        held = read_held(connection, queue.recipe)
    states: dict[str, int] = {}
    decisions: dict[str, int] = {}
    for row in rows:
        if row.num:
            states[row.state] = states.get(row.state, 0) + row.num
        if row.num and row.human_decision:
            decisions[row.human_decision] = decisions.get(row.human_decision, 0) + row.num
    return _parts(((row.kind, row.state, row.num) for row in rows), held), states, decisions
