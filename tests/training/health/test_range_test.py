import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.conftest import Bench
from training.config import StageConfig
from training.health.range_command import main
from training.health.range_test import SLOWER, find_safe_range, has_diverged, spread_rates, suggest_rate

RATES = spread_rates(1e-6, 1.0, 100)


def loss_at(rate: float, *, fall: float = 1e-3, rise: float = 0.1) -> float:
    """Return a loss that falls around one rate and explodes above another."""
    return 1 + 3 / (1 + (rate / fall) ** 2) + (rate / rise) ** 4


def test_rates_grow_by_one_factor() -> None:
    assert RATES[0] == 1e-6
    assert RATES[-1] == pytest.approx(1.0)
    assert len({round(later / earlier, 9) for earlier, later in zip(RATES, RATES[1:], strict=False)}) == 1


@given(fall=st.floats(1e-4, 1e-2))
def test_the_suggested_rate_lies_where_the_loss_falls(fall: float) -> None:
    result = suggest_rate(RATES, [loss_at(rate, fall=fall) for rate in RATES])
    assert fall / 3 < result.steepest < 10 * fall
    assert result.suggested <= result.best
    assert 0.1 < result.diverged < 1


def test_a_loss_that_never_falls_suggests_nothing() -> None:
    result = suggest_rate(RATES, [2.0 + rate for rate in RATES])
    assert math.isnan(result.suggested)
    assert math.isnan(result.diverged)


def test_a_loss_that_becomes_nan_ends_the_test_there() -> None:
    losses = [loss_at(rate) if rate < 0.05 else math.nan for rate in RATES]
    result = suggest_rate(RATES, losses)
    assert result.diverged == next(rate for rate in RATES if rate >= 0.05)
    assert has_diverged(losses)
    assert not has_diverged(losses[:60])


def test_no_losses_at_all() -> None:
    assert all(map(math.isnan, suggest_rate(RATES, [])))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_a_real_stage(bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str], tuning: Any) -> None:
    config = StageConfig(method="sft", tuning=tuning, batch_size=8, gradient_accumulation=1, max_length=128)
    spec = bench.spec(config, name=f"range_{tuning}")
    assert main([str(spec.write(tmp_path / "spec.json"))]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert 1e-4 < found["suggested"] < 0.5
    rates = [rate for rate, _ in found["curve"]]
    assert rates == sorted(rates)
    assert found["lowest"] < found["suggested"] < found["highest"] == found["best"]
    assert (found["learning_rate"], found["steps"]) == (0.0002 * (10 if tuning == "lora" else 1), len(found["curve"]))
    assert found["tokens"] > 0
    assert found["curve"][0][1] > min(loss for _, loss in found["curve"] if loss is not None)


@given(fall=st.floats(1e-4, 1e-2))
def test_the_safe_range_ends_where_the_loss_rises_again(fall: float) -> None:
    losses = [loss_at(rate, fall=fall) for rate in RATES]
    safe, result = find_safe_range(RATES, losses), suggest_rate(RATES, losses)
    assert safe.lowest < fall < safe.highest == result.best
    assert safe.lowest <= result.suggested / SLOWER
    assert safe.highest < result.diverged


def test_noise_before_the_fall_does_not_open_the_range() -> None:
    losses = [loss_at(rate) + (0.2 if number % 2 else -0.2) for number, rate in enumerate(RATES)]
    quiet = find_safe_range(RATES, [loss_at(rate) for rate in RATES])
    assert find_safe_range(RATES, losses).lowest == pytest.approx(quiet.lowest, rel=2)


def test_nothing_is_safe_where_the_loss_never_falls() -> None:
    assert all(map(math.isnan, find_safe_range(RATES, [2.0 + rate for rate in RATES])))
