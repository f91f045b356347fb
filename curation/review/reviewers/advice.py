"""What a judge says about an item, shown only once the reviewer has voted, and only if the judge is believed.

    advice_for(item, own=None, ruling=ruling, settings=settings)          None: blind first
    advice_for(item, own=approve, ruling=ruling, settings=settings)       Advice(label="bad", agrees=False, votes=(...), ...)

Judge votes travel in the provenance of an item (`item.provenance.votes`), which is no part of its key. How far each judge
agrees with people follows from the verdicts, so nothing has to be recorded besides: `agreement_by_judge`.
"""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from curation.judging.people import LABELS, Agreement, Label, Ruling, advice_allowed, agree_with_people
from curation.records import JudgeVote, ReviewItem, Verdict
from curation.review.items import is_gold
from curation.review.reviewers.settings import ReviewerSettings

NO_JUDGE = Ruling(allowed=False, reason="The recipe has no judge.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    """What a judge and the automatic reviewers say about an item that the reader has voted on."""

    label: Label | None
    """What the judge says: of an example `good` or `bad`, of a pair `a`, `b` or `tie`; None if only a rule said something."""
    score: float | None
    """Median of its scores (examples)."""
    agrees: bool | None
    """Whether the reader said the same; None if the judge said nothing."""
    votes: tuple[JudgeVote, ...]
    automatic: Verdict | None
    automatic_agrees: bool | None
    reason: str
    """Why the judge is believed: its agreement with people."""


def advice_for(
    item: ReviewItem, *, own: Verdict | None, ruling: Ruling, settings: ReviewerSettings, automatic: Verdict | None = None
) -> Advice | None:
    """Return what may be shown to a reviewer: nothing before they have voted, nothing of a judge that is not believed.

    Args:
        item: what they look at.
        own: their standing vote on it.
        ruling: whether the judge may give advice (`advice_allowed`, `rule`).
        settings: from which score an answer counts as good.
        automatic: the newest verdict of the automatic reviewers.
    """
    if own is None or own.decision not in LABELS:
        return None
    votes = item.provenance.votes if ruling.allowed else ()
    label = label_item(item, settings.approve_from) if votes else None
    if label is None and automatic is None:
        return None
    said = LABELS[own.decision]
    return Advice(
        label=label,
        score=statistics.median(vote.score for vote in votes) if votes and item.kind == "example" else None,
        agrees=None if label is None else label == said,
        votes=votes,
        automatic=automatic,
        automatic_agrees=None if automatic is None else LABELS[automatic.decision] == said,
        reason=ruling.reason,
    )


def label_item(item: ReviewItem, approve_from: float, judge: str = "") -> Label | None:
    """Return what the votes on an item (of this judge, or of all) come to; None if there are none."""
    votes = [vote for vote in item.provenance.votes if not judge or vote.judge == judge]
    if item.kind == "pair":
        votes = comparisons(votes)
        return _prefer(votes) if votes else None
    return ("good" if statistics.median(vote.score for vote in votes) >= approve_from else "bad") if votes else None


def comparisons(votes: Iterable[JudgeVote]) -> list[JudgeVote]:
    """Return the votes that compare the two answers of a pair: 1 for answer A, 0 for B, 0.5 for neither.

    The scores of the single answers stand beside them, marked as such (see `synthesis.preferences.best_of_n`).
    """
    return [vote for vote in votes if not vote.reason.startswith(("[chosen]", "[rejected]"))]


def _prefer(votes: list[JudgeVote]) -> Label:
    share = statistics.fmean(min(max(vote.score, 0.0), 1.0) for vote in votes)
    return "a" if share > 0.5 else "b" if share < 0.5 else "tie"


def agreement_by_judge(
    items: Iterable[ReviewItem], verdicts: Iterable[Verdict], approve_from: float, *, seed: int = 0
) -> dict[tuple[str, str], Agreement]:
    """Return (judge, template) -> how far they agree with people, sorted.

    Args:
        items: what was reviewed; gold items are left out.
        verdicts: verdicts in any order; the newest of each person on each item counts.
        approve_from: score from which an answer counts as good.
        seed: seed of the intervals.
    """
    labels: dict[tuple[str, str], dict[str, Label | None]] = {}
    for item in items:
        if is_gold(item.record_key):
            continue
        for judge in sorted({vote.judge for vote in item.provenance.votes}):
            mine = labels.setdefault((judge, item.provenance.template_id), {})
            mine[item.key] = label_item(item, approve_from, judge)
    said = [verdict for verdict in verdicts if verdict.decision in LABELS]
    return {at: agree_with_people(labels[at], said, seed=seed) for at in sorted(labels)}


def judge_agreement(items: Iterable[ReviewItem], verdicts: Iterable[Verdict], approve_from: float) -> Agreement:
    """Return how far the judges of a queue, taken together, agree with people. Arguments as in `agreement_by_judge`."""
    labels = {item.key: label_item(item, approve_from) for item in items if not is_gold(item.record_key)}
    return agree_with_people(labels, [verdict for verdict in verdicts if verdict.decision in LABELS])


def rule(agreement: Agreement | None, settings: ReviewerSettings) -> Ruling:
    """Rule whether the judge of a recipe may give advice, by what the recipe says."""
    return advice_allowed(agreement, settings) if settings.has_judge else NO_JUDGE


def priorities(items: Iterable[ReviewItem], *, approve_from: float, lowest: float, highest: float) -> Mapping[str, float]:
    """Return item key -> rank (higher first): where judges disagree, then where they are unsure, then the newest (0).

    Disagreement gives more than 1 (all the more the closer to half against half), closeness of the median to the limit
    up to 1.
    """
    return {item.key: _priority(item, approve_from, max(highest - lowest, 1e-9)) for item in items}


def _priority(item: ReviewItem, approve_from: float, width: float) -> float:
    is_pair = item.kind == "pair"
    votes = comparisons(item.provenance.votes) if is_pair else list(item.provenance.votes)
    if not votes:
        return 0.0
    limit, width = (0.5, 0.5) if is_pair else (approve_from, width)
    sides = [(vote.score > limit) - (vote.score < limit) if is_pair else int(vote.score >= limit) for vote in votes]
    largest = max(sides.count(side) for side in sides)
    if largest < len(sides):
        return 1.0 + (len(sides) - largest) / len(sides)
    return max(0.0, 1.0 - abs(statistics.median(vote.score for vote in votes) - limit) / width)
