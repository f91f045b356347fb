"""Coordinates of the small plots on the pages about reviewers; the templates draw them as SVG.

interval_line(Estimate(value=0.85, low=0.83, high=0.88))     Line(x1=83.0, x2=88.0, x=85.0, label="0.850, 95 % interval ...")
day_bars({"2026-11-28": 90, "2026-11-29": 45})               [Bar(x=0.0, y=2.0, width=8.0, height=38.0, ...), ...]
"""

import datetime
from collections.abc import Mapping
from typing import NamedTuple

from curation.judging.interval import Estimate
from curation.review.reviewers.intervals import Share

WIDTH = 100.0
"""Units that 0 to 1 takes; what lies below 0 is drawn at 0."""

NUM_DAYS = 30
BAR_WIDTH = 8.0
BAR_STEP = 10.0
BARS_HEIGHT = 40.0


class Line(NamedTuple):
    """An interval from x1 to x2 with the value at x, and what it says in words."""

    x1: float
    x2: float
    x: float
    label: str


class Bar(NamedTuple):
    """One day's bar, and what it says in words."""

    x: float
    y: float
    width: float
    height: float
    label: str


def interval_line(found: Estimate | Share) -> Line | None:
    """Return where a value and its interval lie on a scale of 0 to 1; None for an undefined one."""
    if found.value is None or found.low is None or found.high is None:
        return None
    label = f"{found.value:.3f}, 95 % interval {found.low:.3f} to {found.high:.3f}"
    return Line(_place(found.low), _place(found.high), _place(found.value), label)


def _place(value: float) -> float:
    return round(min(max(value, 0.0), 1.0) * WIDTH, 2)


def day_bars(per_day: Mapping[str, int]) -> list[Bar]:
    """Return a bar for each of the newest `NUM_DAYS` days up to the last one with a verdict."""
    if not per_day:
        return []
    last = datetime.date.fromisoformat(max(per_day))
    first = max(datetime.date.fromisoformat(min(per_day)), last - datetime.timedelta(days=NUM_DAYS - 1))
    days = [(first + datetime.timedelta(days=at)).isoformat() for at in range((last - first).days + 1)]
    most = max(per_day.get(day, 0) for day in days)
    bars = []
    for at, day in enumerate(days):
        num = per_day.get(day, 0)
        height = round((BARS_HEIGHT - 2) * num / most, 2)
        bars.append(Bar(at * BAR_STEP, round(BARS_HEIGHT - height, 2), BAR_WIDTH, height, f"{day}: {num:,}"))
    return bars
