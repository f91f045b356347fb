"""Length is taken out: a judge of length alone comes to a half, a judge of quality keeps its verdict."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from curation.judging.length_control import correct_margin, fit_length_control, length_correlation

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
    assert np.mean(rates) == pytest.approx(0.5, abs=0.04)
    assert all(0.4 < rate < 0.62 for rate in rates)


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
