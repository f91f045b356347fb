"""The main metric of each task, slice by slice: where is the candidate ahead of the base, and where behind?

compare_slices(table, config)     (SliceResult(task="routing", slice="topic=dates", num_items=41, difference=-0.07, ...),)
"""

from dataclasses import dataclass

from evaluation.config import EvaluationConfig
from evaluation.gate.paired import mean_of, measure_scores
from evaluation.gate.score_table import ScoreTable

MAX_SLICES = 200
"""Of each task; those with most items are shown."""


@dataclass(frozen=True, kw_only=True)
class SliceResult:
    """Candidate and base on the items of one slice. For information: guards decide."""

    task: str
    metric: str
    slice: str
    """`NAME=VALUE`."""
    num_items: int
    candidate_mean: float
    base_mean: float
    difference: float
    """More is better for the candidate."""
    low: float
    high: float


def compare_slices(table: ScoreTable, config: EvaluationConfig) -> tuple[SliceResult, ...]:
    """Return the slices of all tasks, by task and name."""
    return tuple(
        _compare(table, task.name, task.measured[0], value, config)
        for task in table.tasks
        for value in _largest(table, task.name, task.measured[0])
    )


def _largest(table: ScoreTable, task: str, metric: str) -> list[str]:
    values = table.slices_of(task)
    sizes = {value: len(table.rows("candidate", task, metric, value)) for value in values} if len(values) > MAX_SLICES else {}
    return sorted(sorted(values, key=lambda value: (-sizes.get(value, 0), value))[:MAX_SLICES])


def _compare(table: ScoreTable, task: str, metric: str, value: str, config: EvaluationConfig) -> SliceResult:
    ours, theirs = (table.rows(name, task, metric, value) for name in ("candidate", "base"))
    seen = measure_scores(ours, theirs, config)
    return SliceResult(
        task=task,
        metric=metric,
        slice=value,
        num_items=len(ours),
        candidate_mean=mean_of(ours),
        base_mean=mean_of(theirs),
        difference=seen.difference,
        low=seen.interval.low,
        high=seen.interval.high,
    )
