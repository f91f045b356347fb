"""Statistics of agreement equal published examples and another implementation; intervals cover, and order means nothing."""

import math
import random

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from curation.judging.agreement import cohen_kappa, fleiss_kappa, gwet_ac1, krippendorff_alpha, percent_agreement

FLEISS_1971_STYLE = [
    "0 0 0 0 14", "0 2 6 4 2", "0 0 3 5 6", "0 3 9 2 0", "2 2 8 1 1", "7 7 0 0 0", "3 2 6 3 0", "2 5 3 2 2",
    "6 5 2 1 0", "0 2 2 3 7",
]  # fmt: skip


def published_ratings() -> list[list[int | None]]:
    """Four observers, twelve units, as in Krippendorff 2011."""
    rows = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    ]
    return [list(unit) for unit in zip(*rows, strict=True)]


def of_table(table: list[list[int]]) -> tuple[list[int], list[int]]:
    cells = [(i, j) for i, row in enumerate(table) for j, number in enumerate(row) for _ in range(number)]
    return [i for i, _ in cells], [j for _, j in cells]


@pytest.mark.parametrize(("level", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_equals_the_published_example(level: str, published: float) -> None:
    found = krippendorff_alpha(published_ratings(), level=level)  # type: ignore[arg-type]
    assert found.value == pytest.approx(published, abs=5e-4)
    assert found.num_items == 11  # the twelfth unit has one rating only


def test_kappa_and_ac1_equal_published_examples() -> None:
    one, two = of_table([[20, 5], [10, 15]])
    assert cohen_kappa(one, two).value == pytest.approx(0.4)
    one, two = of_table([[118, 5], [2, 0]])  # Gwet 2008: agreement is high and kappa is negative
    assert cohen_kappa(one, two).value == pytest.approx(-0.0234, abs=5e-4)
    assert gwet_ac1(list(zip(one, two, strict=True))).value == pytest.approx(0.9408, abs=5e-4)


def test_fleiss_equals_its_textbook_example() -> None:
    ratings = [[at for at, count in enumerate(map(int, row.split())) for _ in range(count)] for row in FLEISS_1971_STYLE]
    assert fleiss_kappa(ratings).value == pytest.approx(0.210, abs=5e-4)


@pytest.mark.slow  # scikit-learn takes seconds to import
@pytest.mark.parametrize("level", ["nominal", "interval"])
def test_kappa_equals_another_implementation(level: str) -> None:
    from sklearn.metrics import cohen_kappa_score

    chance = random.Random(1)
    one = [chance.randint(1, 5) for _ in range(200)]
    two = [value if chance.random() < 0.6 else chance.randint(1, 5) for value in one]
    weights = "quadratic" if level == "interval" else None
    other = cohen_kappa_score(one, two, weights=weights)
    assert cohen_kappa(one, two, level=level).value == pytest.approx(other)  # type: ignore[arg-type]


def test_an_undefined_statistic_says_so() -> None:
    assert cohen_kappa(["a"] * 9, ["a"] * 9).value is None
    assert "one category" in cohen_kappa(["a"] * 9, ["a"] * 9).reason
    assert krippendorff_alpha([["a", "a"]] * 9).value is None
    assert gwet_ac1([["a", "a"]] * 9).value == 1.0
    assert gwet_ac1([["a", None]] * 9).value is None
    assert cohen_kappa([], []).value is None


def test_missing_ratings_are_left_out() -> None:
    one, two = ["a", "b", None, "a"], ["a", "b", "b", None]
    found = cohen_kappa(one, two, clusters=[1, 2, 3, 4])
    assert (found.value, found.num_items) == (1.0, 2)


RATINGS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=30)


@hypothesis.settings(max_examples=5)
@hypothesis.given(RATINGS, st.randoms(use_true_random=False))
def test_order_of_items_and_names_of_categories_mean_nothing(pairs: list[tuple[int, int]], chance: random.Random) -> None:
    mixed = chance.sample(pairs, len(pairs))
    for statistic in (gwet_ac1, fleiss_kappa, krippendorff_alpha):
        assert statistic(pairs) == statistic(mixed)
    renamed = [tuple("wxyz"[value] for value in pair) for pair in pairs]
    assert krippendorff_alpha(renamed) == krippendorff_alpha(pairs)


@hypothesis.settings(max_examples=10)
@hypothesis.given(RATINGS)
def test_values_stay_in_their_range_and_full_agreement_is_one(pairs: list[tuple[int, int]]) -> None:
    for statistic in (gwet_ac1, fleiss_kappa, krippendorff_alpha):
        found = statistic(pairs)
        assert found.value is None or -1.0 - 1e-9 <= found.value <= 1.0 + 1e-9
        same = statistic([(one, one) for one, _ in pairs])
        assert same.value is None or math.isclose(same.value, 1.0)


def test_more_items_give_a_narrower_interval_around_the_value() -> None:
    generator = np.random.default_rng(3)

    def interval(num: int) -> tuple[float, float, float]:
        one = generator.integers(0, 2, num)
        two = np.where(generator.random(num) < 0.8, one, 1 - one)
        found = cohen_kappa(one.tolist(), two.tolist())
        assert found.low is not None
        assert found.high is not None
        assert found.value is not None
        return found.low, found.value, found.high

    low, value, high = interval(100)
    narrow_low, narrow_value, narrow_high = interval(2_000)
    assert low < value < high
    assert narrow_low < narrow_value < narrow_high
    assert narrow_high - narrow_low < (high - low) / 2
    assert narrow_low < 0.6 < narrow_high


def test_clusters_widen_the_interval() -> None:
    generator = np.random.default_rng(4)
    base_one = generator.integers(0, 2, 60)
    base_two = np.where(generator.random(60) < 0.8, base_one, 1 - base_one)
    one, two = np.repeat(base_one, 10).tolist(), np.repeat(base_two, 10).tolist()
    alone = cohen_kappa(one, two)
    clustered = cohen_kappa(one, two, clusters=np.repeat(np.arange(60), 10).tolist())
    assert clustered.value == alone.value
    assert (clustered.num_items, clustered.num_clusters) == (600, 60)
    assert clustered.high - clustered.low > 2 * (alone.high - alone.low)  # type: ignore[operator]


def test_percent_agreement_counts_pairs_of_ratings_within_an_item() -> None:
    found = percent_agreement([["a", "a", "b"], ["a", "a", None], ["a", None, None]])
    assert found.value == pytest.approx((1 / 3 + 1) / 2)
    assert found.num_items == 2
    assert percent_agreement([["a", None]]).reason == "there is no item with two ratings"


def test_equal_rows_are_drawn_together_and_the_interval_is_that_of_drawing_them_one_by_one() -> None:
    ratings = [["a", "a"]] * 70 + [["a", "b"]] * 30
    found = percent_agreement(ratings)
    generator = np.random.default_rng(1)
    drawn = generator.binomial(100, 0.7, size=20_000) / 100  # what a bootstrap of a share is
    assert found.low == pytest.approx(np.quantile(drawn, 0.025), abs=0.011)
    assert found.high == pytest.approx(np.quantile(drawn, 0.975), abs=0.011)
