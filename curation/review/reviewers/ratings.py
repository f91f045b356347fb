"""What reviewers said about items, as a matrix: one row an item, one column a reviewer, blank where somebody did not vote.

    found = read_ratings(queue)
    found[0].kind, found[0].by_reviewer       "pair", {"Ada": "prefer_a", "Bob": "tie"}

Only votes that stand count, as they were before any adjudication; gold items and automatic verdicts are left out.
"""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from curation.records import Decision, Verdict
from curation.review import schema
from curation.review.items import GOLD_PREFIX
from curation.review.queue import ReviewQueue
from curation.review.queue.resolution import resolve, standing


@dataclass(frozen=True, kw_only=True, slots=True)
class RatedItem:
    """The standing votes on one item."""

    item_key: str
    kind: str
    task: str
    week: str
    """Of the newest vote, as in ISO 8601: `2026-W48`."""
    by_reviewer: Mapping[str, Decision]
    is_disputed: bool
    """The votes of its reviewers differ, so that it goes (or went) to an adjudicator."""
    adjudication: Verdict | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """What is known of an item beside its verdicts."""

    kind: str
    task: str


def read_ratings(queue: ReviewQueue) -> list[RatedItem]:
    """Return the items of a queue on which somebody's vote stands, sorted by key. Raises DatabaseError."""
    item = schema.items.c
    voted = (item.recipe == queue.recipe, item.last_sequence > 0)
    query = sa.select(item.item_key, item.kind, item.task).where(*voted)
    query = query.where(~item.record_key.startswith(GOLD_PREFIX, autoescape=True))
    with queue.database.read() as connection:
        shown = {row.item_key: Shown(kind=row.kind, task=row.task) for row in connection.execute(query)}
    return rate(queue.verdicts_after(0), shown, overlap=queue.settings().overlap)


def rate(verdicts: Iterable[Verdict], shown: Mapping[str, Shown], *, overlap: int) -> list[RatedItem]:
    """Return the items in `shown` on which a vote stands. Takes verdicts oldest first."""
    said: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.reviewer_kind == "human" and verdict.key in shown:
            said.setdefault(verdict.key, []).append(verdict)
    rated = (_rate(key, said[key], shown[key], overlap) for key in sorted(said))
    return [item for item in rated if item is not None]


def _rate(key: str, verdicts: list[Verdict], shown: Shown, overlap: int) -> RatedItem | None:
    votes = [vote for vote in standing(verdicts) if vote.role == "review"]
    if not votes:
        return None
    outcome = resolve(verdicts, overlap)
    before = resolve(votes, overlap) if outcome.adjudication else outcome
    return RatedItem(
        item_key=key,
        kind=shown.kind,
        task=shown.task,
        week=week_of(votes[-1].created_at),
        by_reviewer={vote.reviewer: vote.decision for vote in votes},
        is_disputed=before.state == "disputed",
        adjudication=outcome.adjudication,
    )


def week_of(moment: str) -> str:
    """Return the ISO 8601 week of a time in ISO format: `2026-W48`."""
    year, week, _ = datetime.datetime.fromisoformat(moment).isocalendar()
    return f"{year}-W{week:02d}"
