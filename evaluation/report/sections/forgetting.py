"""What the candidate has lost of what its base could do, area by area.

section(inputs)      None where nobody measured
"""

from typing import NamedTuple

from markupsafe import Markup

from evaluation.forgetting.verdict import AreaResult
from evaluation.report.inputs import ReportInputs
from evaluation.report.plots.dots import IntervalRow, draw_intervals, spread
from evaluation.report.section import Section

WORDS = {"pass": "kept", "fail": "forgotten", "undecided": "undecided", "nothing_to_forget": "nothing to forget"}


class AreaRow(NamedTuple):
    """One area in words."""

    area: str
    num_items: int
    before: str
    after: str
    difference: str
    interval: str
    margin: str
    verdict: str
    state: str


def section(inputs: ReportInputs) -> Section | None:
    """Return the areas with their plot."""
    found = inputs.forgetting
    if found is None:
        return None
    rows = [_row(area) for area in found.areas]
    values = {
        "rows": rows,
        "reason": found.reason,
        "verdict": found.verdict,
        "unmeasured": found.num_unmeasured,
        "plots": [plot for plot in (_plot(found.areas, "accuracy"), _plot(found.areas, "loss")) if plot],
    }
    return Section("forgetting", "Forgetting", "forgetting.html.j2", values)


def _row(area: AreaResult) -> AreaRow:
    is_points = area.measure == "accuracy"
    before, after = (area.base_accuracy, area.accuracy) if is_points else (area.base_loss, area.loss)
    return AreaRow(
        area.area,
        area.num_items,
        f"{before * 100:.1f} %" if is_points else f"{before:.3f}",
        f"{after * 100:.1f} %" if is_points else f"{after:.3f}",
        _change(area.difference, is_points),
        f"{_change(area.low, is_points)} to {_change(area.high, is_points)}",
        f"{area.margin * 100:g} points" if is_points else f"{area.margin:g} nats a byte",
        WORDS[area.verdict],
        "" if area.verdict == "nothing_to_forget" else area.verdict,
    )


def _change(value: float, is_points: bool) -> str:
    return f"{value * 100:+.1f}" if is_points else f"{value:+.3f}"


def _plot(areas: tuple[AreaResult, ...], measure: str) -> tuple[str, Markup] | None:
    shown = [area for area in areas if area.measure == measure and area.verdict != "nothing_to_forget"]
    if not shown:
        return None
    is_points = measure == "accuracy"
    rows = [
        IntervalRow(
            f"{area.area} ({area.num_items})",
            area.difference,
            area.low,
            area.high,
            _change(area.difference, is_points),
            area.verdict == "fail",
            -area.margin,
        )
        for area in shown
    ]
    low, high = spread(rows, least=max(area.margin for area in shown) * 1.1)
    title = "Right answers, points against the base" if is_points else "Likelihood, nats a byte against the base"
    plot = draw_intervals(rows, title=title, low=low, high=high, mark=0.0, is_signed=True, scale=100.0 if is_points else 1.0)
    return title, plot
