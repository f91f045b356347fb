"""Plots of values with intervals, and of two values of one label.

draw_intervals([IntervalRow("candidate", 0.81, 0.77, 0.85, "81.0 %", is_main=True)], title="Exact match", low=0.0, high=1.0)
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from evaluation.report.plots.drawing import SLIM, Axis, dot, figure, label_room, line, words

WIDTH = 720
HALF_WIDTH = 540
"""Width of plots that stand next to each other."""
ROW = 34
PAIR_ROW = 26


class IntervalRow(NamedTuple):
    """A value with its interval, both in the unit of the axis."""

    label: str
    value: float
    low: float
    high: float
    note: str
    """What stands at the right end, for example `81.2 %`."""
    is_main: bool = False
    mark: float | None = None
    """What the lower bound has to exceed in this row."""


class PairRow(NamedTuple):
    """Two values of one label, before and after, in [0, 1]."""

    label: str
    before: float
    after: float
    note: str


def draw_intervals(
    rows: Sequence[IntervalRow],
    *,
    title: str,
    low: float,
    high: float,
    mark: float | None = None,
    is_signed: bool = False,
    scale: float = 100.0,
) -> Markup:
    """Draw one dot with its interval a row.

    Args:
        rows: from top to bottom.
        title: for screen readers.
        low: left end of the axis.
        high: right end.
        mark: a vertical line, for example no difference.
        is_signed: whether the axis shows signs.
        scale: what the numbers of the axis are multiplied by; 100 for shares.
    """
    described = "; ".join(f"{row.label}: {row.note}, interval {row.low * scale:.1f} to {row.high * scale:.1f}" for row in rows)
    shapes = []
    for shape in (_wide(HALF_WIDTH, ROW, [row.label for row in rows]), _slim()):
        axis, height = Axis(low, high, shape.left, shape.right), shape.row * len(rows) + 34
        parts = [*_grid(axis, height, is_signed, scale)]
        parts += [] if mark is None else [line(axis.at(mark), 2, axis.at(mark), height - 24, "zero")]
        for index, row in enumerate(rows):
            parts += _interval(axis, shape, index, row)
        shapes.append(figure(parts, shape.width, height, title, described, kind=shape.kind))
    return Markup("").join(shapes)


class _Shape(NamedTuple):
    """Where things stand: beside each other on a wide page, labels above their rows on a phone."""

    kind: str
    width: float
    left: float
    right: float
    row: float
    longest: int

    def names(self, index: int, label: str, note: str, kind: str) -> tuple[float, list[str]]:
        """Return the height of a row's values, and its label and note."""
        top = self.row * index
        if self.kind == "slim":
            beside = words(0, top + 18, label, f"label {kind}", "start", longest=self.longest)
            return top + 35, [beside, words(self.width, top + 18, note, f"note {kind}", "end")]
        y = top + self.row / 2 + 4
        beside = words(self.left - 14, y + 4, label, f"label {kind}", "end", longest=self.longest)
        return y, [beside, words(self.width - 4, y + 4, note, f"note {kind}", "end")]


def _wide(width: float, row: float, labels: Sequence[str]) -> _Shape:
    room = label_room(labels)
    return _Shape("wide", width, room.width, width - 80, row, room.longest)


def _slim() -> _Shape:
    return _Shape("slim", SLIM, 12, SLIM - 12, 52, 32)


def _interval(axis: Axis, shape: _Shape, index: int, row: IntervalRow) -> list[str]:
    kind = "main" if row.is_main else "other"
    y, names = shape.names(index, row.label, row.note, kind)
    parts = [*names, line(axis.at(row.low), y, axis.at(row.high), y, f"span {kind}"), dot(axis.at(row.value), y, 5.5, kind)]
    if row.mark is not None:
        parts.append(line(axis.at(row.mark), y - 9, axis.at(row.mark), y + 9, "needed"))
    return parts


def draw_pairs(rows: Sequence[PairRow], *, title: str, before: str, after: str) -> Markup:
    """Draw, a row a label, an open dot (before) joined to a full one (after)."""
    described = "; ".join(f"{row.label}: {before} {row.before:.0%}, {after} {row.after:.0%}" for row in rows)
    shapes = []
    for shape in (_wide(WIDTH, PAIR_ROW, [row.label for row in rows]), _slim()):
        axis, height = Axis(0.0, 1.0, shape.left, shape.right), shape.row * len(rows) + 34
        parts = _grid(axis, height, False, 100.0)
        for index, row in enumerate(rows):
            y, names = shape.names(index, row.label, row.note, "plain")
            parts += [
                *names,
                line(axis.at(row.before), y, axis.at(row.after), y, "span other"),
                dot(axis.at(row.before), y, 4.5, "open"),
                dot(axis.at(row.after), y, 5, "main"),
            ]
        shapes.append(figure(parts, shape.width, height, title, described, kind=shape.kind))
    return Markup("").join(shapes)


def spread(rows: Sequence[IntervalRow], *, least: float) -> tuple[float, float]:
    """Return the ends of an axis that holds all rows and zero, `least` wide on each side of it."""
    ends = [end for row in rows for end in (row.low, row.high) if math.isfinite(end)]
    low, high = min(-least, *ends, 0.0), max(least, *ends, 0.0)
    room = 0.04 * (high - low)
    return low - room, high + room


def _grid(axis: Axis, height: float, is_signed: bool, scale: float) -> list[str]:
    parts = []
    ticks = axis.ticks(5)
    decimals = max((_decimals(tick * scale) for tick in ticks), default=0)
    for tick in ticks:
        shown = f"{tick * scale:+.{decimals}f}" if is_signed and tick else f"{tick * scale:.{decimals}f}"
        parts += [
            line(axis.at(tick), 4, axis.at(tick), height - 26, "grid"),
            words(axis.at(tick), height - 9, shown, "tick", "middle"),
        ]
    return parts


def _decimals(value: float) -> int:
    return next((count for count in range(4) if math.isclose(value, round(value, count), abs_tol=1e-9)), 4)
