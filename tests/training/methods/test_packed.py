"""Packed training through the process that training really is, on a model of 2 layers and width 32."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import Bench
from training.config import LoraConfig, StageConfig
from training.parent_watch import Stop

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]

PACKED: dict[str, Any] = {
    "method": "sft", "tuning": "full", "learning_rate": 0.01, "packing": True, "tokens_per_batch": 512, "max_length": 128,
    "gradient_accumulation": 2, "gradient_checkpointing": False, "epochs": 4, "checkpoint_every_steps": 0,
}  # fmt: skip


def packed(**changes: Any) -> StageConfig:
    return StageConfig(**{**PACKED, **changes})


def read_manifest(output: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((output / "manifest.json").read_text())
    return manifest


def losses(output: Path) -> list[float]:
    return [point["loss"] for point in read_manifest(output)["loss_curve"]]


def weights(output: Path) -> bytes:
    return (output / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def whole(bench: Bench) -> Path:
    return bench.run(bench.spec(packed(), name="packed"))


def test_it_learns_every_token_once_an_epoch(bench: Bench, whole: Path) -> None:
    padded = bench.run(bench.spec(packed(packing=False, tokens_per_batch=None, batch_size=8), name="padded"))
    assert losses(whole)[-1] < 0.7 * losses(whole)[0]
    assert read_manifest(whole)["trained_tokens"] == read_manifest(padded)["trained_tokens"]


def test_the_first_loss_is_that_of_padded_rows(bench: Bench) -> None:
    """All rows in one step, packed or padded: the same mean over the same learnt tokens."""
    one = bench.run(bench.spec(packed(epochs=1, tokens_per_batch=8192, gradient_accumulation=1), name="packed-once"))
    two = packed(epochs=1, packing=False, tokens_per_batch=None, batch_size=32, gradient_accumulation=1)
    assert losses(one)[0] == pytest.approx(losses(bench.run(bench.spec(two, name="padded-once")))[0], rel=1e-3)


def test_the_same_run_gives_the_same_bytes(bench: Bench, whole: Path) -> None:
    assert weights(bench.run(bench.spec(packed(), name="packed-again"))) == weights(whole)


def test_states_on_the_host_change_nothing_but_their_place(bench: Bench) -> None:
    on_device, on_host = (
        bench.run(bench.spec(packed(optimizer=name, gradient_accumulation=1), name=f"packed-{name}"))
        for name in ("adamw_8bit", "adamw_8bit_offloaded")
    )
    assert weights(on_host) == weights(on_device)


@pytest.mark.parametrize("changes", [{}, {"optimizer": "adamw_8bit", "gradient_accumulation": 1}, {"tuning": "lora"}])
def test_an_interrupted_run_ends_as_the_unbroken_one(
    bench: Bench, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.progress.seconds_between", lambda elapsed: 0.0)
    name = "-".join(["broken", *map(str, changes.values())])
    unbroken = bench.run(bench.spec(packed(**changes), name=f"{name}-not"))
    stop, after = Stop(), random.Random(0).randrange(2, 4)

    def say(line: str) -> None:
        if f"step {after}/" in line:
            stop.signal = 15

    with pytest.raises(SystemExit):
        bench.run(bench.spec(packed(**changes), name=name), say=say, stop=stop)
    resumed = bench.run(bench.spec(packed(**changes), name=name))
    assert weights(resumed) == weights(unbroken)
    assert read_manifest(resumed)["trained_tokens"] == read_manifest(unbroken)["trained_tokens"]


def test_adapters_are_merged(bench: Bench) -> None:
    output = bench.run(bench.spec(packed(tuning="lora", lora=LoraConfig(rank=8)), name="packed-lora"))
    assert losses(output)[-1] < losses(output)[0]
    assert (output / "adapter" / "adapter_model.safetensors").exists()
    config = json.loads((output / "config.json").read_text())
    assert "lora" not in str(config).lower()


def test_dapt_packs_its_blocks(bench: Bench) -> None:
    output = bench.run(bench.spec(packed(method="dapt", epochs=6), name="packed-dapt"))
    assert losses(output)[-1] < 0.9 * losses(output)[0]
