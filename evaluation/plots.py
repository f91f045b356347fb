"""The plots of the report: plain SVG text, drawn here, so that the page needs no library and no network.

    draw_intervals([IntervalRow("candidate", 0.81, 0.77, 0.85, is_main=True)], title="Exact match", low=0.0, high=1.0)

Every plot has a title and a description for screen readers. Colours come from the page's style sheet by class.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

WIDTH = 720
HALF_WIDTH = 540
"""Width of plots that stand next to each other."""
LABEL_WIDTH = 190
ROW = 34


class IntervalRow(NamedTuple):
    """A value with its interval, both in the unit of the axis."""

    label: str
    value: float
    low: float
    high: float
    note: str
    """What stands at the right end, for example `81.2 %`."""
    is_main: bool = False


class BarRow(NamedTuple):
    """What a stage kept and dropped."""

    label: str
    kept: int
    rejected: int


class PairRow(NamedTuple):
    """Two values of one label, before and after, in [0, 1]."""

    label: str
    before: float
    after: float
    note: str


def draw_intervals(
    rows: Sequence[IntervalRow], *, title: str, low: float, high: float, mark: float | None = None, is_signed: bool = False
) -> Markup:
    """Draw one dot with its interval a row. `mark` is a vertical line, for example no difference or what is required."""
    axis = _Axis(low, high, LABEL_WIDTH, HALF_WIDTH - 80)
    height = ROW * len(rows) + 34
    parts = [*_grid(axis, height, is_signed), *_mark(axis, mark, height)]
    for index, row in enumerate(rows):
        y = ROW * index + ROW / 2 + 4
        kind = "main" if row.is_main else "other"
        parts += [
            _text(LABEL_WIDTH - 14, y + 4, row.label, f"label {kind}", "end"),
            _line(axis.at(row.low), y, axis.at(row.high), y, f"span {kind}"),
            f'<circle cx="{axis.at(row.value):.1f}" cy="{y:.1f}" r="5.5" class="dot {kind}"/>',
            _text(HALF_WIDTH - 4, y + 4, row.note, f"note {kind}", "end"),
        ]
    described = "; ".join(f"{row.label}: {row.note}, interval {row.low * 100:.1f} to {row.high * 100:.1f}" for row in rows)
    return _figure(parts, height, title, described, width=HALF_WIDTH)


def draw_pairs(rows: Sequence[PairRow], *, title: str, before: str, after: str) -> Markup:
    """Draw, a row a label, an open dot (before) joined to a full one (after)."""
    axis = _Axis(0.0, 1.0, LABEL_WIDTH, WIDTH - 90)
    height = 26 * len(rows) + 34
    parts = _grid(axis, height, False)
    for index, row in enumerate(rows):
        y = 26 * index + 17.0
        parts += [
            _text(LABEL_WIDTH - 14, y + 4, row.label, "label", "end"),
            _line(axis.at(row.before), y, axis.at(row.after), y, "span other"),
            f'<circle cx="{axis.at(row.before):.1f}" cy="{y:.1f}" r="4.5" class="dot open"/>',
            f'<circle cx="{axis.at(row.after):.1f}" cy="{y:.1f}" r="5" class="dot main"/>',
            _text(WIDTH - 4, y + 4, row.note, "note", "end"),
        ]
    described = "; ".join(f"{row.label}: {before} {row.before:.0%}, {after} {row.after:.0%}" for row in rows)
    return _figure(parts, height, title, described)


def draw_bars(rows: Sequence[BarRow], *, title: str) -> Markup:
    """Draw a bar a stage: rows kept, then rows rejected, with both numbers."""
    largest = max((row.kept + row.rejected for row in rows), default=0) or 1
    left, right = LABEL_WIDTH, WIDTH - 210
    height = ROW * len(rows) + 8
    parts = []
    for index, row in enumerate(rows):
        y = ROW * index + 8
        kept, rejected = (right - left) * row.kept / largest, (right - left) * row.rejected / largest
        note = f"{row.kept:,} kept" + (f", {row.rejected:,} rejected" if row.rejected else "")
        parts += [
            _text(LABEL_WIDTH - 14, y + 15, row.label, "label", "end"),
            f'<rect x="{left}" y="{y}" width="{kept:.1f}" height="20" rx="3" class="bar kept"/>',
            f'<rect x="{left + kept + 2:.1f}" y="{y}" width="{rejected:.1f}" height="20" rx="3" class="bar rejected"/>',
            _text(left + kept + rejected + 10, y + 15, note, "note", "start"),
        ]
    described = "; ".join(f"{row.label}: {row.kept} kept, {row.rejected} rejected" for row in rows)
    return _figure(parts, height, title, described)


def draw_curve(points: Sequence[tuple[float, float]], *, title: str, also: Sequence[tuple[float, float]] = ()) -> Markup:
    """Draw loss over steps; `also` is a second, dashed line (held-out loss). Points that are not finite are left out."""
    main, second = _finite(points), _finite(also)
    if not main:
        return Markup()
    steps = [step for step, _ in main + second]
    losses = [loss for _, loss in main + second]
    width, height = 340, 190
    across = _Axis(min(steps), max(steps), 44, width - 12)
    up = _Axis(min(0.0, *losses), max(losses) * 1.05 or 1.0, height - 28, 10)
    parts = []
    for tick in up.ticks(4):
        parts += [
            _line(44, up.at(tick), width - 12, up.at(tick), "grid"),
            _text(38, up.at(tick) + 4, f"{tick:g}", "tick", "end"),
        ]
    for tick in across.ticks(4):
        parts.append(_text(across.at(tick), height - 8, f"{tick:g}", "tick", "middle"))
    parts += _path(main, across, up, "curve") + _path(second, across, up, "curve dashed")
    described = f"Loss from {main[0][1]:.3f} at step {main[0][0]:g} to {main[-1][1]:.3f} at step {main[-1][0]:g}."
    return _figure(parts, height, title, described, width=width)


class _Axis:
    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._high = low, high if high > low else low + 1.0
        self._start, self._end = start, end

    def at(self, value: float) -> float:
        share = (min(max(value, self._low), self._high) - self._low) / (self._high - self._low)
        return self._start + share * (self._end - self._start)

    def ticks(self, wanted: int) -> list[float]:
        raw = (self._high - self._low) / wanted
        unit = math.pow(10, math.floor(math.log10(raw)))
        step = next((unit * factor for factor in (1, 2, 5) if unit * factor >= raw), unit * 10)
        first, last = math.ceil(self._low / step - 1e-9), math.floor(self._high / step + 1e-9)
        return [round(index * step, 10) for index in range(first, last + 1)]


def _grid(axis: _Axis, height: float, is_signed: bool) -> list[str]:
    parts = []
    for tick in axis.ticks(5):
        shown = f"{tick * 100:+.0f}" if is_signed and tick else f"{tick * 100:.0f}"
        parts += [
            _line(axis.at(tick), 4, axis.at(tick), height - 26, "grid"),
            _text(axis.at(tick), height - 9, shown, "tick", "middle"),
        ]
    return parts


def _mark(axis: _Axis, mark: float | None, height: float) -> list[str]:
    return [] if mark is None else [_line(axis.at(mark), 2, axis.at(mark), height - 24, "zero")]


def _path(points: Sequence[tuple[float, float]], across: _Axis, up: _Axis, kind: str) -> list[str]:
    if not points:
        return []
    steps = " ".join(f"{across.at(step):.1f},{up.at(loss):.1f}" for step, loss in points)
    return [f'<polyline points="{steps}" class="{kind}"/>']


def _finite(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(float(step), float(loss)) for step, loss in points if math.isfinite(step) and math.isfinite(loss)]


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _text(x: float, y: float, text: str, kind: str, anchor: str) -> str:
    shown = text if len(text) <= 44 else text[:42] + ".."
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(shown)}</text>'


def _figure(parts: Iterable[str], height: float, title: str, described: str, *, width: int = WIDTH) -> Markup:
    head = f"<title>{escape(title)}</title><desc>{escape(described[:2000])}</desc>"
    body = "".join(parts)
    return Markup(f'<svg viewBox="0 0 {width} {height:.0f}" role="img" width="{width}">{head}{body}</svg>')  # noqa: S704
