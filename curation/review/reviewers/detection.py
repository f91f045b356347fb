"""How often a reviewer is right where the right decision is known. For leads only.

    found = detect(gold_results(queue), floor=0.7)["Ada"]
    found.share                     83% [55%, 95%] of 12
    found.is_failing, found.reason  False, ""

The first thing that somebody says about a gold item counts, whatever they say later. What the person says who knows the
answer because they set the item does not count.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from curation.records import Decision
from curation.review import schema
from curation.review.queue import ReviewQueue
from curation.review.reviewers import tables
from curation.review.reviewers.intervals import Share, share_interval

MIN_GOLD = 10
"""Gold items that a reviewer must have seen before their share is held against the floor."""

RECENT = 20
"""Newest gold items of a reviewer in which failures are counted besides."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GoldResult:
    """What a reviewer first said about a gold item."""

    reviewer: str
    item_key: str
    sequence: int
    decision: Decision
    is_right: bool
    damage: str
    created_at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Detection:
    """How often a reviewer was right, and whether that is too seldom."""

    reviewer: str
    share: Share
    missed: dict[str, int]
    """Damage -> how often it was not noticed, sorted by name; undamaged items count as `gold`."""
    num_recent_failures: int
    """Failures among the newest `RECENT`."""
    last_right: int
    """Sequence of the last right verdict on gold before the newest failure; 0 if there is none."""
    is_failing: bool
    reason: str


def gold_results(queue: ReviewQueue) -> list[GoldResult]:
    """Return what reviewers first said about each gold item, in the order of their verdicts. Raises DatabaseError."""
    gold, verdict = tables.gold.c, schema.verdicts.c
    both = tables.gold.join(schema.verdicts, (gold.recipe == verdict.recipe) & (gold.item_key == verdict.item_key))
    chosen = (
        gold.recipe == queue.recipe,
        verdict.reviewer_kind == "human",
        sa.func.coalesce(verdict.role, "review") == "review",
        verdict.decision != "undo",
        verdict.reviewer != gold.set_by,
    )
    columns = (verdict.reviewer, verdict.item_key, verdict.sequence, verdict.decision, verdict.created_at)
    query = sa.select(*columns, gold.expected, gold.damage).select_from(both).where(*chosen).order_by(verdict.sequence)
    with queue.database.read() as connection:
        rows = connection.execute(query).mappings().all()
    first: dict[tuple[str, str], GoldResult] = {}
    for row in rows:
        result = GoldResult(
            reviewer=row["reviewer"],
            item_key=row["item_key"],
            sequence=row["sequence"],
            decision=row["decision"],
            is_right=row["decision"] in json.loads(row["expected"]),
            damage=row["damage"] or "gold",
            created_at=row["created_at"],
        )
        first.setdefault((result.reviewer, result.item_key), result)
    return list(first.values())


def detect(results: Iterable[GoldResult], *, floor: float) -> Mapping[str, Detection]:
    """Return reviewer -> how often they were right, sorted by name. Takes results in the order of their verdicts."""
    by_reviewer: dict[str, list[GoldResult]] = {}
    for result in results:
        by_reviewer.setdefault(result.reviewer, []).append(result)
    return {reviewer: _detect(reviewer, mine, floor) for reviewer, mine in sorted(by_reviewer.items())}


def allowed_failures(floor: float) -> int:
    """Return how many of `RECENT` gold items a reviewer may get wrong."""
    return math.floor((1 - floor) * RECENT + 1e-9)


def _detect(reviewer: str, results: list[GoldResult], floor: float) -> Detection:
    failures = [result for result in results if not result.is_right]
    recent = sum(not result.is_right for result in results[-RECENT:])
    newest = failures[-1].sequence if failures else 0
    right_before = [result.sequence for result in results if result.is_right and result.sequence < newest]
    share = share_interval(len(results) - len(failures), len(results))
    reason = _reason(share, recent, floor)
    return Detection(
        reviewer=reviewer,
        share=share,
        missed=dict(sorted(Counter(result.damage for result in failures).items())),
        num_recent_failures=recent,
        last_right=right_before[-1] if right_before else 0,
        is_failing=bool(reason),
        reason=reason,
    )


def _reason(share: Share, num_recent_failures: int, floor: float) -> str:
    if share.num >= MIN_GOLD and share.value is not None and share.value < floor:
        return f"right on {share.value:.0%} of {share.num} items with a known decision; the floor is {floor:.0%}"
    if num_recent_failures > allowed_failures(floor):
        return f"wrong on {num_recent_failures} of the newest {min(RECENT, share.num)}; {allowed_failures(floor)} are allowed"
    return ""
