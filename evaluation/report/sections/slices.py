"""Candidate and base slice by slice, with intervals: where is it ahead, and where behind?

section(inputs)      None where no task names slices
"""

from typing import NamedTuple

from markupsafe import Markup

from evaluation.gate.slices import SliceResult
from evaluation.report.inputs import ReportInputs
from evaluation.report.plots.dots import IntervalRow, draw_intervals, spread
from evaluation.report.section import ItemLink, Section
from evaluation.report.wording import ahead, is_share, shown, title_of, unit_of

MAX_PLOTTED = 24
"""Slices of one plot; those with most items."""


class SliceRow(NamedTuple):
    """One slice in words."""

    slice: str
    num_items: int
    base: str
    candidate: str
    difference: str
    interval: str
    state: str
    """`ahead`, `behind` or `level`, by the interval."""
    link: dict[str, str]


class SliceTable(NamedTuple):
    """The slices of one task."""

    task: str
    metric: str
    unit: str
    rows: list[SliceRow]
    plot: Markup
    num_hidden: int


def section(inputs: ReportInputs) -> Section | None:
    """Return the slices of all tasks."""
    by_task: dict[tuple[str, str], list[SliceResult]] = {}
    for item in inputs.comparison.slices:
        by_task.setdefault((item.task, item.metric), []).append(item)
    if not by_task:
        return None
    tables = [_table(task, metric, found) for (task, metric), found in by_task.items()]
    behind = [(table.task, row.slice) for table in tables for row in table.rows if row.state == "behind"]
    return Section("slices", "Slice by slice", "slices.html.j2", {"tables": tables, "behind": behind}, short="Slices")


def _table(task: str, metric: str, found: list[SliceResult]) -> SliceTable:
    largest = sorted(found, key=lambda item: (-item.num_items, item.slice))[:MAX_PLOTTED]
    ordered = sorted(largest, key=lambda item: (item.slice.partition("=")[0], item.difference))
    rows = [_row(item) for item in sorted(found, key=lambda item: (item.slice.partition("=")[0], item.difference))]
    return SliceTable(task, title_of(metric), unit_of(metric), rows, _plot(metric, ordered), len(found) - len(largest))


def _row(item: SliceResult) -> SliceRow:
    state = "ahead" if item.low > 0 else "behind" if item.high < 0 else "level"
    return SliceRow(
        item.slice,
        item.num_items,
        shown(item.metric, item.base_mean),
        shown(item.metric, item.candidate_mean),
        ahead(item.metric, item.difference),
        f"{ahead(item.metric, item.low)} to {ahead(item.metric, item.high)}",
        state,
        ItemLink(task=item.task, slice=item.slice, against="base").as_attributes(),
    )


def _plot(metric: str, found: list[SliceResult]) -> Markup:
    rows = [
        IntervalRow(
            f"{item.slice} ({item.num_items:,})",
            item.difference,
            item.low,
            item.high,
            ahead(metric, item.difference),
            item.high < 0 or item.low > 0,
        )
        for item in found
    ]
    low, high = spread(rows, least=0.05)
    title = f"How far the candidate is ahead of the base in each slice, {unit_of(metric)}"
    return draw_intervals(
        rows, title=title, low=low, high=high, mark=0.0, is_signed=True, scale=100.0 if is_share(metric) else 1.0
    )
