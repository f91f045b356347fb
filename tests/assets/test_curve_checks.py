"""Each thing that can go wrong in a training is a check of its own, with its plot."""

import math
from typing import Any

import dagster as dg
import pytest

from assets.curve_checks import ASPECTS, curve_checks, curve_results
from assets.health import health_facts
from assets.training_page import CURVES
from curation.store import Snapshot
from training.config import BaseModelConfig, RlConfig, StageConfig
from training.config.stopping import EarlyStoppingConfig
from training.health.signs import SIGNS

SFT = StageConfig(method="sft", early_stopping=EarlyStoppingConfig())
GRPO = StageConfig(method="grpo", rl=RlConfig())


def curve_of(**values: Any) -> list[dict[str, float]]:
    falling = {"loss": lambda step: 1 + 3 * math.exp(-step / 20), "grad_norm": lambda _: 1.0, "learning_rate": lambda _: 1e-4}
    return [{"step": step, **{name: value(step) for name, value in {**falling, **values}.items()}} for step in range(1, 81)]


def results_of(curve: list[dict[str, float]], config: StageConfig) -> dict[str, dg.AssetCheckResult]:
    curves = {name: [[p["step"], p[name]] for p in curve if name in p] for name in CURVES if name in curve[-1]}
    facts = health_facts({"loss_curve": curve, "num_steps": len(curve)}, config)
    values = {"loss_curve": [[p["step"], p["loss"]] for p in curve], "curves": curves, **facts}
    snapshot = Snapshot(asset="toy/m", partition="", version="", values=values)
    return {str(result.check_name): result for result in curve_results(snapshot, config)}


def test_every_sign_belongs_to_one_check_and_every_plot_is_kept() -> None:
    shown = [sign for aspect in ASPECTS for sign in aspect.signs]
    assert sorted(shown) == sorted(SIGNS)
    assert {curve for aspect in ASPECTS for curve in aspect.curves} <= {"loss", *CURVES}


@pytest.mark.parametrize(("config", "names"), [
    (BaseModelConfig(), set()),
    (StageConfig(method="sft"), {"loss_steady", "gradient_norms", "learning_rate"}),
    (SFT, {"loss_steady", "gradient_norms", "learning_rate", "overfit_gap"}),
    (StageConfig(method="dpo"), {"loss_steady", "gradient_norms", "learning_rate", "pairs_told_apart"}),
    (GRPO, {"gradient_norms", "learning_rate", "reward_hacking"}),
    (StageConfig(method="sft", tuning="full", packing=True, optimizer="adamw_8bit"), {"loss_steady", "learning_rate"}),
])  # fmt: skip
def test_a_model_has_the_checks_that_it_can_fail(config: Any, names: set[str]) -> None:
    specs = curve_checks(["toy", "m"], config)
    assert {spec.name for spec in specs} == names
    assert not any(spec.blocking for spec in specs), "training_health blocks"


def test_a_training_that_went_well_passes_all_and_shows_its_curves() -> None:
    results = results_of(curve_of(held_out_loss=lambda step: 2 + math.exp(-step / 20)), SFT)
    assert all(result.passed for result in results.values())
    assert "loss 3.854 at step 1" in str(results["loss_steady"].metadata["loss"].value)
    assert {"held_out_loss", "loss"} <= results["overfit_gap"].metadata.keys()
    assert "grad norm 1.000" in str(results["gradient_norms"].metadata["grad_norm"].value)


@pytest.mark.parametrize(("config", "fault", "check", "severity"), [
    (SFT, {"loss": lambda step: 2.0 + 0.1 * step}, "loss_steady", "ERROR"),
    (SFT, {"grad_norm": lambda step: 0.0}, "gradient_norms", "ERROR"),
    (SFT, {"learning_rate": lambda step: 0.0}, "learning_rate", "ERROR"),
    (SFT, {"held_out_loss": lambda step: 2 + abs(step - 30) / 30}, "overfit_gap", "WARN"),
    (GRPO, {"reward": lambda s: s / 80, "answer_tokens": lambda s: 20.0 + s, "kl": lambda s: 0.1}, "reward_hacking", "WARN"),
])  # fmt: skip
def test_a_fault_fails_its_check_alone(config: StageConfig, fault: dict[str, Any], check: str, severity: str) -> None:
    whole = fault if config is GRPO else {"held_out_loss": lambda step: 2 + math.exp(-step / 20), **fault}
    results = results_of(curve_of(**whole), config)
    assert {name for name, result in results.items() if not result.passed} == {check}
    assert results[check].severity.value == severity
    assert "| advice |" in str(results[check].metadata["signs"].value)


def test_a_curve_that_was_not_logged_is_no_proof() -> None:
    result = results_of(curve_of(), SFT)["overfit_gap"]
    assert not result.passed
    assert result.description == "The run logged no held_out_loss, so nothing is known."
