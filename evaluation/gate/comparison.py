"""Is the candidate better than the base, and no worse than the champion? One verdict with one plain sentence.

compare(scores, config, release).verdict     "pass", "fail" or "undecided"

Pass: both paired tests have p < alpha and the interval of the difference lies above the minimum, for the release metric and
every further one that is required, and no guard was hurt. Fail: one lies below. Otherwise nothing is decided, and the reason
says which difference these items could have found.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from curation.config import as_plain
from curation.errors import EvaluationError
from curation.ids import content_hash
from curation.record_rows import from_row
from evaluation.config import EvaluationConfig
from evaluation.gate.costs import Costs, measure_costs
from evaluation.gate.guards import GuardResult, check_guards, check_requirements
from evaluation.gate.paired import Estimate, estimate_metric, hold_p_value, mean_of, measure_scores
from evaluation.gate.score_table import ScoreTable
from evaluation.gate.slices import SliceResult, compare_slices
from evaluation.gate.task_results import TaskResult, summarise_task
from evaluation.gate.verdict import Measured, Verdict, judge
from evaluation.records import AnswerTiming, EvalAnswer, EvalItem, Score
from evaluation.release.config import ReleaseConfig
from evaluation.statistics import holm
from evaluation.tasks.config import TaskConfig

__all__ = ["Comparison", "Difference", "Estimate", "Summary", "compare", "comparison_from_json", "summarise"]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One comparator's results on the main task, and what its answers cost over all tasks."""

    comparator: str
    num_items: int
    estimates: tuple[Estimate, ...]
    latency_p50_s: float | None = None
    """Seconds from asking to the answer, median; None where no model was asked or nobody measured."""
    latency_p95_s: float | None = None
    prompt_tokens: float | None = None
    """Mean tokens of a prompt."""
    completion_tokens: float | None = None
    """Mean tokens of an answer."""
    cost_per_1000_usd: float | None = None
    """US dollars for 1,000 requests; None where the price is not known."""
    num_unanswered: int = 0
    """Items of the main task without an answer (endpoint down, budget used up); each has the worst score."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The candidate against one opponent on the release metric."""

    opponent: str
    metric: str
    candidate_mean: float
    opponent_mean: float
    difference: float
    """More is better for the candidate, whatever the direction of the metric."""
    low: float
    high: float
    p_value: float
    """Exact McNemar test on the items (sign test where scores are not 0 or 1)."""
    group_p_value: float
    """Sign-flip test on whole groups; valid also when items of a group go together."""
    num_better: int
    num_worse: int
    num_equal: int
    detectable_effect: float
    """The smallest true difference that these items find with power 0.8."""
    required: float
    """What the lower bound has to exceed."""
    decisive: bool
    """Whether the verdict depends on it; the others are shown for information."""
    verdict: Verdict
    reason: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything that the report shows and that promotion recomputes. Plain values, so it survives JSON."""

    metric: str
    confidence: float
    alpha: float
    num_items: int
    """Items of the main task."""
    num_groups: int
    summaries: tuple[Summary, ...]
    differences: tuple[Difference, ...]
    verdict: Verdict
    reason: str
    task: str = ""
    """The main task, on which the release metric is compared."""
    tasks: tuple[TaskResult, ...] = ()
    """All tasks, the main one first."""
    requirements: tuple[GuardResult, ...] = ()
    """Further metrics on which the base has to be beaten."""
    guards: tuple[GuardResult, ...] = ()
    """Metrics, tasks and slices that must not become worse."""
    slices: tuple[SliceResult, ...] = ()
    """The main metric of each task, slice by slice."""

    def mean(self, comparator: str, metric: str) -> float | None:
        """Return a comparator's mean on the main task, or None if it was not asked."""
        for summary in self.summaries:
            if summary.comparator == comparator:
                return next((item.mean for item in summary.estimates if item.metric == metric), None)
        return None

    def against(self, opponent: str) -> Difference | None:
        """Return the difference to an opponent, or None if it was not asked."""
        return next((item for item in self.differences if item.opponent == opponent), None)

    def as_json(self) -> dict[str, Any]:
        """Return plain dicts, lists and scalars."""
        plain: dict[str, Any] = as_plain(self)
        return plain

    def hash(self) -> str:
        """Return the content hash, by which promotion recognises it."""
        return content_hash(self.as_json())


def comparison_from_json(data: dict[str, Any]) -> Comparison:
    """Rebuild a comparison from its JSON. Raises EvaluationError if a field is missing or unknown."""
    try:
        return from_row(Comparison, data)
    except (KeyError, TypeError, AttributeError) as error:
        raise EvaluationError(reason=f"the stored comparison cannot be read ({error}). Materialize it again.") from error


