"""All that judging an evaluation is: pair the answers, hear every judge, hold the judges against people, sum up.

judged = judge_answers(answers, items, verdicts, jury, config)
judged.pairs, judged.labels          rows for the store
judged.summary.verdict               "pass", "fail" or "undecided"
judged.stopped                       why judges stopped half-way; asking again goes on from there
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from curation.errors import EvaluationError
from curation.judging.jury import Juror
from curation.records import ReviewItem, Verdict
from evaluation.config import EvaluationConfig
from evaluation.judge.config import PairwiseConfig
from evaluation.judge.evidence import all_pairs, summarise_rows
from evaluation.judge.labels import judge_labels, labelled_pairs
from evaluation.judge.pairs import describe_stops, judge_pairs
from evaluation.judge.records import JudgedLabel, JudgedPair
from evaluation.judge.summary import JudgeSummary
from evaluation.records import EvalAnswer


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the judges made of an evaluation."""

    pairs: tuple[JudgedPair, ...]
    labels: tuple[JudgedLabel, ...]
    summary: JudgeSummary
    stopped: tuple[str, ...]
    """One sentence a judge that stopped half-way."""
    num_calls: int
    """Replies that were paid for now."""
    num_cached: int
    num_failed: int
    cost_usd: float

    @property
    def is_complete(self) -> bool:
        """Whether nothing failed that may succeed when it is asked again."""
        return not self.stopped and self.num_failed == 0

    def facts(self) -> dict[str, Any]:
        """Return the numbers and sentences that are worth plotting or telling."""
        rates = [rate for rate in self.summary.win_rates if not rate.task]
        figures: dict[str, Any] = {
            "verdict": self.summary.verdict,
            "reason": self.summary.reason,
            "may_gate": self.summary.may_gate,
            "judge_calls": self.num_calls,
            "cached_replies": self.num_cached,
            "failed_calls": self.num_failed,
            "cost_usd": self.cost_usd,
        }
        for rate in rates:
            figures |= {f"win_rate_{rate.opponent}": rate.plain, f"controlled_win_rate_{rate.opponent}": rate.controlled}
            figures[f"unjudged_{rate.opponent}"] = rate.num_unjudged
        for judge in self.summary.judges:
            figures |= {f"flip_share {judge.judge}": judge.flip_share, f"first_share {judge.judge}": judge.first_share}
            figures |= {f"kappa {judge.judge}": judge.kappa.value} if judge.kappa.value is not None else {}
        return figures | ({"stopped": " ".join(self.stopped)} if self.stopped else {})


def judge_answers(
    answers: Iterable[EvalAnswer],
    items: Iterable[ReviewItem],
    verdicts: Iterable[Verdict],
    jury: Sequence[Juror],
    config: EvaluationConfig,
) -> Judged:
    """Have the jury compare the candidate's answers with those of the opponents.

    Args:
        answers: of all comparators.
        items: what people were shown in the review.
        verdicts: what they said about it.
        jury: the judges of `config.judge`, in its order.
        config: the evaluation, with a section `judge`.

    Raises:
        EvaluationError: if comparators did not answer the same items, or nothing can be judged.
        DatabaseError: if replies cannot be stored or read.
    """
    judges = config.judge
    assert judges is not None
    pairs = all_pairs(list(answers), judges, seed=config.seed)
    if not pairs:
        named = ", ".join(judges.against)
        raise EvaluationError(reason=f"there are no answers of {named} on the tasks that are to be judged.")
    rows, stopped = judge_pairs(jury, pairs, judges)
    people = labelled_pairs(items, verdicts, limit=judges.max_labels, seed=config.seed)
    labels, stopped_later = judge_labels(jury, people)
    reports = [juror.report for juror in jury]
    return Judged(
        pairs=tuple(rows),
        labels=tuple(labels),
        summary=summarise_rows(rows, labels, config, judges),
        stopped=describe_stops(stopped | stopped_later),
        num_calls=sum(report.num_calls for report in reports),
        num_cached=sum(report.num_cached for report in reports),
        num_failed=sum(report.num_failed for report in reports),
        cost_usd=sum(report.cost_usd for report in reports),
    )


def judges_of(config: EvaluationConfig) -> PairwiseConfig:
    """Return the section `judge`. Raises EvaluationError if the recipe has none."""
    if config.judge is None:
        raise EvaluationError(reason="the recipe has no section `evaluation.judge`.")
    return config.judge
