import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.config import EvaluationConfig, ReleaseConfig
from evaluation.statistics import (
    design_effect,
    detectable_effect,
    group_sign_test,
    items_needed,
    mcnemar,
    paired_bootstrap,
    wilson,
)
from evaluation.verdict import judge, measure

DIFFERENCES = st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 1.0]), st.sampled_from("abcdef")), min_size=1, max_size=60)


def interval(rows: list[tuple[float, str]], seed: int = 0) -> tuple[float, float]:
    values, groups = zip(*rows, strict=True)
    return paired_bootstrap(values, groups, samples=400, confidence=0.95, seed=seed)


@given(DIFFERENCES)
def test_the_interval_lies_in_the_possible_range_and_repeats(rows: list[tuple[float, str]]) -> None:
    low, high = interval(rows)
    assert -1 <= low <= high <= 1
    assert interval(rows) == (low, high)


@given(DIFFERENCES)
def test_swapping_the_models_mirrors_the_interval(rows: list[tuple[float, str]]) -> None:
    low, high = interval(rows)
    mirrored = interval([(-value, group) for value, group in rows])
    assert mirrored == pytest.approx((-high, -low))


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(200):
        values = (rng.random(200) < 0.55).astype(float) - (rng.random(200) < 0.45).astype(float)
        low, high = paired_bootstrap(list(values), [str(i) for i in range(200)], samples=500, confidence=0.9, seed=trial)
        hits += low <= 0.1 <= high
    assert 0.84 <= hits / 200 <= 0.96


def test_items_of_one_group_are_not_independent_evidence() -> None:
    singles = paired_bootstrap([1.0, -1.0, 1.0, 1.0] * 25, [str(i) for i in range(100)], samples=2000, confidence=0.95, seed=0)
    bunched = paired_bootstrap(
        [value for value in (1.0, -1.0, 1.0, 1.0) for _ in range(25)],
        [str(i // 25) for i in range(100)],
        samples=2000,
        confidence=0.95,
        seed=0,
    )
    assert bunched.high - bunched.low > 2 * (singles.high - singles.low)


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_two_sided_binomial_and_symmetric(gains: int, losses: int) -> None:
    total, fewer = gains + losses, min(gains, losses)
    tail = sum(math.comb(total, k) for k in range(fewer + 1)) / 2**total
    assert mcnemar(gains, losses) == pytest.approx(min(1.0, 2 * tail))
    assert mcnemar(gains, losses) == mcnemar(losses, gains)


@given(st.integers(1, 400), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_holds_the_share_and_stays_in_range(num_items: int, share: float, confidence: float) -> None:
    hits = round(share * num_items)
    low, high = wilson(hits, num_items, confidence)
    assert 0 <= low <= hits / num_items <= high <= 1
    assert high > low


def test_wilson_gives_the_known_value() -> None:
    assert wilson(8, 10, 0.95) == pytest.approx((0.4902, 0.9433), abs=1e-4)


@settings(deadline=None)
@given(DIFFERENCES, st.integers(0, 5))
def test_the_group_test_gives_a_probability_and_ignores_who_is_first(rows: list[tuple[float, str]], seed: int) -> None:
    values, groups = zip(*rows, strict=True)
    p_value = group_sign_test(values, groups, samples=100, seed=seed)
    assert 0 < p_value <= 1
    assert p_value == group_sign_test([-value for value in values], groups, samples=100, seed=seed)


def test_with_one_item_a_group_the_group_test_agrees_with_mcnemar() -> None:
    values = [1.0] * 38 + [-1.0] * 22 + [0.0] * 40
    p_value = group_sign_test(values, [str(i) for i in range(100)], samples=20_000, seed=1)
    assert p_value == pytest.approx(mcnemar(38, 22), abs=0.006)


def test_few_groups_never_give_a_small_p_value() -> None:
    assert group_sign_test([1.0] * 100, [str(i % 4) for i in range(100)], samples=2000, seed=0) == 2 / 16


def test_design_effect_is_the_group_size_when_a_group_answers_as_one() -> None:
    rng = np.random.default_rng(0)
    per_group = rng.choice([-1.0, 0.0, 1.0], 200)
    values = [float(value) for value in per_group for _ in range(5)]
    assert design_effect(values, [str(i // 5) for i in range(1000)]) == pytest.approx(5, rel=0.05)
    assert design_effect(values[::5], [str(i) for i in range(200)]) == pytest.approx(1, rel=0.02)


@given(st.floats(0.02, 0.9), st.floats(0, 1))
def test_the_items_needed_find_the_effect_they_were_computed_for(effect: float, discordant: float) -> None:
    needed = items_needed(effect, discordant, alpha=0.05)
    assert detectable_effect(needed, discordant, alpha=0.05) <= effect + 1e-3
    assert items_needed(effect, discordant, alpha=0.01) >= needed


def test_power_is_as_promised() -> None:
    rng = np.random.default_rng(3)
    num_items = items_needed(0.1, 0.3, alpha=0.05)
    found = 0
    for _ in range(400):
        draws = rng.random(num_items)
        found += mcnemar(int((draws < 0.2).sum()), int(((draws >= 0.2) & (draws < 0.3)).sum())) < 0.05
    assert 0.72 <= found / 400 <= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("group_size", [1, 5])
def test_two_equal_models_are_hardly_ever_told_apart(group_size: int) -> None:
    """A/A: with alpha 0.05, at most 5 % (and 2 % tolerance) of equal candidates pass, also when groups go together."""
    rng = np.random.default_rng(11)
    config, release = EvaluationConfig(bootstrap_samples=500), ReleaseConfig(alpha=0.05)
    num_groups, passed, trials = 300 // group_size, 0, 400
    groups = [str(i // group_size) for i in range(300)]
    for _ in range(trials):
        ours, theirs = (np.repeat(rng.random(num_groups) < 0.6, group_size).astype(float) for _ in range(2))
        passed += judge("base", measure(list(ours), list(theirs), groups, config), 0.0, release)[0] == "pass"
    assert passed / trials <= 0.05 + 0.02
