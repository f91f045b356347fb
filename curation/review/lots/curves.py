"""The operating curve of a lot as places in a drawing; the template `lots_curve.svg.html` only puts marks there.

    draw_curve(figures)     Curve(path="M56.0 16.0L...", consumer=Mark(x=243.2, y=252.9, share=0.05, probability=0.048), ...)

Across: share of bad items in the lot. Up: probability that such a lot is accepted. Units: those of a 640 x 320 view box.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from curation.review.lots.inspection import LotFigures
from curation.review.lots.plan import AcceptancePlan, accept_probability, quality_at

WIDTH, HEIGHT = 640, 320
LEFT, TOP, RIGHT, BOTTOM = 56.0, 16.0, 624.0, 272.0

PRODUCER_PROBABILITY = 0.95
"""The producer's point is where lots are still accepted this often."""
NUM_POINTS = 81
NUM_ROWS = 11
_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
_MOST_TICKS = 8


class Mark(NamedTuple):
    """A point of the curve."""

    x: float
    y: float
    share: float
    probability: float


class Tick(NamedTuple):
    """A place on an axis and what it is called."""

    at: float
    label: str


class Band(NamedTuple):
    """What was observed: the interval of the share of bad items. The drawing always reaches behind it."""

    x: float
    width: float
    estimate_x: float
    """Where the observed share lies."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Everything that is drawn, and the same as rows of a table."""

    path: str
    consumer: Mark
    """The quality level, which shall not get through."""
    producer: Mark
    """What is good enough to be accepted nearly always."""
    band: Band | None
    """None before anything was inspected."""
    ticks_x: tuple[Tick, ...]
    ticks_y: tuple[Tick, ...]
    rows: tuple[tuple[float, float], ...]
    """(share of bad items, probability of acceptance)"""


def draw_curve(figures: LotFigures) -> Curve:
    """Return the drawing of a lot: its plan's curve, exact for a lot of this size, with the two risks and what was observed."""
    plan, size = figures.plan, figures.size
    observed = figures.interval[1] if figures.num_inspected else 0.0
    reach = min(1.0, max(2.5 * figures.quality_level, 1.1 * quality_at(plan, 0.02), 1.1 * observed))
    marks = [_mark(plan, size, share, reach) for share in _shares(size, reach, NUM_POINTS)]
    step = next((step for step in _STEPS if reach / step <= _MOST_TICKS), _STEPS[-1])
    return Curve(
        path="M" + "L".join(f"{mark.x} {mark.y}" for mark in marks),
        consumer=_mark(plan, size, _possible(figures.quality_level, size, math.ceil), reach),
        producer=_mark(plan, size, _possible(quality_at(plan, PRODUCER_PROBABILITY), size, math.floor), reach),
        band=_band(figures, reach),
        ticks_x=tuple(Tick(_x(at * step, reach), f"{at * step:.1%}") for at in range(math.floor(reach / step + 1e-9) + 1)),
        ticks_y=tuple(Tick(_y(share), f"{share:.0%}") for share in (0.0, 0.25, 0.5, 0.75, 1.0)),
        rows=tuple((share, accept_probability(plan, share, size)) for share in _shares(size, reach, NUM_ROWS)),
    )


def _shares(size: int, reach: float, most: int) -> list[float]:
    """Return shares from 0 to `reach`, of which a lot of this size can have each: whole items, not more than `most`."""
    last = max(1, math.floor(reach * size))
    every = [round(number * last / (most - 1)) for number in range(most)]
    return [num_bad / max(1, size) for num_bad in sorted({min(num_bad, size) for num_bad in every})]


def _possible(share: float, size: int, rounded: Callable[[float], int]) -> float:
    """Return the next share that a lot of this size can have: whole items are bad."""
    return min(rounded(round(share * size, 6)), size) / max(1, size)


def _mark(plan: AcceptancePlan, size: int, share: float, reach: float) -> Mark:
    probability = accept_probability(plan, share, size)
    return Mark(x=_x(share, reach), y=_y(probability), share=share, probability=probability)


def _band(figures: LotFigures, reach: float) -> Band | None:
    if not figures.num_inspected:
        return None
    low, high = figures.interval
    observed = figures.num_bad / figures.num_inspected
    left = _x(low, reach)
    return Band(
        x=left,
        width=round(max(2.0, _x(high, reach) - left), 1),
        estimate_x=_x(observed, reach),
    )


def _x(share: float, reach: float) -> float:
    return round(LEFT + (RIGHT - LEFT) * min(share / reach, 1.0), 1)


def _y(probability: float) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * probability, 1)
