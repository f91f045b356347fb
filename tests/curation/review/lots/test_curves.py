"""What is drawn is what the plan does."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.review.lots.curves import BOTTOM, LEFT, RIGHT, TOP, draw_curve
from curation.review.lots.inspection import LotFigures
from curation.review.lots.plan import AcceptancePlan, accept_probability

pytestmark = pytest.mark.slow


def figures(n: int = 59, c: int = 0, *, size: int = 4_000, level: float = 0.05, inspected: int = 0, bad: int = 0) -> LotFigures:
    return LotFigures(
        lot="example/routing",
        plan=AcceptancePlan(n=n, c=c),
        quality_level=level,
        size=size,
        num_inspected=inspected,
        num_bad=bad,
        decision="undecided",
    )


def test_the_two_risks_are_points_of_the_curve() -> None:
    curve = draw_curve(figures())
    assert curve.consumer.share == 0.05
    assert curve.consumer.probability == accept_probability(AcceptancePlan(n=59, c=0), 0.05, 4_000)
    assert 0.95 <= curve.producer.probability < 0.97
    assert curve.producer.x < curve.consumer.x
    assert curve.producer.y < curve.consumer.y


def test_points_of_a_small_lot_are_whole_items() -> None:
    curve = draw_curve(figures(size=10))
    assert curve.consumer[2:] == (0.1, 0.0), "one item of ten is the least that is as bad as the quality level"
    assert curve.producer[2:] == (0.0, 1.0)


def test_nothing_observed_is_nothing_drawn_and_then_an_interval() -> None:
    assert draw_curve(figures()).band is None
    few, many = draw_curve(figures(inspected=10, bad=0)).band, draw_curve(figures(inspected=40, bad=0)).band
    assert few is not None
    assert many is not None
    assert many.width < few.width
    assert few.estimate_x == LEFT


def test_the_drawing_reaches_behind_what_was_observed() -> None:
    good, bad = draw_curve(figures(inspected=40, bad=0)), draw_curve(figures(inspected=40, bad=12))
    assert bad.band is not None
    assert LEFT < bad.band.x < bad.band.estimate_x < bad.band.x + bad.band.width <= RIGHT
    assert bad.rows[-1][0] > good.rows[-1][0] > 0.05


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 300),
    c=st.integers(0, 20),
    size=st.integers(0, 5_000),
    level=st.floats(0.001, 0.9),
    share=st.floats(0, 1),
)
def test_everything_lies_inside_and_the_curve_falls(n: int, c: int, size: int, level: float, share: float) -> None:
    inspected = min(n, size)
    curve = draw_curve(figures(n, min(c, n - 1), size=size, level=level, inspected=inspected, bad=int(share * inspected)))
    points = [tuple(map(float, pair.split())) for pair in re.split("[ML]", curve.path)[1:]]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    assert xs == sorted(xs)
    assert ys == sorted(ys)
    places = [*points, curve.consumer[:2], curve.producer[:2]]
    assert all(LEFT <= x <= RIGHT and TOP <= y <= BOTTOM for x, y in places)
    assert curve.band is None or LEFT <= curve.band.x <= curve.band.x + curve.band.width <= RIGHT + 2
    assert 2 <= len(curve.ticks_x) <= 9
    assert all(LEFT <= tick.at <= RIGHT for tick in curve.ticks_x)
    assert 1 <= len(curve.rows) <= 11
