"""How far a queue is, how fast it goes, and who works on it.

read_stats(database, "sdk_assistant", now)     QueueStats(counts=Counts(...), num_day=312, reviewers=(ReviewerStats(...),), ...)
"""

import datetime
from dataclasses import dataclass

import sqlalchemy as sa

from curation.database import Database
from curation.review import schema
from curation.review.queue import Counts, ReviewQueue

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewerStats:
    """What one reviewer has done."""

    reviewer: str
    kind: str
    """human or automatic."""
    num_verdicts: int
    num_week: int
    """In the last seven days."""
    last_at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueStats:
    """One queue."""

    recipe: str
    counts: Counts
    states: dict[str, int]
    """State -> listed items; `held` are those that lots hold back, whatever their votes come to."""
    num_day: int
    """Verdicts of people in the last 24 hours."""
    num_week: int
    days_left: float | None
    """At the pace of the last seven days; None if nobody has decided anything in them."""
    reviewers: tuple[ReviewerStats, ...]


def read_stats(database: Database, recipe: str, now: datetime.datetime) -> QueueStats:
    """Return what is known of a queue. Raises DatabaseError."""
    day, week = ((now - span).isoformat(timespec="seconds") for span in (DAY, 7 * DAY))
    table, count = schema.verdicts.c, schema.counts.c
    recent = sa.func.sum(sa.case((table.created_at >= week, 1), else_=0))
    today = sa.func.sum(sa.case((table.created_at >= day, 1), else_=0))
    query = sa.select(table.reviewer, table.reviewer_kind, sa.func.count(), recent, today, sa.func.max(table.created_at))
    chosen = (table.recipe == recipe, table.decision != "undo")
    states = sa.select(count.state, sa.func.sum(count.num)).where(count.recipe == recipe).group_by(count.state)
    with database.read() as connection:
        rows = connection.execute(query.where(*chosen).group_by(table.reviewer, table.reviewer_kind)).all()
        by_state = {str(row[0]): int(row[1]) for row in connection.execute(states.order_by(count.state)) if row[1]}
    counts = ReviewQueue(database, recipe).counts()
    if counts.num_held:
        by_state = _with_held(by_state, counts)
    people = [row for row in rows if row[1] == "human"]
    num_week = sum(int(row[3]) for row in people)
    return QueueStats(
        recipe=recipe,
        counts=counts,
        states=by_state,
        num_day=sum(int(row[4]) for row in people),
        num_week=num_week,
        days_left=round(counts.num_open / num_week * 7, 1) if num_week else None,
        reviewers=tuple(
            ReviewerStats(reviewer=row[0], kind=row[1], num_verdicts=row[2], num_week=int(row[3]), last_at=row[5])
            for row in sorted(rows, key=lambda row: (row[1] != "human", -row[2], row[0]))
        ),
    )


def _with_held(by_state: dict[str, int], counts: Counts) -> dict[str, int]:
    """Take what lots hold back out of the states: closed disputes, and open items (partly voted ones count as open)."""
    num_closed = by_state.get("disputed", 0) - counts.num_disputed
    left = by_state | {"disputed": counts.num_disputed, "held": counts.num_held}
    rest = counts.num_held - num_closed
    for state in ("open", "partial"):
        taken = min(rest, left.get(state, 0))
        left[state], rest = left.get(state, 0) - taken, rest - taken
    return {state: num for state, num in sorted(left.items()) if num}
