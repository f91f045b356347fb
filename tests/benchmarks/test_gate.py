"""The simulated gates draw what they say, and decide as a recipe does."""

import numpy as np
import pytest

from benchmarks.gate import BASE_ACCURACY, DISCORDANT, GAIN, decide, draw, share_promoted
from evaluation.release.config import ReleaseConfig


def test_answers_are_drawn_with_the_shares_that_the_figures_name() -> None:
    base, candidate = draw(np.random.default_rng(0), 200_000, GAIN)
    assert base.mean() == pytest.approx(BASE_ACCURACY, abs=0.005)
    assert candidate.mean() - base.mean() == pytest.approx(GAIN, abs=0.005)
    assert (base != candidate).mean() == pytest.approx(DISCORDANT, abs=0.005)


def test_noise_is_refused_and_a_better_candidate_promoted_by_the_defaults() -> None:
    rng = np.random.default_rng(1)
    assert decide(*draw(rng, 1000, 0.0), ReleaseConfig(), 0).verdict != "pass"
    assert decide(*draw(rng, 4000, GAIN), ReleaseConfig(), 0).verdict == "pass"


@pytest.mark.slow
def test_the_defaults_rarely_promote_noise_and_mostly_find_five_points() -> None:
    noise, _ = share_promoted(150, 0.0, ReleaseConfig(), 5)
    grouped, _ = share_promoted(150, 0.0, ReleaseConfig(), 6, 4)
    found, unpaired = share_promoted(150, GAIN, ReleaseConfig(), 7)
    assert max(noise, grouped) <= 0.05
    assert found >= 0.85
    assert found > unpaired
