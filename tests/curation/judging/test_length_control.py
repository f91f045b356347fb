"""Length is taken out: a judge of length alone comes to a half, a judge of quality keeps its verdict."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from curation.judging.length_control import controlled_interval, correct_margin, fit_length_control, length_correlation

GENERATOR = np.random.default_rng(7)
MOSTLY_LONGER = GENERATOR.normal(60.0, 100.0, 800)


def test_a_judge_of_length_alone_comes_to_a_half() -> None:
    rates = []
    for seed in range(10):
        delta = np.random.default_rng(seed).normal(60.0, 100.0, 800)
        fit = fit_length_control(delta.tolist(), (delta > 0).astype(float).tolist())
        assert fit.win_rate > 0.68
        assert fit.slope > 5
        assert fit.correlation > 0.8
        rates.append(fit.controlled)
    assert rates == pytest.approx([0.5] * 10, abs=0.03)


def test_a_judge_of_quality_keeps_its_verdict() -> None:
    preferences = (GENERATOR.random(800) < 0.7).astype(float)
    fit = fit_length_control(MOSTLY_LONGER.tolist(), preferences.tolist())
    assert fit.controlled == pytest.approx(0.7, abs=0.05)
    assert abs(fit.slope) < 3 * fit.slope_error


def test_the_coefficients_of_a_known_model_are_found() -> None:
    generator = np.random.default_rng(11)
    delta = generator.normal(0.0, 50.0, 20_000)
    scale = np.sqrt(np.mean(delta**2))
    odds = 0.4 + 1.5 * np.tanh(delta / scale)
    preferences = (generator.random(len(delta)) < 1 / (1 + np.exp(-odds))).astype(float)
    fit = fit_length_control(delta.tolist(), preferences.tolist())
    assert fit.intercept == pytest.approx(0.4, abs=0.05)
    assert fit.slope == pytest.approx(1.5, abs=0.1)
    assert fit.controlled == pytest.approx(1 / (1 + np.exp(-0.4)), abs=0.012)


@pytest.mark.parametrize("slope", [0.0, 1.5])
def test_the_interval_holds_what_is_true_and_a_planted_advantage_is_found(slope: float) -> None:
    num_covered = 0
    for seed in range(8):
        generator = np.random.default_rng(seed)
        delta = generator.normal(60.0, 100.0, 400)
        chance = 1 / (1 + np.exp(-np.log(1.5) - slope * np.tanh(delta / 117)))
        preferences = (generator.random(400) < chance).astype(float)
        fit = fit_length_control(delta.tolist(), preferences.tolist())
        low, high = controlled_interval(delta.tolist(), preferences.tolist(), range(400), num_resamples=100)
        assert low < fit.controlled < high
        assert high - low < 0.17
        num_covered += low <= 0.6 <= high
    assert num_covered >= 6


def test_where_length_decides_everything_nothing_is_claimed_about_equal_length() -> None:
    preferences = (MOSTLY_LONGER > 0).astype(float)
    low, high = controlled_interval(MOSTLY_LONGER.tolist(), preferences.tolist(), range(800), num_resamples=200)
    assert low < 0.1
    assert high > 0.9


def test_pairs_of_one_group_are_drawn_together() -> None:
    deltas = np.repeat(GENERATOR.normal(0.0, 100.0, 60), 10)
    preferences = np.repeat((GENERATOR.random(60) < 0.6).astype(float), 10)
    alone = controlled_interval(deltas.tolist(), preferences.tolist(), range(600), num_resamples=300)
    grouped = controlled_interval(deltas.tolist(), preferences.tolist(), (np.arange(600) // 10).tolist(), num_resamples=300)
    assert grouped[1] - grouped[0] > 1.8 * (alone[1] - alone[0])
    assert controlled_interval([], [], []) == (0.0, 1.0)


def test_a_margin_loses_what_length_explains() -> None:
    fit = fit_length_control(MOSTLY_LONGER.tolist(), (MOSTLY_LONGER > 0).astype(float).tolist())
    assert abs(correct_margin(1.0, 300.0, fit)) < 0.1
    assert correct_margin(-1.0, 300.0, fit) < -1.5
    assert correct_margin(0.5, 0.0, fit) == 0.5


def test_correlation_of_chosen_and_longer() -> None:
    assert length_correlation([10, -10, 20, -20]) == pytest.approx(0.0)
    assert length_correlation([100, 100, 100]) == pytest.approx(1.0)
    assert length_correlation([-5, -5]) == pytest.approx(-1.0)
    assert length_correlation([]) == 0.0
    assert length_correlation([0, 0]) == 0.0


DIFFERENCES = st.lists(st.tuples(st.integers(-10_000, 10_000), st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=40)


@hypothesis.given(DIFFERENCES)
def test_calling_the_answers_the_other_way_round_mirrors_the_fit(rows: list[tuple[int, float]]) -> None:
    fit = fit_length_control([delta for delta, _ in rows], [worth for _, worth in rows])
    mirrored = fit_length_control([-delta for delta, _ in rows], [1 - worth for _, worth in rows])
    assert mirrored.slope == pytest.approx(fit.slope, abs=1e-6)
    assert mirrored.intercept == pytest.approx(-fit.intercept, abs=1e-6)
    assert mirrored.correlation == pytest.approx(fit.correlation)
    assert all(np.isfinite([fit.slope, fit.intercept, fit.slope_error, fit.controlled]))
    assert fit_length_control([d for d, _ in rows], [w for _, w in rows], has_intercept=False).controlled == 0.5
