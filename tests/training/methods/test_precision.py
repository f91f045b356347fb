"""What is trained is held in float32, whatever it computes in: a step of Adam is smaller than the distance of bf16 values."""

from pathlib import Path
from typing import Any

import pytest

from tests.training.methods.two_words import LORA, QUICK, World
from training import learning
from training.config import PreferenceConfig, RlConfig, StageConfig
from training.methods.job import Job

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]
"""The libraries warn about each other."""

GROUPED = {"rl": RlConfig(num_generations=4, max_new_tokens=6)}
STAGES: dict[str, dict[str, Any]] = {
    "sft": {"method": "sft"},
    "sft, packed": {"method": "sft", "packing": True, "tokens_per_batch": 256},
    "dpo": {"method": "dpo"},
    "dpo, packed": {"method": "dpo", "packing": True, "tokens_per_batch": 256},
    "simpo": {"method": "dpo", "preference": PreferenceConfig(loss="simpo")},
    "orpo": {"method": "orpo"},
    "kto": {"method": "kto"},
    "reward": {"method": "reward"},
    "grpo": {"method": "grpo", **GROUPED},
    "rloo": {"method": "rloo", **GROUPED},
    "ppo": {"method": "ppo", "rl": RlConfig(max_new_tokens=6)},
}


@pytest.mark.parametrize("tuning", ["full", "lora"])
@pytest.mark.parametrize("name", STAGES)
def test_trained_weights_are_held_in_float32(
    world: World, base: Path, monkeypatch: pytest.MonkeyPatch, name: str, tuning: Any
) -> None:
    import torch

    build, found = learning.build_trainer, list[Any]()

    def look(job: Job) -> None:
        found.extend(weight.dtype for weight in build(job).model.parameters() if weight.requires_grad)
        raise SystemExit(0)

    monkeypatch.setattr(learning, "build_trainer", look)
    lora = LORA if tuning == "lora" else None
    stage = StageConfig(tuning=tuning, lora=lora, max_steps=1, precision="bf16", **{**QUICK, **STAGES[name]})
    with pytest.raises(SystemExit):
        world.run(stage, f"precision-{name}-{tuning}", parent_model=str(base))
    assert set(found) == {torch.float32}
