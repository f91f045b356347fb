import math
import re

from hypothesis import given
from hypothesis import strategies as st

from evaluation.report.plots.bars import BarRow, HistogramRow, draw_bars, draw_histogram
from evaluation.report.plots.dots import IntervalRow, PairRow, draw_intervals, draw_pairs, spread
from evaluation.report.plots.drawing import Axis
from evaluation.report.plots.lines import ReliabilityBin, draw_curve, draw_reliability
from evaluation.report.plots.scatter import ScatterPoint, draw_scatter

NUMBERS = st.floats(allow_nan=True, allow_infinity=True, width=32)


def positions(svg: str) -> list[float]:
    return [float(value) for value in re.findall(r' (?:x|y|x1|x2|y1|y2|cx|cy)="([^"]+)"', svg)]


def test_plots_survive_extremes_and_describe_themselves() -> None:
    assert draw_curve([(1, math.nan)], title="Loss") == ""
    assert "NaN" not in draw_curve([(1, 2.0)], title="Loss", also=[(1, math.inf)])
    flat = draw_intervals([IntervalRow("<b>", 0.0, 0.0, 0.0, "0 %")], title="T", low=0.0, high=0.0)
    assert "<title>T</title><desc>&lt;b&gt;: 0 %" in flat
    assert "nan" not in draw_bars([BarRow("a", 0, 0)], title="Rows")
    assert draw_scatter([ScatterPoint("a", math.nan, 1.0)], title="T", unit="u") == ""
    assert "nan" not in draw_histogram(HistogramRow("a", (0, 0)), edges=(0, 1, 2), unit="u", title="T")
    assert "nan" not in draw_reliability([], title="T")


def test_there_is_a_shape_for_a_wide_page_and_one_for_a_phone() -> None:
    rows = [IntervalRow("a label that is long beyond the room that it has on the left", 0.5, 0.4, 0.6, "50 %", mark=0.1)]
    plots = [
        draw_intervals(rows, title="T", low=0, high=1),
        draw_pairs([PairRow("a", 0.1, 0.9, "90 %")], title="T", before="b", after="c"),
        draw_bars([BarRow("a", 10, 2)], title="T"),
        draw_scatter([ScatterPoint("a", 1.0, 0.5)], title="T", unit="u"),
    ]
    for plot in plots:
        assert re.findall(r'class="(wide|slim)"', plot) == ["wide", "slim"]
        assert 'viewBox="0 0 340 ' in plot


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=6))
def test_every_position_is_a_number_inside_the_picture(values: list[tuple[float, float, float]]) -> None:
    rows = [IntervalRow("x", value, low, high, "n") for value, low, high in values]
    low, high = spread(rows, least=0.05)
    for position in positions(draw_intervals(rows, title="T", low=low, high=high, mark=0.0)):
        assert -1 <= position <= 2000


def test_labels_of_points_at_one_place_do_not_lie_on_each_other() -> None:
    points = [ScatterPoint(name, 1.0, 0.8) for name in "abcd"]
    wide = draw_scatter(points, title="T", unit="u").split("</svg>")[0]
    heights = [float(y) for y in re.findall(r'y="([\d.]+)" text-anchor="\w+" class="label', wide)]
    assert min(two - one for one, two in zip(sorted(heights), sorted(heights)[1:], strict=False)) >= 15


def test_ticks_are_round() -> None:
    assert Axis(0, 1, 0, 100).ticks(5) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert Axis(-0.07, 0.92, 0, 100).ticks(4) == [0.0, 0.25, 0.5, 0.75]


def test_a_bin_is_as_large_as_its_answers() -> None:
    plot = draw_reliability([ReliabilityBin(0.2, 0.1, 1), ReliabilityBin(0.9, 0.8, 10)], title="T")
    radii = [float(radius) for radius in re.findall(r' r="([\d.]+)"', plot)]
    assert radii == sorted(radii)
    assert radii[1] > radii[0]
