"""What each reviewer does: how much, how fast, with which decisions, how often others agree. For leads only.

    found = reviewer_statistics(queue)["Bob"]
    found.num_verdicts, found.seconds, found.decisions     412, 2.1, {"approve": 410, "reject": 2}
    found.warnings
    ("half of 412 verdicts took at most 2.1 s", "the last 200 of a run of 200 equal decisions ...")

A number here says where to look, not who is bad. Gold items count as work, and for nothing else here (see `detection.py`).
"""

import json
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from curation.records import Verdict
from curation.review.queue import ReviewQueue
from curation.review.reviewers.detection import Detection, detect, gold_results
from curation.review.reviewers.intervals import Share, share_interval
from curation.review.reviewers.ratings import RatedItem, read_ratings
from curation.review.reviewers.settings import read_settings

MIN_TIMED = 20
"""Verdicts with a known time that are needed before speed says anything."""

FAST_SECONDS = 3.0
"""A median below this is too fast to have read anything."""

RARE = 1e-4
"""A run of equal decisions that chance would give less often than this is told."""

MIN_RUN = 15


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewerStatistics:
    """What one reviewer did in a queue."""

    reviewer: str
    num_verdicts: int
    """Decisions of any role, also those that were changed or undone since; undoing is none."""
    num_adjudications: int
    first_at: str
    last_at: str
    per_day: Mapping[str, int]
    """Day (UTC) -> verdicts, in order."""
    per_active_hour: float
    """Verdicts for each hour of the clock in which there was one."""
    seconds: float | None
    """Median time on the screen, in seconds; None if no verdict tells."""
    decisions: Mapping[str, int]
    """Decision -> verdicts, the most frequent first."""
    agreement: Share
    """Of their standing votes, each compared with that of each other reviewer of the item: how many are equal."""
    overruled: Share
    """Of their votes that an adjudicator looked at: how many came out differently."""
    longest_run: int
    """Most equal decisions one after the other."""
    detection: Detection | None
    """None until they have seen a gold item."""
    warnings: tuple[str, ...]


def reviewer_statistics(queue: ReviewQueue) -> dict[str, ReviewerStatistics]:
    """Return reviewer -> what they did, sorted by name. Raises DatabaseError."""
    found = detect(gold_results(queue), floor=read_settings(queue).gold_floor)
    return summarise(queue.verdicts_after(0), read_ratings(queue), found)


def summarise(
    verdicts: Iterable[Verdict], rated: Sequence[RatedItem], detections: Mapping[str, Detection]
) -> dict[str, ReviewerStatistics]:
    """Return reviewer -> what they did, from all verdicts (oldest first), standing votes and gold."""
    by_reviewer: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.reviewer_kind == "human" and verdict.decision != "undo":
            by_reviewer.setdefault(verdict.reviewer, []).append(verdict)
    everything = Counter((str(verdict.decision), name) for name, said in by_reviewer.items() for verdict in said)
    agreement, overruled = _agreement(rated), _overruled(rated)
    nothing = share_interval(0, 0)
    return {
        name: _summarise(
            name,
            said,
            _expected(name, everything),
            agreement=agreement.get(name, nothing),
            overruled=overruled.get(name, nothing),
            detection=detections.get(name),
        )
        for name, said in sorted(by_reviewer.items())
    }


def _summarise(
    name: str,
    said: list[Verdict],
    expected: Mapping[str, float],
    *,
    agreement: Share,
    overruled: Share,
    detection: Detection | None,
) -> ReviewerStatistics:
    seconds = [found for verdict in said if (found := _seconds(verdict)) > 0]
    median = statistics.median(seconds) if seconds else None
    length, decision = longest_run([verdict.decision for verdict in said])
    hours = {verdict.created_at[:13] for verdict in said}
    return ReviewerStatistics(
        reviewer=name,
        num_verdicts=len(said),
        num_adjudications=sum(verdict.role == "adjudication" for verdict in said),
        first_at=said[0].created_at,
        last_at=said[-1].created_at,
        per_day=dict(sorted(Counter(verdict.created_at[:10] for verdict in said).items())),
        per_active_hour=len(said) / len(hours),
        seconds=median,
        decisions=dict(Counter(verdict.decision for verdict in said).most_common()),
        agreement=agreement,
        overruled=overruled,
        longest_run=length,
        detection=detection,
        warnings=tuple(_warn(len(said), seconds, length, decision, expected.get(decision, 0.5), detection)),
    )


def _seconds(verdict: Verdict) -> float:
    return float(json.loads(verdict.details).get("seconds", 0.0)) if verdict.details else 0.0


def _warn(
    num: int, seconds: list[float], run: int, decision: str, expected: float, detection: Detection | None
) -> Iterable[str]:
    if len(seconds) >= MIN_TIMED and statistics.median(seconds) < FAST_SECONDS:
        yield f"too fast: half of {len(seconds):,} verdicts took {statistics.median(seconds):.1f} s or less"
    chance = chance_of_run(num, run, expected)
    if run >= MIN_RUN and chance < RARE:
        name = decision.replace("_", " ")
        yield f"{run:,} times '{name}' in a row, where others choose it for {expected:.0%}: hardly chance"
    if detection is not None and detection.is_failing:
        yield f"gold: {detection.reason}"


def _expected(name: str, everything: Mapping[tuple[str, str], int]) -> dict[str, float]:
    """Return decision -> its share among what others said (of everybody's if there is nobody else), never 0 or 1."""
    others = {at: num for at, num in everything.items() if at[1] != name} or everything
    counts: Counter[str] = Counter()
    for (decision, _), num in others.items():
        counts[decision] += num
    total = sum(counts.values())
    decisions = {decision for decision, _ in everything}
    return {decision: (counts[decision] + 1) / (total + 2) for decision in decisions}


def longest_run(decisions: Sequence[str]) -> tuple[int, str]:
    """Return the length of the longest run of equal decisions, and the decision; 0 and nothing for none."""
    best, length = (0, ""), 0
    for at, decision in enumerate(decisions):
        length = length + 1 if at and decisions[at - 1] == decision else 1
        best = max(best, (length, decision), key=lambda found: found[0])
    return best


def chance_of_run(num: int, length: int, share: float) -> float:
    """Return an upper bound of the chance of `length` equal decisions in a row among `num`, each made with this share."""
    if length == 0:
        return 1.0
    starts = 1 + (num - length) * (1 - share)  # a run starts at the first decision, or after another one
    return min(1.0, starts * math.pow(share, length))


def _agreement(rated: Iterable[RatedItem]) -> dict[str, Share]:
    equal: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for item in rated:
        counts = Counter(item.by_reviewer.values())
        num_others = len(item.by_reviewer) - 1
        for name, decision in item.by_reviewer.items():
            equal[name] += counts[decision] - 1
            total[name] += num_others
    return {name: share_interval(equal[name], num) for name, num in total.items()}


def _overruled(rated: Iterable[RatedItem]) -> dict[str, Share]:
    overruled: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for item in rated:
        if item.adjudication is not None:
            for name, decision in item.by_reviewer.items():
                total[name] += 1
                overruled[name] += decision != item.adjudication.decision
    return {name: share_interval(overruled[name], num) for name, num in total.items()}
