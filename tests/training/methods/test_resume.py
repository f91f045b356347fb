"""Methods that write answers go on after an interruption with exactly the answers that they had: the same model comes out."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.training.methods.two_words import LORA, QUICK, World
from training.config import PpoConfig, RlConfig, StageConfig
from training.parent_watch import Stop

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]
"""The libraries warn about each other."""

RL = RlConfig(max_new_tokens=6, kl_coefficient=0.05)
STAGES = {
    "ppo": StageConfig(method="ppo", rl=RL, ppo=PpoConfig(epochs=4, target_kl=1.0), max_steps=10, learning_rate=0.002, **QUICK),
    "grpo": StageConfig(
        method="grpo", rl=replace(RL, num_generations=4, resample_groups=2), max_steps=6, learning_rate=0.002, **QUICK
    ),
    "rloo": StageConfig(method="rloo", rl=replace(RL, num_generations=4), max_steps=6, learning_rate=0.002, **QUICK),
}


def manifest(output: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((output / "manifest.json").read_text())
    return found


@pytest.mark.parametrize("tuning", ["full", "lora"])
@pytest.mark.parametrize("method", STAGES)
def test_a_stopped_run_goes_on_to_the_same_model(world: World, start: Path, method: str, tuning: Any) -> None:
    stage = replace(
        STAGES[method], tuning=tuning, lora=LORA if tuning == "lora" else None, gradient_accumulation=2, batch_size=8
    )
    unbroken = world.run(stage, f"unbroken-{method}-{tuning}", parent_model=str(start))
    stop = Stop()

    def interrupt(line: str) -> None:
        stop.signal = 15 if "step 3/" in line or "step 1/" in line else stop.signal

    name = f"stopped-{method}-{tuning}"
    with pytest.raises(SystemExit):
        world.run(stage, name, parent_model=str(start), stop=stop, say=interrupt)
    said: list[str] = []
    output = world.run(stage, name, parent_model=str(start), say=said.append)
    assert any("going on from step-0000000" in line for line in said)
    ours, theirs = ((folder / "model.safetensors").read_bytes() for folder in (output, unbroken))
    assert ours == theirs
    assert manifest(output)["trained_tokens"] == manifest(unbroken)["trained_tokens"]
    assert manifest(output)["loss_curve"][-1]["reward"] == manifest(unbroken)["loss_curve"][-1]["reward"]
