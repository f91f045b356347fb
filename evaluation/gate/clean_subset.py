"""Scores on the items that no training row gives away, beside the scores on all of them.

    subset = score_clean_subset(scores, {"faq/12"}, config)
    subset.num_items, subset.num_contaminated          (399, 1)
    subset.mean("candidate", "exact_match")            0.71
    score_clean_subsets(scores, {"faq/12"}, config)    one for every task that was answered, the main one first

When a model scores much better on all items than on the clean ones, it knows the others by heart.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from evaluation.config import EvaluationConfig
from evaluation.gate.comparison import Summary, summarise
from evaluation.gate.verdict import NAMES
from evaluation.records import Score
from evaluation.tasks.config import TaskConfig


@dataclass(frozen=True, kw_only=True)
class CleanSubset:
    """What every comparator scores on the items of one task without a counterpart in the training data."""

    task: str
    metric: str
    """The main metric of the task."""
    num_items: int
    num_contaminated: int
    """Items left out, because a training row gives them away."""
    summaries: tuple[Summary, ...]
    """In the order of the report; empty if no item is clean."""

    def mean(self, comparator: str, metric: str) -> float | None:
        """Return a comparator's mean on the clean items, or None if it was not asked or no item is clean."""
        found = (item for summary in self.summaries if summary.comparator == comparator for item in summary.estimates)
        return next((item.mean for item in found if item.metric == metric), None)


def score_clean_subset(scores: Iterable[Score], contaminated: Collection[str], config: EvaluationConfig) -> CleanSubset:
    """Summarise the scores of the main task's items whose keys are not among the contaminated ones."""
    return _score_task(scores, contaminated, config, config.all_tasks[0])


def score_clean_subsets(
    scores: Iterable[Score], contaminated: Collection[str], config: EvaluationConfig
) -> tuple[CleanSubset, ...]:
    """Return the clean subset of every task that was answered, in the order of the recipe."""
    rows = list(scores)
    answered = {row.task for row in rows}
    return tuple(_score_task(rows, contaminated, config, task) for task in config.all_tasks if task.name in answered)


def _score_task(
    scores: Iterable[Score], contaminated: Collection[str], config: EvaluationConfig, task: TaskConfig
) -> CleanSubset:
    clean: dict[str, list[Score]] = {}
    left_out = set()
    items = set()
    for score in sorted(scores, key=lambda score: score.key):
        if score.task != task.name:
            continue
        if score.item_key in contaminated:
            left_out.add(score.item_key)
            continue
        items.add(score.item_key)
        clean.setdefault(score.comparator, []).append(score)
    summaries = tuple(summarise(name, clean[name], config) for name in NAMES if name in clean)
    return CleanSubset(
        task=task.name, metric=task.measured[0], num_items=len(items), num_contaminated=len(left_out), summaries=summaries
    )
