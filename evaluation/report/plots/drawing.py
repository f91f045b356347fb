"""What all plots are drawn with: an axis, lines, texts and the frame, as SVG text. Colours come from the style sheet.

axis = Axis(0.0, 1.0, 190, 460)
axis.at(0.5), axis.ticks(5)      325.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

from markupsafe import Markup, escape

LABEL_WIDTH = 190
SLIM = 340
"""Width of the shape for phones, where labels stand above what they name."""
PER_LETTER = 10.0
"""Width of a letter of a bold label in a wide font."""


class LabelRoom(NamedTuple):
    """The room that labels get on the left, and how many letters fit into it."""

    width: float
    longest: int


def label_room(labels: Iterable[str]) -> LabelRoom:
    """Return as much room as the longest label needs, within bounds."""
    width = min(max(max((len(label) for label in labels), default=0) * PER_LETTER + 20, 120), 290)
    return LabelRoom(width, int((width - 20) / PER_LETTER))


class Axis:
    """Maps values to positions; values beyond the ends stand at the ends."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._high = low, high if high > low else low + 1.0
        self._start, self._end = start, end

    def at(self, value: float) -> float:
        """Return the position of a value."""
        if not math.isfinite(value):
            return self._start
        share = (min(max(value, self._low), self._high) - self._low) / (self._high - self._low)
        return self._start + share * (self._end - self._start)

    def ticks(self, wanted: int) -> list[float]:
        """Return about as many round values in the range."""
        raw = (self._high - self._low) / wanted
        unit = math.pow(10, math.floor(math.log10(raw)))
        step = next((unit * factor for factor in (1, 2, 2.5, 5) if unit * factor >= raw), unit * 10)
        first, last = math.ceil(self._low / step - 1e-9), math.floor(self._high / step + 1e-9)
        return [round(index * step, 10) for index in range(first, last + 1)]


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Return a line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def dot(x: float, y: float, radius: float, kind: str) -> str:
    """Return a dot."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" class="dot {kind}"/>'


def box(x: float, y: float, width: float, height: float, kind: str) -> str:
    """Return a filled rectangle."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}" rx="2" class="{kind}"/>'


def words(x: float, y: float, text: str, kind: str, anchor: str, *, longest: int = 44) -> str:
    """Return a text, cut to the longest that fits."""
    shown = text if len(text) <= longest else text[: longest - 2] + ".."
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(shown)}</text>'


def path(points: Iterable[tuple[float, float]], across: Axis, up: Axis, kind: str) -> list[str]:
    """Return a line through points; nothing without points."""
    steps = " ".join(f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in points)
    return [f'<polyline points="{steps}" class="{kind}"/>'] if steps else []


def finite(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points that are finite."""
    return [(float(x), float(y)) for x, y in points if math.isfinite(x) and math.isfinite(y)]


def figure(parts: Iterable[str], width: float, height: float, title: str, described: str, *, kind: str = "") -> Markup:
    """Return the SVG with a title and a description for screen readers; `kind` is `wide` or `slim` where there are both."""
    head = f"<title>{escape(title)}</title><desc>{escape(described[:2000])}</desc>"
    body, shape = "".join(parts), f' class="{kind}"' if kind else ""
    return Markup(  # noqa: S704 - every text in it is escaped above
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" width="{width:.0f}"{shape}>{head}{body}</svg>'
    )
