"""What the judges' rows come to: how each judge behaved, whether it is to be believed, win rates, and a verdict.

    summary = summarise(rows, labels, config, confidence=0.95, samples=2000, seed=0)
    summary.win_rates[0].controlled          0.61: the candidate's win rate against the base at equal length
    summary.judges[0].reason                 "Its kappa with people is 0.710 [0.600, 0.810] over 120 items, ..."
    summary.verdict, summary.reason          "pass", "The judges prefer the candidate to the base in 61.0 % of 400 pairs ..."

Only judges that are to be believed vote; while there is none, all do, what they say is advice, and the verdict is `undecided`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from curation.config import as_plain
from curation.ids import content_hash
from curation.judging.config import JudgeConfig
from curation.judging.interval import Estimate
from curation.judging.judgements import PairJudgement, PairVote, judge_rounds
from curation.judging.people import advice_allowed
from curation.judging.prompts import pair_template
from curation.judging.report import report_pairs
from evaluation.judge.config import CHAMPION, PairwiseConfig, judge_name
from evaluation.judge.labels import agreement_of
from evaluation.judge.pairs import SIDES
from evaluation.judge.records import JudgedLabel, JudgedPair, JudgeReply
from evaluation.judge.win_rate import Verdict, WinRate, combine_votes, measure_wins

NUM_FAULTS = 3
"""Kinds of faults that are told, the most frequent first."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Why pairs have no judgement, and how many."""

    detail: str
    num: int


@dataclass(frozen=True, kw_only=True)
class JudgeFigures:
    """One judge: what it is, pinned, and how it behaved."""

    judge: str
    model: str
    revision: str
    endpoint: str
    template_hash: str
    """Hash of the whole prompt but the data: instructions, rubric, schema of the reply."""
    votes: int
    num_pairs: int
    num_judged: int
    num_flagged: int
    """Pairs not shown to it, since one of their texts speaks to the judge."""
    num_failed: int
    num_rounds: int
    flip_share: float
    first_share: float
    """Share of the replies for one place that named the first; 0.5 is fair."""
    tie_share: float
    length_slope: float
    length_slope_error: float
    length_correlation: float
    kappa: Estimate
    ac1: Estimate
    num_labels: int
    """Pairs that people decided and the judge as well."""
    num_verdicts: int
    faults: tuple[Fault, ...]
    may_gate: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class JudgeSummary:
    """Everything that the report shows of the judges and that a release computes again. Plain values, so it survives JSON."""

    judges: tuple[JudgeFigures, ...]
    voting: tuple[str, ...]
    """The judges whose votes the win rates rest on."""
    win_rates: tuple[WinRate, ...]
    """One an opponent, then one an opponent and task where there are several tasks."""
    rate: str
    may_gate: bool
    """Whether the judges are to be believed."""
    gates: bool
    """Whether a release needs them."""
    verdict: Verdict
    reason: str

    def against(self, opponent: str, task: str = "") -> WinRate | None:
        """Return the win rate against an opponent (on one task), or None if nothing was judged."""
        return next((item for item in self.win_rates if (item.opponent, item.task) == (opponent, task)), None)

    def as_json(self) -> dict[str, Any]:
        """Return plain dicts, lists and scalars."""
        plain: dict[str, Any] = as_plain(self)
        return plain

    def hash(self) -> str:
        """Return the content hash, by which evidence names it."""
        return content_hash(self.as_json())


def summarise(
    rows: Sequence[JudgedPair],
    labels: Sequence[JudgedLabel],
    config: PairwiseConfig,
    *,
    confidence: float,
    samples: int,
    seed: int,
) -> JudgeSummary:
    """Return what the rows of all judges and opponents come to.

    Args:
        rows: what every judge said of every pair.
        labels: what every judge said of pairs that people decided.
        config: the judges, and what they have to show.
        confidence: of the intervals of win rates; those of kappa are 95 %.
        samples: resamples of the intervals of win rates.
        seed: seed of all resampling.
    """
    judges = tuple(_judge_figures(judge, rows, labels, config, seed) for judge in config.judges)
    believed = tuple(figures.judge for figures in judges if figures.may_gate)
    voting = believed or tuple(figures.judge for figures in judges)
    votes = combine_votes(rows, voting)
    tasks = sorted({vote.task for vote in votes})
    win_rates = tuple(
        measure_wins(opponent, task, votes, config, confidence=confidence, samples=samples, seed=seed)
        for task in ("", *(tasks if len(tasks) > 1 else ()))
        for opponent in config.against
        if any(vote.opponent == opponent and task in ("", vote.task) for vote in votes)
    )
    verdict, reason = _decide(judges, [item for item in win_rates if not item.task], config)
    return JudgeSummary(
        judges=judges,
        voting=voting,
        win_rates=win_rates,
        rate=config.rate,
        may_gate=bool(believed),
        gates=config.gates,
        verdict=verdict,
        reason=reason,
    )


