"""Is the candidate better than the base, and no worse than the champion? One verdict with one plain sentence.

compare(scores, config, release).verdict     "pass", "fail" or "undecided"

Pass: both paired tests have p < alpha and the interval of the difference lies above the minimum. Fail: it lies below.
Otherwise nothing is decided, and the reason says which difference these items could have found.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from curation.config import as_plain
from curation.errors import EvaluationError
from curation.ids import content_hash
from evaluation.config import BINARY_METRICS, EvaluationConfig, ReleaseConfig
from evaluation.records import Score
from evaluation.statistics import Interval, paired_bootstrap, wilson
from evaluation.verdict import NAMES, Verdict, judge, measure


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The mean of one metric with its interval."""

    metric: str
    mean: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One comparator's results."""

    comparator: str
    num_items: int
    estimates: tuple[Estimate, ...]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The candidate against one opponent on the release metric."""

    opponent: str
    metric: str
    candidate_mean: float
    opponent_mean: float
    difference: float
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
    num_groups: int
    summaries: tuple[Summary, ...]
    differences: tuple[Difference, ...]
    verdict: Verdict
    reason: str

    def mean(self, comparator: str, metric: str) -> float | None:
        """Return a comparator's mean, or None if it was not asked."""
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
        summaries = [{**item, "estimates": tuple(Estimate(**each) for each in item["estimates"])} for item in data["summaries"]]
        differences = tuple(Difference(**item) for item in data["differences"])
        return Comparison(**{**data, "summaries": tuple(Summary(**item) for item in summaries), "differences": differences})
    except (KeyError, TypeError) as error:
        raise EvaluationError(reason=f"the stored comparison cannot be read ({error}). Materialize it again.") from error


def compare(scores: Iterable[Score], config: EvaluationConfig, release: ReleaseConfig) -> Comparison:
    """Compare the candidate with every other comparator, item by item, and decide against base and champion.

    Raises:
        EvaluationError: if base or candidate is missing, or the comparators did not answer the same items.
    """
    by_comparator = _align(scores)
    groups = [row.group for row in by_comparator["candidate"]]
    summaries = tuple(summarise(name, by_comparator[name], config) for name in NAMES if name in by_comparator)
    differences = tuple(
        _difference(by_comparator["candidate"], by_comparator[name], config, release)
        for name in NAMES
        if name in by_comparator and name != "candidate"
    )
    verdict, reason = _decide(differences)
    return Comparison(
        metric=release.metric,
        confidence=config.confidence,
        alpha=release.alpha,
        num_items=len(groups),
        num_groups=len(set(groups)),
        summaries=summaries,
        differences=differences,
        verdict=verdict,
        reason=reason,
    )


def _align(scores: Iterable[Score]) -> dict[str, list[Score]]:
    table: dict[str, dict[str, Score]] = {}
    for score in scores:
        rows = table.setdefault(score.comparator, {})
        if score.item_key in rows:
            raise EvaluationError(reason=f"'{score.comparator}' has two scores for item '{score.item_key}'.")
        rows[score.item_key] = score
    for name in ("base", "candidate"):
        if name not in table:
            raise EvaluationError(reason=f"there are no scores of '{name}'.")
    for name in table:
        if name not in NAMES:
            raise EvaluationError(reason=f"'{name}' is not a comparator.")
    expected = {key: row.group for key, row in table["candidate"].items()}
    for name, rows in table.items():
        if {key: row.group for key, row in rows.items()} != expected:
            raise EvaluationError(
                reason=f"'{name}' and 'candidate' did not answer the same items. Materialize the answers again."
            )
    return {name: [rows[key] for key in sorted(rows)] for name, rows in table.items()}


def summarise(name: str, rows: Sequence[Score], config: EvaluationConfig) -> Summary:
    """Return the mean of every metric of one comparator, with its interval."""
    estimates = []
    for metric in config.metrics:
        values = [float(getattr(row, metric)) for row in rows]
        interval = (
            wilson(sum(values), len(values), config.confidence)
            if metric in BINARY_METRICS
            else _bootstrap(values, [row.group for row in rows], config)
        )
        mean = sum(values) / len(values)
        estimates.append(Estimate(metric=metric, mean=mean, low=interval.low, high=interval.high))
    return Summary(comparator=name, num_items=len(rows), estimates=tuple(estimates))


def _bootstrap(values: Sequence[float], groups: Sequence[str], config: EvaluationConfig) -> Interval:
    return paired_bootstrap(values, groups, samples=config.bootstrap_samples, confidence=config.confidence, seed=config.seed)


def _difference(
    candidate: Sequence[Score], opponent: Sequence[Score], config: EvaluationConfig, release: ReleaseConfig
) -> Difference:
    name, metric = opponent[0].comparator, release.metric
    ours = [float(getattr(row, metric)) for row in candidate]
    theirs = [float(getattr(row, metric)) for row in opponent]
    seen = measure(ours, theirs, [row.group for row in candidate], config)
    required = -release.champion_margin if name == "champion" else release.minimum_difference
    verdict, reason = judge(name, seen, required, release)
    return Difference(
        opponent=name,
        metric=metric,
        candidate_mean=sum(ours) / len(ours),
        opponent_mean=sum(theirs) / len(theirs),
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


def _decide(differences: Sequence[Difference]) -> tuple[Verdict, str]:
    decisive = [item for item in differences if item.decisive]
    for verdict in ("fail", "undecided"):
        for item in decisive:
            if item.verdict == verdict:
                return item.verdict, item.reason
    return "pass", " ".join(item.reason for item in decisive)
