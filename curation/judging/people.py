"""How far a judge agrees with people, and whether it may therefore give advice.

    found = agree_with_people({"9f...": "good"}, queue.verdicts_after(0))
    found.kappa                              0.71 [0.60, 0.81]
    advice_allowed(found, config).allowed    True

A judge that was not measured is not believed: too few labels, an undefined kappa or one below the floor all mean no advice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from curation.judging.config import JudgeConfig
from curation.judging.interval import Estimate
from curation.judging.judgements import PairJudgement, ScoreJudgement, median_score
from curation.records import Decision, Example, JudgeVote, Verdict

if TYPE_CHECKING:
    from curation.judging.report import PairReport

Label = Literal["good", "bad", "a", "b", "tie"]
"""What is compared: for an example whether its answer is good as it stands, for a pair which answer is better."""

LABELS: dict[Decision, Label] = {
    "approve": "good",
    "edit": "bad",
    "reject": "bad",
    "prefer_a": "a",
    "prefer_b": "b",
    "tie": "tie",
    "both_bad": "tie",
}


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far a judge and people agree, with 95 % intervals; whole items are drawn, however many people saw one."""

    kappa: Estimate
    ac1: Estimate
    observed: float | None
    """Share of verdicts with the same label."""
    num_items: int
    num_verdicts: int


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """Whether a judge may give advice."""

    allowed: bool
    reason: str


def label_score(judgement: ScoreJudgement, config: JudgeConfig) -> Label | None:
    """Return what a score says about an answer; None without a score."""
    if judgement.score is None:
        return None
    return "good" if judgement.score >= config.approve_from else "bad"


def label_pair(judgement: PairJudgement) -> Label | None:
    """Return which answer a judge prefers; None without a judgement."""
    return judgement.winner


def agree_with_people(labels: Mapping[str, Label | None], verdicts: Iterable[Verdict], *, seed: int = 0) -> Agreement:
    """Compare a judge with people wherever both have said something.

    Args:
        labels: review item key -> what the judge says.
        verdicts: verdicts in any order; the newest of each person on each item counts, and none that is automatic.
        seed: seed of the intervals.
    """
    from curation.judging.agreement import cohen_kappa, gwet_ac1  # loads numpy, which a page without figures does without

    said = standing_verdicts(verdict for verdict in verdicts if labels.get(verdict.key) is not None)
    items = [verdict.key for verdict in said]
    judged = [labels[key] for key in items]
    people = [LABELS[verdict.decision] for verdict in said]
    num_equal = sum(one == two for one, two in zip(judged, people, strict=True))
    return Agreement(
        kappa=cohen_kappa(judged, people, clusters=items, seed=seed),
        ac1=gwet_ac1([*zip(judged, people, strict=True)], clusters=items, seed=seed),
        observed=num_equal / len(items) if items else None,
        num_items=len(set(items)),
        num_verdicts=len(items),
    )


def standing_verdicts(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Return the newest verdict of each person on each item that was not undone; given in any order, none that is automatic."""
    newest: dict[tuple[str, str], Verdict] = {}
    for verdict in sorted(verdicts, key=lambda verdict: (verdict.key, verdict.sequence)):
        at = (verdict.key, verdict.reviewer)
        if verdict.reviewer_kind != "human":
            continue
        if verdict.decision != "undo":
            newest[at] = verdict
        elif at in newest and newest[at].sequence == verdict.supersedes:
            del newest[at]
    return [*newest.values()]


def agree_on_rows(
    examples: Iterable[Example],
    record_keys: Mapping[str, str],
    verdicts: Iterable[Verdict],
    config: JudgeConfig,
    *,
    seed: int = 0,
) -> Agreement:
    """Compare the votes that stand in rows with the verdicts of people on the same rows.

    Args:
        examples: rows, some of them with votes of this judge.
        record_keys: review item key -> key of the row that it shows.
        verdicts: as in `agree_with_people`.
        config: which judge it is, and the score from which an answer counts as good.
        seed: seed of the intervals.
    """
    said = {example.key: label_votes(example.provenance.votes, config) for example in examples}
    return agree_with_people({item: said.get(key) for item, key in record_keys.items()}, verdicts, seed=seed)


def label_votes(votes: Iterable[JudgeVote], config: JudgeConfig) -> Label | None:
    """Return what the votes of this judge say about an answer; None if it gave none. Those of others do not count."""
    mine = [vote for vote in votes if vote.judge in (config.teacher.model, f"{config.teacher.model}@{config.teacher.revision}")]
    return ("good" if median_score(mine) >= config.approve_from else "bad") if mine else None


class Floor(Protocol):
    """What is asked of a judge that may give advice; a `JudgeConfig` says it."""

    @property
    def kappa_floor(self) -> float:
        """Least agreement with people."""
        ...

    @property
    def min_labels(self) -> int:
        """Least number of items that people have decided."""
        ...


def advice_allowed(agreement: Agreement | None, config: Floor, report: "PairReport | None" = None) -> Ruling:
    """Rule whether a judge may give advice. The value of kappa decides and its interval is told; doubt means no.

    Args:
        agreement: how far the judge agrees with people; None if nobody has looked.
        config: floor, and number of labels needed.
        report: how the judge behaved in comparisons, if it made any.
    """
    if agreement is None or agreement.num_items < config.min_labels:
        num = agreement.num_items if agreement else 0
        return Ruling(allowed=False, reason=f"People have decided {num} of the judge's items; {config.min_labels} are needed.")
    if agreement.kappa.value is None:
        return Ruling(allowed=False, reason=f"Its agreement with people is {agreement.kappa}.")
    said = f"Its kappa with people is {agreement.kappa} over {agreement.num_items} items"
    if agreement.kappa.value < config.kappa_floor:
        return Ruling(allowed=False, reason=f"{said}, below the floor of {config.kappa_floor}.")
    if report is not None and report.problems:
        return Ruling(allowed=False, reason=" ".join(report.problems))
    return Ruling(allowed=True, reason=f"{said}, at or above the floor of {config.kappa_floor}.")


def give_advice(judgements: Sequence[ScoreJudgement], ruling: Ruling) -> dict[str, ScoreJudgement]:
    """Return what reviewers may be shown, by key: nothing unless the judge may give advice, and never what is flagged."""
    if not ruling.allowed:
        return {}
    return {item.key: item for item in judgements if item.status == "judged"}