def _decide(judges: Sequence[JudgeFigures], win_rates: Sequence[WinRate], config: PairwiseConfig) -> tuple[Verdict, str]:
    if not any(figures.may_gate for figures in judges):
        return "undecided", "No judge is to be believed, so win rates are advice only. " + " ".join(
            f"Judge '{figures.judge}': {figures.reason}" for figures in judges
        )
    if not win_rates:
        return "undecided", "No pair was judged."
    for verdict in ("fail", "undecided"):
        for item in win_rates:
            if item.verdict == verdict:
                return item.verdict, item.reason
    absent = sorted(set(config.against) - {item.opponent for item in win_rates} - {CHAMPION})
    if absent:
        return "undecided", f"The judges were to compare the candidate with '{absent[0]}', which gave no answers of its own."
    return "pass", " ".join(item.reason for item in win_rates)


def _judge_figures(
    judge: JudgeConfig, rows: Iterable[JudgedPair], labels: Iterable[JudgedLabel], config: PairwiseConfig, seed: int
) -> JudgeFigures:
    name = judge_name(judge)
    mine = [row for row in rows if row.judge == name]
    judgements = [as_judgement(row) for row in mine]
    report = report_pairs(judgements, judge, has_intercept=True)
    agreement = agreement_of((row for row in labels if row.judge == name), seed=seed)
    ruling = advice_allowed(agreement, judge, report)
    problem = _unjudged_problem(judgements, config)
    faults = Counter(item.detail for item in judgements if item.winner is None).most_common(NUM_FAULTS)
    return JudgeFigures(
        judge=name,
        model=judge.teacher.model,
        revision=judge.teacher.revision,
        endpoint=judge.teacher.endpoint,
        template_hash=pair_template(judge).template_hash,
        votes=judge.votes,
        num_pairs=len(mine),
        num_judged=sum(item.winner is not None for item in judgements),
        num_flagged=report.num_flagged,
        num_failed=report.num_failed,
        num_rounds=report.num_rounds,
        flip_share=report.flip_share,
        first_share=report.first_share,
        tie_share=report.tie_share,
        length_slope=report.length.slope,
        length_slope_error=report.length.slope_error,
        length_correlation=report.length.correlation,
        kappa=agreement.kappa,
        ac1=agreement.ac1,
        num_labels=agreement.num_items,
        num_verdicts=agreement.num_verdicts,
        faults=tuple(Fault(detail=detail, num=num) for detail, num in faults),
        may_gate=ruling.allowed and not problem,
        reason=" ".join(filter(None, (problem, ruling.reason if not (problem and ruling.allowed) else ""))),
    )


def _unjudged_problem(judgements: Sequence[PairJudgement], config: PairwiseConfig) -> str:
    num = sum(item.winner is None for item in judgements)
    share = num / len(judgements) if judgements else 1.0
    if share <= config.max_unjudged_share:
        return ""
    return f"{num} of {len(judgements)} pairs have no judgement ({share:.0%}); {config.max_unjudged_share:.0%} may."


def as_judgement(row: JudgedPair) -> PairJudgement:
    """Return the judgement that a row holds, A being the candidate; whose winner it is follows from the replies."""
    votes = _votes(row.judge, row.replies)
    winner, num_rounds, num_flips = judge_rounds(votes)
    return PairJudgement(
        key=row.key,
        status=row.status,
        winner=winner if row.status == "judged" else None,
        votes=votes,
        num_rounds=num_rounds,
        num_flips=num_flips,
        length_difference=row.length_difference,
        detail=row.detail,
        request_ids=row.request_ids,
    )


def said_by_replies(row: JudgedPair) -> tuple[str, int, int]:
    """Return winner, rounds and flips as they follow from the replies, for whoever does not believe the row."""
    found = as_judgement(row)
    return "none" if found.winner is None else SIDES[found.winner], found.num_rounds, found.num_flips


def label_by_replies(row: JudgedLabel) -> str:
    """Return the winner of a reviewed pair as it follows from the replies."""
    return judge_rounds(_votes(row.judge, row.replies))[0] if row.status == "judged" else "none"


def _votes(judge: str, replies: Iterable[JudgeReply]) -> tuple[PairVote, ...]:
    return tuple(
        PairVote(judge=judge, order=item.order, sample_index=item.sample_index, position=item.position, reason=item.reason)
        for item in replies
    )
