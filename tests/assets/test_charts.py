from hypothesis import given
from hypothesis import strategies as st

from assets.charts import (
    EDGES,
    FULL,
    WIDTH,
    bar_chart,
    escape,
    funnel,
    in_order,
    length_bins,
    most_frequent,
    share_chart,
)
from assets.presentation import sample_by_reason


def test_bars_are_as_long_as_their_counts() -> None:
    lines = bar_chart({"en": 100, "de": 50, "fr": 1, "": 0}, label="language", value="rows").split("\n")
    cells = [line.strip("| ").split(" | ") for line in lines[2:]]
    assert [cell[:2] for cell in cells] == [["en", "100"], ["de", "50"], ["fr", "1"], ["not stated", "0"]]
    assert [len(cell[2]) if len(cell) > 2 else 0 for cell in cells] == [WIDTH, WIDTH // 2, 1, 0]


def test_what_is_too_much_is_one_last_row() -> None:
    chart = bar_chart({f"l{number}": 2 for number in range(40)}, label="l", value="n")
    assert len(chart.split("\n")) == 14
    assert "29 more | 58" in chart


@given(st.lists(st.integers(0, 10**7), max_size=50))
def test_every_length_is_in_one_bin(lengths: list[int]) -> None:
    bins = length_bins(lengths)
    assert sum(bins.values()) == len(lengths)
    if lengths:
        first = EDGES[max(index for index, edge in enumerate(EDGES) if edge <= min(lengths))]
        assert next(iter(bins)).startswith(f"{first:,} ")


def test_most_frequent_does_not_depend_on_the_order() -> None:
    assert list(most_frequent(["b", "a", "c", "a", "b"]).items()) == [("a", 2), ("b", 2), ("c", 1)]


def test_funnel_gives_shares() -> None:
    chart = funnel([("documents", 90, 10), ("sft_dataset", 0, 0)])
    assert "| documents | 90 | 10 | 10.0\u00a0% | \u2588" in chart
    assert chart.split("\n")[3].startswith("| sft&#95;dataset | 0 | 0 |  |")


def test_names_cannot_break_out() -> None:
    assert "|" not in escape("a | b <script>")
    assert "\n" not in escape("a\nb")


def test_a_sample_shows_every_reason_before_a_second_row_of_one() -> None:
    rows = [{"reason": reason, "key": str(number)} for number, reason in enumerate("aaaab")]
    assert [row["reason"] for row in sample_by_reason(rows, 3)] == ["a", "b", "a"]
    assert sample_by_reason([], 3) == []


def test_a_small_share_has_a_small_bar() -> None:
    chart = share_chart({"routing": 0.003, "chat": 1.0}, label="slice")
    small, whole = chart.split("\n")[2:]
    assert "0.3\u00a0%" in small
    assert "100.0\u00a0%" in whole
    assert small.count(FULL) == 0
    assert whole.count(FULL) == WIDTH


def test_counts_that_were_stored_sorted_by_name_are_drawn_in_their_order() -> None:
    bins = length_bins([12, 20, 40, 150, 300, 70_000])
    assert list(in_order(dict(sorted(bins.items())))) == list(bins)
    assert list(in_order({"de": 1, "en": 9, "fr": 9, "hr": 2})) == ["en", "fr", "hr", "de"]
    assert in_order({}) == {}