def compare(
    scores: Iterable[Score],
    config: EvaluationConfig,
    release: ReleaseConfig,
    *,
    items: Iterable[EvalItem] = (),
    answers: Iterable[EvalAnswer] = (),
    timings: Iterable[AnswerTiming] = (),
) -> Comparison:
    """Compare the candidate with every other comparator, item by item, and decide against base and champion.

    Args:
        scores: of all comparators on all tasks.
        config: names tasks and metrics.
        release: what the candidate has to show.
        items: the items asked; they know the slices.
        answers: they know tokens and what an endpoint charged.
        timings: how long each answer took; for latency and the price of the machine only.

    Raises:
        EvaluationError: if base or candidate is missing, the comparators did not answer the same items, or the release
            asks for a task, metric or slice that was not measured.
    """
    table = ScoreTable(scores, config, items)
    task = table.task_of(release.task)
    rows = {name: table.rows(name, task.name, release.metric) for name in table.comparators}
    requirements, measured = check_requirements(table, config, release)
    differences = _differences(rows, config, release, [seen.largest_p for seen in measured])
    guards = check_guards(table, config, release)
    given = list(answers)
    costs, silent = measure_costs(given, timings, config), _count_unanswered(given, config, task)
    results = tuple(
        summarise_task(table, each, config) for each in sorted(table.tasks, key=lambda each: each.name != task.name)
    )
    verdict, reason = _decide(differences, requirements, guards)
    groups = [row.group for row in rows["candidate"]]
    return Comparison(
        metric=release.metric,
        confidence=config.confidence,
        alpha=release.alpha,
        num_items=len(groups),
        num_groups=len(set(groups)),
        summaries=tuple(
            replace(_summary(each.comparator, each.estimates, len(groups), costs), num_unanswered=silent[each.comparator])
            for each in results[0].summaries
        ),
        differences=differences,
        verdict=verdict,
        reason=reason,
        task=task.name,
        tasks=results,
        requirements=requirements,
        guards=guards,
        slices=compare_slices(table, config),
    )


def _summary(name: str, estimates: tuple[Estimate, ...], num_items: int, costs: Mapping[str, Costs]) -> Summary:
    found = costs.get(name, Costs())
    return Summary(comparator=name, num_items=num_items, estimates=estimates, **found._asdict())


def _count_unanswered(answers: Iterable[EvalAnswer], config: EvaluationConfig, task: TaskConfig) -> Counter[str]:
    """Return by comparator how many items of a task nobody gave an answer to."""
    return Counter(answer.comparator for answer in answers if answer.error and config.task(answer.task) == task)


def summarise(name: str, rows: Sequence[Score], config: EvaluationConfig) -> Summary:
    """Return every metric of one comparator with its interval, in the order of the task; `rows` are scores of one task."""
    by_metric: dict[str, list[Score]] = {}
    for row in rows:
        by_metric.setdefault(row.metric, []).append(row)
    task = config.task(rows[0].task) if rows else None
    order = [metric for metric in (task.measured if task else by_metric) if metric in by_metric]
    estimates = tuple(estimate_metric(by_metric[metric], config) for metric in order)
    return Summary(comparator=name, num_items=len({row.item_key for row in rows}), estimates=estimates)


def _differences(
    rows: Mapping[str, Sequence[Score]], config: EvaluationConfig, release: ReleaseConfig, others: Sequence[float]
) -> tuple[Difference, ...]:
    """Return the differences to all opponents; that to the base is corrected for the other metrics that are required."""
    found = []
    for name in rows:
        if name == "candidate":
            continue
        seen = measure_scores(rows["candidate"], rows[name], config)
        p_value = holm([seen.largest_p, *others])[0] if name == "base" else seen.largest_p
        holds = name == "champion" and _holds(rows["candidate"], rows[name], seen, config, release)
        found.append(_difference(name, seen, rows, release, p_value, holds=holds))
    return tuple(found)


def _holds(
    ours: Sequence[Score], theirs: Sequence[Score], seen: Measured, config: EvaluationConfig, release: ReleaseConfig
) -> bool:
    """Tell whether a loss of `champion_margin` is ruled out by test; without a margin the champion has to be beaten."""
    margin = release.champion_margin
    return margin > 0 and hold_p_value(ours, theirs, margin, seen.interval) < (1 - config.confidence) / 2


def _difference(
    name: str,
    seen: Measured,
    rows: Mapping[str, Sequence[Score]],
    release: ReleaseConfig,
    p_value: float,
    *,
    holds: bool,
) -> Difference:
    required = -release.champion_margin if name == "champion" else release.minimum_difference
    verdict, reason = judge(name, seen, required, release, metric=release.metric, p_value=p_value, holds=holds)
    return Difference(
        opponent=name,
        metric=release.metric,
        candidate_mean=mean_of(rows["candidate"]),
        opponent_mean=mean_of(rows[name]),
        difference=seen.difference,
        low=seen.interval.low,
        high=seen.interval.high,
        p_value=seen.p_value,
        group_p_value=seen.group_p_value,
        num_better=seen.num_better,
        num_worse=seen.num_worse,
        num_equal=seen.num_items - seen.num_better - seen.num_worse,
        detectable_effect=seen.detectable(release.alpha),
        required=required,
        decisive=name == "base" or (name == "champion" and release.against_champion),
        verdict=verdict,
        reason=reason,
    )


def _decide(
    differences: Sequence[Difference], requirements: Sequence[GuardResult], guards: Sequence[GuardResult]
) -> tuple[Verdict, str]:
    """Return the worst verdict of all that decides, with its reason; a pass with all reasons, and how many guards held."""
    everything: list[Difference | GuardResult] = [*differences, *requirements, *guards]
    decisive = [item for item in everything if item.decisive]
    for verdict in ("fail", "undecided"):
        for item in decisive:
            if item.verdict == verdict:
                return item.verdict, item.reason
    reasons = [item.reason for item in everything[: len(differences) + len(requirements)] if item.decisive]
    held = sum(item.decisive for item in guards)
    return "pass", " ".join([*reasons, f"No loss on {held} guarded metrics and slices." if held else ""]).strip()
