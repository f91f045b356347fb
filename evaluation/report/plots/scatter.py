"""Plot of quality over what an answer takes: up is better, left is cheaper.

draw_scatter([ScatterPoint("candidate", 0.012, 0.81, is_main=True)], title="Quality and price", unit="USD for 1,000 requests")
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from evaluation.report.plots.drawing import PER_LETTER, SLIM, Axis, dot, figure, line, words

WIDTH, HEIGHT = 540, 300
LINE = 18


class ScatterPoint(NamedTuple):
    """One comparator."""

    label: str
    x: float
    y: float
    """In [0, 1], or nats where less is better."""
    is_main: bool = False


def draw_scatter(points: Sequence[ScatterPoint], *, title: str, unit: str, scale: float = 100.0) -> Markup:
    """Draw a labelled dot a comparator; the axis across starts at 0. Points that are not finite are left out."""
    shown = [point for point in points if math.isfinite(point.x) and math.isfinite(point.y)]
    if not shown:
        return Markup()
    described = "; ".join(f"{point.label}: {point.y * scale:.3g} at {point.x:.3g} {unit}" for point in shown)
    shapes = [(WIDTH, "wide"), (SLIM, "slim")]
    return Markup("").join(
        figure(_draw(shown, width, unit, scale), width, HEIGHT, title, described, kind=kind) for width, kind in shapes
    )


def _draw(shown: Sequence[ScatterPoint], width: float, unit: str, scale: float) -> list[str]:
    across = Axis(0.0, max(point.x for point in shown) * 1.12 or 1.0, 48, width - 16)
    lowest, highest = min(point.y for point in shown), max(point.y for point in shown)
    room = max(0.05 * (highest - lowest), 0.02)
    up = Axis(min(0.0, lowest), highest + room, HEIGHT - 46, 16)
    parts = []
    for tick in up.ticks(4):
        parts += [line(48, up.at(tick), width - 16, up.at(tick), "grid")]
        parts += [words(42, up.at(tick) + 4, f"{tick * scale:g}", "tick", "end")]
    ticks = across.ticks(5 if width > SLIM else 3)
    parts += [words(across.at(tick), HEIGHT - 28, f"{tick:g}", "tick", "middle") for tick in ticks]
    parts.append(words((48 + width - 16) / 2, HEIGHT - 6, unit, "tick", "middle"))
    placed = [_Label(across.at(point.x) - 8, across.at(point.x) + 8, up.at(point.y), 0, "") for point in shown]
    for point in sorted(shown, key=lambda point: (not point.is_main, -point.y)):
        x, y, kind = across.at(point.x), up.at(point.y), "main" if point.is_main else "other"
        label = _place(point.label, x, y, width, placed)
        placed.append(label)
        parts.append(dot(x, y, 6.5 if point.is_main else 5, kind))
        parts.append(words(label.start, label.y + 5, point.label, f"label {kind}", label.anchor))
    return parts


class _Label(NamedTuple):
    """Where a label stands."""

    left: float
    right: float
    y: float
    start: float
    anchor: str

    def lies_on(self, other: "_Label") -> bool:
        """Tell whether two labels cover each other."""
        return self.left < other.right and other.left < self.right and abs(self.y - other.y) < LINE - 1


def _place(text: str, x: float, y: float, width: float, placed: Sequence[_Label]) -> _Label:
    """Return a free place beside a dot: at its height, else below, else above."""
    is_left = x > width * 0.55
    start, long = (x - 11 if is_left else x + 11), min(len(text), 44) * PER_LETTER
    ends = (start - long, start) if is_left else (start, start + long)
    steps = [0, *(sign * step for step in range(1, len(placed) + 1) for sign in (1, -1))]
    tried = [_Label(*ends, y + LINE * step, start, "end" if is_left else "start") for step in steps]
    inside = [label for label in tried if 12 <= label.y <= HEIGHT - 50] or tried
    return next((label for label in inside if not any(label.lies_on(other) for other in placed)), inside[0])
