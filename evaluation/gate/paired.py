"""Scores in long form -> one figure with its interval, and two comparators item by item. Positive differences are better.

estimate_metric(rows, config)             Estimate(metric="accuracy", mean=0.71, low=0.66, high=0.75)
measure_scores(ours, theirs, config)      Measured(difference=0.04, interval=Interval(low=0.01, high=0.07), p_value=0.004, ...)

Where less is better (`log_loss`) the difference is turned round. Weighted means give each item its weight's share, in their
intervals and tests as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from curation.errors import EvaluationError
from evaluation.config import EvaluationConfig
from evaluation.gate.class_counts import classes_of, count_classes, macro_f1, resample_macro_f1, swap_test
from evaluation.gate.verdict import Measured, measure
from evaluation.records import Score
from evaluation.statistics import Interval, clustered_wilson, non_inferiority, paired_bootstrap
from evaluation.tasks.metrics import METRICS


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One metric over many items with its interval."""

    metric: str
    mean: float
    """The mean, weighted where the metric has weights; macro F1 is no mean of items."""
    low: float
    high: float


def estimate_metric(rows: Sequence[Score], config: EvaluationConfig) -> Estimate:
    """Return one metric of one comparator; `rows` has one score an item and is not empty."""
    metric, mean = rows[0].metric, mean_of(rows)
    info, samples, confidence = METRICS[metric], config.bootstrap_samples, config.confidence
    if info.is_binary:
        interval = clustered_wilson([row.value for row in rows], [row.group for row in rows], config.confidence)
    elif info.aggregate == "macro_f1":
        counts = count_classes(rows, classes_of(rows))
        interval = resample_macro_f1([counts], samples=samples, confidence=confidence, seed=config.seed)
    else:
        interval = paired_bootstrap(
            [row.value for row in rows],
            [row.group for row in rows],
            samples=samples,
            confidence=confidence,
            seed=config.seed,
            weights=_weights(rows),
        )
    return Estimate(metric=metric, mean=mean, low=interval.low, high=interval.high)


def mean_of(rows: Sequence[Score]) -> float:
    """Return one metric over items, without its interval."""
    if METRICS[rows[0].metric].aggregate == "macro_f1":
        return float(macro_f1(count_classes(rows, classes_of(rows)).sum(axis=0)))
    total = sum(row.weight for row in rows)
    return sum(row.value * row.weight for row in rows) / total if total else 0.0


def measure_scores(ours: Sequence[Score], theirs: Sequence[Score], config: EvaluationConfig) -> Measured:
    """Compare two comparators on one metric. Both have one score an item, in the same order.

    Raises:
        EvaluationError: if an item does not count the same for both.
    """
    info, groups = METRICS[ours[0].metric], [row.group for row in ours]
    _check_weights(ours, theirs)
    sign = 1.0 if info.is_higher_better else -1.0
    values = [[sign * row.value for row in rows] for rows in (ours, theirs)]
    seen = measure(values[0], values[1], groups, config, _weights(ours))
    if info.aggregate != "macro_f1":
        return seen
    classes = classes_of(ours, theirs)
    left, right = count_classes(ours, classes), count_classes(theirs, classes)
    samples, seed = config.bootstrap_samples, config.seed
    interval = resample_macro_f1([left, right], samples=samples, confidence=config.confidence, seed=seed)
    interval = interval if len(left) > 1 else seen.interval
    p_value = swap_test(left, right, samples=samples, seed=seed)
    difference = float(macro_f1(left.sum(axis=0)) - macro_f1(right.sum(axis=0)))
    error = (interval.high - interval.low) / (2 * NormalDist().inv_cdf((1 + config.confidence) / 2))
    found = {"difference": difference, "interval": interval, "p_value": p_value, "group_p_value": p_value}
    return replace(seen, **found, error=error, is_binary=False)  # type: ignore[arg-type]


def hold_p_value(ours: Sequence[Score], theirs: Sequence[Score], margin: float, interval: Interval) -> float:
    """Return the one-sided p-value of "we are worse by `margin` or more"; a small one says that we hold.

    Args:
        ours: one score an item.
        theirs: likewise, in the same order.
        margin: in (0, 1).
        interval: of the difference; it decides alone where no test of items applies (macro F1), unless it has no width:
            answers that are all alike tell nothing about others, so right and wrong ones are tested then.
    """
    info = METRICS[ours[0].metric]
    if info.aggregate == "macro_f1" and interval.low <= -margin:
        return 1.0
    if info.aggregate == "macro_f1" and interval.low < interval.high:
        return 0.0
    sign = 1.0 if info.is_higher_better else -1.0
    differences = [sign * (left.value - right.value) for left, right in zip(ours, theirs, strict=True)]
    return non_inferiority(differences, [row.group for row in ours], margin, _weights(ours))


def _check_weights(ours: Sequence[Score], theirs: Sequence[Score]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        if one.weight != other.weight:
            problem = f"'{one.key}' counts {one.weight:g} and '{other.key}' {other.weight:g}. Materialize the scores again."
            raise EvaluationError(reason=problem)


def _weights(rows: Sequence[Score]) -> list[float] | None:
    """Return how much each item counts; None if all count the same."""
    weights = [row.weight for row in rows]
    return None if len(set(weights)) == 1 else weights
