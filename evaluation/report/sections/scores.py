"""Scores of all comparators on all tasks, and how far the candidate is ahead of each, with intervals.

section(inputs).values["tasks"][0].rows      one a comparator, with every metric of the task
"""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from evaluation.gate.clean_subset import CleanSubset
from evaluation.gate.comparison import Comparison, Difference
from evaluation.gate.paired import Estimate
from evaluation.gate.task_results import TaskResult
from evaluation.report.inputs import ReportInputs
from evaluation.report.plots.dots import IntervalRow, draw_intervals, spread
from evaluation.report.section import ItemLink, Section
from evaluation.report.wording import ahead, is_share, name_of, shown, title_of, unit_of


class Cell(NamedTuple):
    """One figure with its interval."""

    value: str
    interval: str


class ScoreRow(NamedTuple):
    """One comparator on one task."""

    comparator: str
    cells: tuple[Cell, ...]


class TaskTable(NamedTuple):
    """One task."""

    task: str
    about: str
    metrics: tuple[str, ...]
    rows: tuple[ScoreRow, ...]
    plot: Markup
    plot_title: str


class PairedRow(NamedTuple):
    """The candidate against one opponent, item by item."""

    opponent: str
    better: int
    worse: int
    equal: int
    difference: str
    interval: str
    item: Difference
    detectable: str

    def link(self, outcome: str) -> dict[str, str]:
        """Return the attributes of a link to the items that a number was counted from."""
        return ItemLink(against=self.opponent, outcome=outcome).as_attributes()


def section(inputs: ReportInputs) -> Section:
    """Return the scores; every report has them."""
    comparison = inputs.comparison
    results = comparison.tasks or (_only_task(comparison),)
    return Section(
        anchor="scores",
        title="Scores",
        template="scores.html.j2",
        values={
            "tasks": [_table(result) for result in results],
            "confidence": f"{comparison.confidence * 100:g} %",
            "unit": unit_of(comparison.metric),
            "metric": title_of(comparison.metric),
            "plot": _plot(comparison),
            "paired": [_paired(item) for item in comparison.differences],
            "clean": _clean(inputs),
        },
    )


def _only_task(comparison: Comparison) -> TaskResult:
    """Return the main task of a comparison that knows no tasks."""
    return TaskResult(
        task=comparison.task,
        kind="",
        area="",
        metric=comparison.metric,
        num_items=comparison.num_items,
        num_groups=comparison.num_groups,
        summaries=comparison.summaries,  # type: ignore[arg-type]  # both have comparator and estimates
    )


def _table(result: TaskResult) -> TaskTable:
    metrics = tuple(item.metric for item in result.summaries[0].estimates)
    about = ", ".join(part for part in (result.area, result.kind) if part)
    rows = tuple(ScoreRow(item.comparator, tuple(map(_cell, item.estimates))) for item in result.summaries)
    main = [
        (item.comparator, estimate)
        for item in result.summaries
        for estimate in item.estimates
        if estimate.metric == result.metric
    ]
    return TaskTable(
        result.task,
        f"{result.num_items:,} items in {result.num_groups:,} groups{f' ({about})' if about else ''}",
        metrics,
        rows,
        _score_plot(main),
        f"{title_of(result.metric)}{', %' if is_share(result.metric) else ', nats a byte (less is better)'}",
    )


def _cell(item: Estimate) -> Cell:
    return Cell(shown(item.metric, item.mean), f"{_bare(item.metric, item.low)} to {_bare(item.metric, item.high)}")


def _bare(metric: str, value: float) -> str:
    return shown(metric, value).removesuffix(" %")


def _score_plot(found: Sequence[tuple[str, Estimate]]) -> Markup:
    if not found:
        return Markup()
    metric = found[0][1].metric
    rows = [
        IntervalRow(name_of(name), item.mean, item.low, item.high, shown(metric, item.mean), name == "candidate")
        for name, item in found
    ]
    high = 1.0 if is_share(metric) else max(row.high for row in rows) * 1.05
    return draw_intervals(rows, title=title_of(metric), low=0.0, high=high, scale=100.0 if is_share(metric) else 1.0)


def _plot(comparison: Comparison) -> Markup:
    metric = comparison.metric
    rows = [
        IntervalRow(
            name_of(item.opponent),
            item.difference,
            item.low,
            item.high,
            ahead(metric, item.difference),
            item.decisive,
            item.required if item.decisive else None,
        )
        for item in comparison.differences
    ]
    low, high = spread(rows, least=0.05)
    title = f"How far the candidate is ahead, {unit_of(metric)}"
    return draw_intervals(
        rows, title=title, low=low, high=high, mark=0.0, is_signed=True, scale=100.0 if is_share(metric) else 1.0
    )


def _paired(item: Difference) -> PairedRow:
    interval = f"{ahead(item.metric, item.low)} to {ahead(item.metric, item.high)}"
    detectable = ahead(item.metric, item.detectable_effect)
    difference = ahead(item.metric, item.difference)
    return PairedRow(item.opponent, item.num_better, item.num_worse, item.num_equal, difference, interval, item, detectable)


def _clean(inputs: ReportInputs) -> str:
    """Return what the clean items of the main task show, and of every other task that lost an item."""
    compared = inputs.comparison
    main = [_clean_task(inputs, subset, compared.metric) for subset in inputs.clean_subsets if subset.task == compared.task]
    others = [subset for subset in inputs.clean_subsets if subset.task != compared.task and subset.num_contaminated]
    return " ".join([*main, *(f"Task {subset.task}: {_clean_task(inputs, subset, subset.metric)}" for subset in others)])


def _clean_task(inputs: ReportInputs, subset: CleanSubset, metric: str) -> str:
    looked = f"rare runs of words{', paraphrases' if inputs.paraphrases_checked else ''}"
    if not subset.num_contaminated:
        return f"No training row gives away any of these items ({looked}), so the scores on the clean subset are the same."
    told = []
    for name in ("base", "candidate"):
        clean, whole = subset.mean(name, metric), _mean_on(inputs.comparison, subset.task, name, metric)
        stands = "not measured" if clean is None else shown(metric, clean)
        beside = "" if clean is None or whole is None else f" ({shown(metric, whole)} on all)"
        told.append(f"{name_of(name)} {stands}{beside}")
    return (
        f"Training rows give away {subset.num_contaminated:,} of these items. On the {subset.num_items:,} clean ones: "
        f"{', '.join(told)}."
    )


def _mean_on(compared: Comparison, task: str, comparator: str, metric: str) -> float | None:
    of_task = [summary for result in compared.tasks if result.task == task for summary in result.summaries]
    found = (item.mean for summary in of_task if summary.comparator == comparator for item in summary.estimates
             if item.metric == metric)  # fmt: skip
    return next(found, None)
