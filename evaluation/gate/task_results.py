"""One task with everybody's figures on it, and which label is taken for which.

summarise_task(table, task, config).confusion
    (ConfusionCell(comparator="candidate", label="dates", predicted="strings", num_items=4), ...)
"""

from collections import Counter
from dataclasses import dataclass

from evaluation.config import EvaluationConfig
from evaluation.gate.paired import Estimate, estimate_metric
from evaluation.gate.score_table import ScoreTable
from evaluation.tasks.config import TaskConfig

NO_LABEL = "(none of the labels)"
MAX_CELLS = 2_000


@dataclass(frozen=True, kw_only=True)
class TaskSummary:
    """One comparator on one task."""

    comparator: str
    estimates: tuple[Estimate, ...]


@dataclass(frozen=True, kw_only=True)
class ConfusionCell:
    """How many items of one label a comparator gave another (or the same) label."""

    comparator: str
    label: str
    predicted: str
    num_items: int


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """Everybody's figures on one task."""

    task: str
    kind: str
    area: str
    metric: str
    """The main metric of the task."""
    num_items: int
    num_groups: int
    summaries: tuple[TaskSummary, ...]
    """In the order of reports."""
    confusion: tuple[ConfusionCell, ...] = ()
    """Of base and candidate, for tasks with labels; cells without an item are left out."""


def summarise_task(table: ScoreTable, task: TaskConfig, config: EvaluationConfig) -> TaskResult:
    """Return every metric of every comparator on one task."""
    summaries = tuple(
        TaskSummary(
            comparator=name,
            estimates=tuple(estimate_metric(table.rows(name, task.name, metric), config) for metric in task.measured),
        )
        for name in table.comparators
    )
    rows = table.rows("candidate", task.name, task.measured[0])
    return TaskResult(
        task=task.name,
        kind=task.kind,
        area=task.area,
        metric=task.measured[0],
        num_items=len(rows),
        num_groups=len({row.group for row in rows}),
        summaries=summaries,
        confusion=_confusion(table, task),
    )


def _confusion(table: ScoreTable, task: TaskConfig) -> tuple[ConfusionCell, ...]:
    if "macro_f1" not in task.measured:
        return ()
    cells = []
    for name in ("base", "candidate"):
        rows = table.rows(name, task.name, "macro_f1")
        labels = {row.label for row in rows} | set(task.labels)
        counts = Counter((row.label, row.predicted if row.predicted in labels else NO_LABEL) for row in rows)
        cells += [
            ConfusionCell(comparator=name, label=one, predicted=two, num_items=n) for (one, two), n in sorted(counts.items())
        ]
    return tuple(cells[:MAX_CELLS])
