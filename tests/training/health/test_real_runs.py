"""The same detectors on curves of real trainings of a model of two layers."""

import json
from pathlib import Path
from typing import Any

import pytest

from curation.errors import TrainingFailedError
from tests.training.conftest import Bench
from training.config import StageConfig
from training.health.detect import find_signs

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
STEPS: dict[str, Any] = {
    "max_steps": 60, "batch_size": 8, "gradient_accumulation": 1, "max_length": 128, "gradient_checkpointing": False,
    "checkpoint_every_steps": 0, "tuning": "full",
}  # fmt: skip


def signs_of(output: Path) -> set[str]:
    return {sign.name for sign in find_signs(json.loads((output / "manifest.json").read_text())["loss_curve"])}


@pytest.mark.parametrize(("method", "changes"), [
    ("dapt", {"learning_rate": 0.003}),
    ("sft", {"learning_rate": 0.003}),
    ("sft", {"learning_rate": 0.01, "tuning": "lora"}),
    ("dpo", {"learning_rate": 0.0003}),
])  # fmt: skip
def test_trainings_that_went_well_show_nothing(bench: Bench, method: Any, changes: dict[str, Any]) -> None:
    config = StageConfig(**{**STEPS, **changes, "method": method})
    assert signs_of(bench.run(bench.spec(config, name=f"clean_{method}_{config.tuning}"))) == set()


def test_a_learning_rate_far_too_high_stops_the_run(bench: Bench) -> None:
    trained = bench.run(bench.spec(StageConfig(**STEPS, method="sft", learning_rate=0.003), name="learnt"))
    config = StageConfig(**{**STEPS, "method": "sft", "learning_rate": 0.5, "warmup_ratio": 0.4})
    with pytest.raises(TrainingFailedError, match="the loss rises and stays up|became nan") as failed:
        bench.run(bench.spec(config, name="too_high", parent=trained))
    assert "the learning rate" in str(failed.value), "it says what to do"
    assert not (bench.folder / "too_high" / "output").exists()


def test_a_learning_rate_far_too_low_is_seen(bench: Bench) -> None:
    config = StageConfig(**STEPS, method="sft", learning_rate=1e-12)
    assert signs_of(bench.run(bench.spec(config, name="too_low"))) <= {"no_progress"}


def test_gradients_that_reach_nothing_are_seen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from training import learning

    build = learning.build_trainer

    def cut_off(job: Any) -> Any:
        trainer = build(job)
        compute = trainer.compute_loss
        trainer.compute_loss = lambda *given, **named: compute(*given, **named) * 0.0
        return trainer

    monkeypatch.setattr(learning, "build_trainer", cut_off)
    output = bench.run(bench.spec(StageConfig(**STEPS, method="sft", learning_rate=0.003), name="cut_off"))
    assert "dead_gradient" in signs_of(output)
