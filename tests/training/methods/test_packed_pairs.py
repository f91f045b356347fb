"""DPO with packed pairs, through the process that training really is, on a model of 2 layers and width 32."""

import json
from pathlib import Path
from typing import Any

import pytest

from curation.errors import ConfigError
from tests.training.conftest import Bench
from training.config import PreferenceConfig, StageConfig
from training.parent_watch import Stop

PACKED: dict[str, Any] = {
    "method": "dpo", "tuning": "full", "learning_rate": 0.003, "packing": True, "tokens_per_batch": 512, "max_length": 128,
    "gradient_accumulation": 2, "gradient_checkpointing": False, "epochs": 3, "checkpoint_every_steps": 0,
}  # fmt: skip

runs = pytest.mark.filterwarnings("ignore")


def packed(**changes: Any) -> StageConfig:
    return StageConfig(**{**PACKED, **changes})


def curve(output: Path) -> list[dict[str, float]]:
    points: list[dict[str, float]] = json.loads((output / "manifest.json").read_text())["loss_curve"]
    return points


@pytest.mark.slow
@runs
@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_the_chosen_answer_comes_to_lead(bench: Bench, tuning: str) -> None:
    points = curve(bench.run(bench.spec(packed(tuning=tuning, learning_rate=0.01), name=f"pairs-{tuning}")))
    assert points[0]["loss"] == pytest.approx(0.6931, abs=1e-3)
    assert points[-1]["loss"] < 0.5
    assert points[-1]["accuracy"] > 0.9


@pytest.mark.slow
@runs
def test_losses_are_those_of_trl(bench: Bench) -> None:
    """Steps that see all pairs: packed, and padded by TRL, the same losses step by step."""
    shape: dict[str, Any] = {"epochs": 3, "learning_rate": 0.001, "gradient_accumulation": 1}
    ours = curve(bench.run(bench.spec(packed(**shape, tokens_per_batch=8192), name="pairs-once")))
    padded = packed(**shape, packing=False, tokens_per_batch=None, batch_size=32)
    theirs = curve(bench.run(bench.spec(padded, name="pairs-trl")))
    assert len(ours) == len(theirs) == 3
    assert [point["loss"] for point in ours] == pytest.approx([point["loss"] for point in theirs], abs=1e-3)


@pytest.mark.slow
@runs
def test_an_interrupted_run_ends_as_the_unbroken_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.progress.seconds_between", lambda elapsed: 0.0)
    unbroken = bench.run(bench.spec(packed(), name="pairs-whole"))
    stop = Stop()

    def say(line: str) -> None:
        if "step 2/" in line:
            stop.signal = 15

    with pytest.raises(SystemExit):
        bench.run(bench.spec(packed(), name="pairs-broken"), say=say, stop=stop)
    resumed = bench.run(bench.spec(packed(), name="pairs-broken"))
    assert (resumed / "model.safetensors").read_bytes() == (unbroken / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preference": PreferenceConfig(loss="ipo")}, "packing: of dpo needs loss sigmoid"),
        ({"optimizer": "adamw_8bit", "gradient_accumulation": 1}, "optimizer: adamw_8bit counts for dapt, sft"),
    ],
)
def test_what_packed_pairs_cannot_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        packed(**changes)


def test_every_pair_of_a_step_counts_the_same() -> None:
    from training.methods.packed_pairs import PackedPairs

    columns = {name: [[1, 2]] * 5 for name in ("prompt_ids", "chosen_ids", "rejected_ids")}
    pairs = PackedPairs(columns, [(0, 1, 2), (3,), (4,)], group=2)
    assert [pairs[number]["share"] for number in range(3)] == [1.5, 0.5, 1.0]
