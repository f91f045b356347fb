import math
from typing import Any

import dagster as dg
import pytest

from assets.health import health_facts, health_result
from curation.store import Snapshot
from training.config import BaseModelConfig, StageConfig


def result_of(curve: list[dict[str, float]], config: BaseModelConfig | StageConfig) -> dg.AssetCheckResult:
    manifest = {"loss_curve": curve, "num_steps": len(curve)}
    values: dict[str, Any] = {
        "loss_curve": [[point["step"], point["loss"]] for point in curve],
        **health_facts(manifest, config),
    }
    return health_result(Snapshot(asset="toy/sft_model", partition="", version="", values=values))


def curve_of(loss: Any, **more: Any) -> list[dict[str, float]]:
    return [{"step": step, "loss": loss(step), **{name: value(step) for name, value in more.items()}} for step in range(1, 81)]


SFT = StageConfig(method="sft")


def test_a_training_that_went_well_passes_and_shows_its_curve() -> None:
    result = result_of(curve_of(lambda step: 1 + 3 * math.exp(-step / 20)), SFT)
    assert result.passed
    assert "loss 3.854 at step 1" in str(result.metadata["loss"].value)


@pytest.mark.parametrize(("loss", "more", "severity", "said"), [
    (lambda step: 2.0 + 0.1 * step, {}, "ERROR", "divergence at step"),
    (lambda step: 1 + 3 * math.exp(-step / 20), {"grad_norm": lambda step: 0.0}, "ERROR", "dead_gradient at step 3"),
    (lambda step: 8.0 if step == 50 else 1 + math.exp(-step / 20), {}, "WARN", "loss_spike at step 50"),
    (lambda step: 1.0 + 1e-4 * step, {}, "WARN", "no_progress"),
    (lambda step: 0.005 - 1e-5 * step, {}, "WARN", "after 12% of an epoch"),
])  # fmt: skip
def test_signs_of_trouble_fail_the_check_and_say_what_to_do(loss: Any, more: dict[str, Any], severity: str, said: str) -> None:
    result = result_of(curve_of(loss, **more), SFT)
    assert not result.passed
    assert result.severity.value == severity
    assert said in str(result.description)
    assert "| advice |" in str(result.metadata["signs"].value)


def test_rows_may_be_known_by_heart_after_an_epoch() -> None:
    """The recipe names no epochs: the preset of sft is two, of 40 steps each."""
    assert result_of(curve_of(lambda step: 1.0 / step if step < 50 else 0.005 - 1e-5 * step), SFT).passed


def test_a_base_model_has_no_curve() -> None:
    assert result_of([], BaseModelConfig()).passed


def test_few_points_still_have_to_fall() -> None:
    rising = [{"step": 1.0, "loss": 1.0}, {"step": 2.0, "loss": 1.5}]
    assert not result_of(rising, SFT).passed
    assert result_of(rising[::-1], SFT).passed
