"""Scores in long form as a table that answers by comparator, task, metric and slice, and refuses what does not fit together.

table = ScoreTable(scores, config, items)
table.rows("candidate", "routing", "accuracy")                 one score an item, by item key
table.rows("base", "routing", "accuracy", "topic=strings")     those of one slice
table.slices_of("routing", "topic")                            ("topic=dates", "topic=strings")
"""

from collections.abc import Iterable

from curation.errors import EvaluationError
from evaluation.config import EvaluationConfig
from evaluation.gate.verdict import NAMES
from evaluation.records import EvalItem, Score
from evaluation.tasks.config import TaskConfig


class ScoreTable:
    """All scores of an evaluation, checked: every comparator has one score for every item and metric."""

    def __init__(self, scores: Iterable[Score], config: EvaluationConfig, items: Iterable[EvalItem] = ()) -> None:
        """Sort scores in.

        Raises:
            EvaluationError: base or candidate is missing, a comparator or task is unknown, there are two scores for one
                place, or the comparators did not answer the same items.
        """
        self._config = config
        self._slices = {item.key: item.slices for item in items}
        self._cells: dict[tuple[str, str, str], dict[str, Score]] = {}
        for score in scores:
            self._put(score)
        found = {comparator for comparator, _, _ in self._cells}
        for name in ("base", "candidate"):
            if name not in found:
                raise EvaluationError(reason=f"there are no scores of '{name}'.")
        self.comparators = tuple(name for name in NAMES if name in found)
        """Who answered, in the order of reports."""
        asked = {task for _, task, _ in self._cells}
        self.tasks: tuple[TaskConfig, ...] = tuple(task for task in config.all_tasks if task.name in asked)
        """The tasks that were answered, in the order of the recipe."""
        self._check_same_items()

    def _put(self, score: Score) -> None:
        if score.comparator not in NAMES:
            raise EvaluationError(reason=f"'{score.comparator}' is not a comparator.")
        if self._config.task(score.task) is None or not score.task:
            raise EvaluationError(reason=f"there are scores of the task '{score.task}', which the recipe has not.")
        rows = self._cells.setdefault((score.comparator, score.task, score.metric), {})
        if score.item_key in rows:
            raise EvaluationError(reason=f"'{score.comparator}' has two scores for item '{score.item_key}' ({score.metric}).")
        rows[score.item_key] = score

    def _check_same_items(self) -> None:
        metrics = {(task, metric) for _, task, metric in self._cells}
        for task, metric in sorted(metrics):
            expected = {key: row.group for key, row in self._cells.get(("candidate", task, metric), {}).items()}
            for name in self.comparators:
                rows = self._cells.get((name, task, metric), {})
                if {key: row.group for key, row in rows.items()} != expected:
                    raise EvaluationError(
                        reason=f"'{name}' and 'candidate' did not answer the same items. Materialize the answers again."
                    )

    def task_of(self, name: str) -> TaskConfig:
        """Return a task that was answered, the main one for an empty name. Raises EvaluationError if there is none."""
        task = self._config.task(name)
        if task is None or task not in self.tasks:
            asked = ", ".join(task.name for task in self.tasks)
            raise EvaluationError(
                reason=f"no item of the task '{name or '(the first)'}' was answered, but of {asked or 'none'}."
            )
        return task

    def rows(self, comparator: str, task: str, metric: str, slice_value: str = "") -> list[Score]:
        """Return a comparator's scores by item key; of one slice, `NAME=VALUE`, if it is given.

        Raises:
            EvaluationError: the metric was not measured on this task.
        """
        found = self._cells.get((comparator, task, metric))
        if found is None:
            measured = ", ".join(sorted({name for _, of_task, name in self._cells if of_task == task}))
            raise EvaluationError(
                reason=f"the metric '{metric}' was not measured on the task '{task}', but {measured or 'none'}."
            )
        rows = [found[key] for key in sorted(found)]
        return [row for row in rows if slice_value in self._slices.get(row.item_key, ())] if slice_value else rows

    def slices_of(self, task: str, name: str = "") -> tuple[str, ...]:
        """Return the values of a slice that occur among the items of a task, as `NAME=VALUE`; of all slices without a name."""
        keys = {key for (_, of_task, _), rows in self._cells.items() if of_task == task for key in rows}
        values = {value for key in keys for value in self._slices.get(key, ())}
        return tuple(sorted(value for value in values if not name or value.partition("=")[0] == name))
