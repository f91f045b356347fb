"""Plots of bars: rows kept and rejected by stage, and how values are spread.

draw_bars([BarRow("documents", 1282, 12)], title="Rows by stage")
draw_histogram([HistogramRow("candidate", (12, 30, 8))], edges=(0, 10, 20, 30), unit="characters", title="Length of answers")
"""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from evaluation.report.plots.drawing import LABEL_WIDTH, SLIM, Axis, box, figure, line, words

WIDTH = 720
ROW = 34
SLIM_ROW = 54
SMALL_WIDTH = 340


class BarRow(NamedTuple):
    """What a stage kept and dropped."""

    label: str
    kept: int
    rejected: int


class HistogramRow(NamedTuple):
    """How many values of one series lie in each bin."""

    label: str
    counts: tuple[int, ...]


def draw_bars(rows: Sequence[BarRow], *, title: str) -> Markup:
    """Draw a bar a stage: rows kept, then rows rejected, with both numbers."""
    largest = max((row.kept + row.rejected for row in rows), default=0) or 1
    described = "; ".join(f"{row.label}: {row.kept} kept, {row.rejected} rejected" for row in rows)
    wide, slim = [], []
    for index, row in enumerate(rows):
        note = f"{row.kept:,} kept" + (f", {row.rejected:,} rejected" if row.rejected else "")
        y = ROW * index + 8
        end, bars = _pair_of_bars(row, largest, LABEL_WIDTH, WIDTH - 210, y)
        wide += [
            words(LABEL_WIDTH - 14, y + 15, row.label, "label", "end"),
            *bars,
            words(end + 10, y + 15, note, "note", "start"),
        ]
        top = SLIM_ROW * index
        slim += [words(0, top + 17, row.label, "label", "start", longest=18), words(SLIM, top + 17, note, "note", "end")]
        slim += _pair_of_bars(row, largest, 0, SLIM - 4, top + 24)[1]
    shapes = [figure(wide, WIDTH, ROW * len(rows) + 8, title, described, kind="wide")]
    return Markup("").join([*shapes, figure(slim, SLIM, SLIM_ROW * len(rows) + 4, title, described, kind="slim")])


def _pair_of_bars(row: BarRow, largest: int, left: float, right: float, y: float) -> tuple[float, list[str]]:
    """Return where the second bar ends, and both bars."""
    kept, rejected = (right - left) * row.kept / largest, (right - left) * row.rejected / largest
    bars = [box(left, y, kept, 20, "bar kept"), box(left + kept + 2, y, rejected, 20, "bar rejected")]
    return left + kept + rejected, bars


def draw_histogram(row: HistogramRow, *, edges: Sequence[float], unit: str, title: str, is_main: bool = False) -> Markup:
    """Draw how many values lie in each bin; bins are as wide as each other on the page, whatever their edges."""
    height, floor, largest = 150, 118, max(row.counts, default=0) or 1
    across = Axis(0, len(row.counts), 8, SMALL_WIDTH - 8)
    parts = [line(8, floor, SMALL_WIDTH - 8, floor, "grid")]
    for index, count in enumerate(row.counts):
        tall = (floor - 20) * count / largest
        left, right = across.at(index), across.at(index + 1)
        parts.append(box(left + 1.5, floor - tall, right - left - 3, tall, "bar kept" if is_main else "bar plain"))
        if count:
            parts.append(words((left + right) / 2, floor - tall - 5, f"{count:,}", "tick", "middle"))
    for index, edge in enumerate(edges):
        if index % 2 == 0 or len(edges) <= 6:
            anchor = "start" if index == 0 else "end" if index == len(edges) - 1 else "middle"
            parts.append(words(across.at(index), height - 14, f"{edge:,.0f}", "tick", anchor))
    described = f"{row.label}: " + "; ".join(
        f"{low:,.0f} to {high:,.0f} {unit}: {count}" for low, high, count in zip(edges, edges[1:], row.counts, strict=False)
    )
    return figure(parts, SMALL_WIDTH, height, title, described)
