"""Plots: values lie where they belong, and what is undefined is not drawn."""

import pytest

from curation.judging.interval import Estimate
from curation.review.reviewers.intervals import share_interval
from curation.review.web.reviewers_plots import BARS_HEIGHT, NUM_DAYS, day_bars, interval_line


@pytest.mark.parametrize(
    ("found", "places"),
    [
        (Estimate(value=0.85, low=0.8, high=0.9), (80, 90, 85)),
        (Estimate(value=-0.1, low=-0.4, high=0.2), (0, 20, 0)),
        (share_interval(10, 10), (72.25, 100, 100)),
    ],
)
def test_intervals(found: Estimate, places: tuple[float, float, float]) -> None:
    line = interval_line(found)
    assert line is not None
    assert line[:3] == pytest.approx(places, abs=0.01)
    assert f"{found.value:.3f}" in line.label


def test_nothing_is_drawn_of_what_is_undefined() -> None:
    assert interval_line(Estimate(value=None, reason="one category")) is None
    assert interval_line(share_interval(0, 0)) is None


def test_bars() -> None:
    bars = day_bars({"2026-11-27": 10, "2026-11-29": 40})
    assert [bar.label for bar in bars] == ["2026-11-27: 10", "2026-11-28: 0", "2026-11-29: 40"]
    assert [bar.height for bar in bars] == [9.5, 0, 38]
    assert all(bar.y + bar.height == BARS_HEIGHT for bar in bars)
    assert day_bars({}) == []
    assert len(day_bars({"2025-01-01": 1, "2026-11-29": 1})) == NUM_DAYS
