"""A run of the real training process that meets the end of its memory, simulated on the CPU."""

import json
from pathlib import Path
from typing import Any

import pytest

from curation.errors import MemoryExhaustedError, TrainingFailedError
from tests.training.conftest import Bench
from training.config import StageConfig
from training.memory.oom import Batching, read_batching
from training.methods.job import Job

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
SHAPE: dict[str, Any] = {
    "method": "sft", "tuning": "lora", "max_steps": 6, "max_length": 128, "learning_rate": 0.01, "batch_size": 8,
    "gradient_accumulation": 1, "gradient_checkpointing": False, "checkpoint_every_steps": 2,
}  # fmt: skip


def limit_rows(monkeypatch: pytest.MonkeyPatch, rows: int, *, from_step: int = 0, tokens: int = 10**9) -> list[Batching]:
    """Let a forward pass of more rows or tokens fail as on a full device, from a step on; return what was tried."""
    from training import learning

    build, tried = learning.build_trainer, list[Batching]()

    def build_limited(job: Job) -> Any:
        trainer = build(job)
        tried.append(Batching(job.stage.batch_size or 0, job.stage.gradient_accumulation or 0))

        def refuse(module: Any, _: Any, given: dict[str, Any]) -> None:
            is_too_much = len(given["input_ids"]) > rows or given["input_ids"].numel() > tokens
            if is_too_much and trainer.state.global_step >= from_step:
                import torch

                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

        trainer.model.get_input_embeddings().register_forward_pre_hook(
            lambda module, given: refuse(module, None, {"input_ids": given[0]})
        )
        return trainer

    monkeypatch.setattr(learning, "build_trainer", build_limited)
    return tried


def curve(output: Path) -> list[dict[str, float]]:
    points: list[dict[str, float]] = json.loads((output / "manifest.json").read_text())["loss_curve"]
    return points


def test_a_run_that_meets_the_end_of_memory_learns_the_same(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    config = StageConfig(**SHAPE)
    whole = curve(bench.run(bench.spec(config, name="whole")))
    tried = limit_rows(monkeypatch, 2, from_step=3)
    spec = bench.spec(config, name="short-of-memory")
    found = curve(bench.run(spec))
    assert tried == [Batching(8, 1), Batching(4, 2), Batching(2, 4)]
    assert [point["step"] for point in found] == [point["step"] for point in whole]
    for one, other in zip(whole, found, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], abs=1e-4)
    assert any("going on from step-00000002" in line for line in bench.said), "it did not begin anew"


def test_the_batching_that_fits_is_remembered(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    limit_rows(monkeypatch, 0)
    spec = bench.spec(StageConfig(**SHAPE), name="hopeless")
    with pytest.raises(MemoryExhaustedError, match="'sft' ran out of memory with 1 rows"):
        bench.run(spec)
    assert read_batching(Path(spec.work_folder), spec.fingerprint, Batching(8, 1)) == Batching(1, 8)


def test_one_of_several_processes_leaves_it_to_the_next_start(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from training.memory import fitting

    limit_rows(monkeypatch, 2)
    monkeypatch.setattr(fitting, "world_size", lambda: 2)
    spec = bench.spec(StageConfig(**SHAPE), name="one-of-two")
    with pytest.raises(TrainingFailedError, match="the next start goes on with 4 instead of 8"):
        bench.run(spec)
    assert read_batching(Path(spec.work_folder), spec.fingerprint, Batching(8, 1)) == Batching(4, 2)


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_the_dry_step_changes_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch, tuning: str) -> None:
    from training import learning

    config = StageConfig(**{**SHAPE, "tuning": tuning})
    plain = bench.run(bench.spec(config, name=f"plain-{tuning}"))
    monkeypatch.setattr(learning, "tries_longest_batch", lambda job: True)
    bench.said.clear()
    tried = bench.run(bench.spec(config, name=f"tried-{tuning}"))
    assert any("trying the longest batch first: 8 rows" in line for line in bench.said)
    assert curve(tried) == curve(plain)
    assert (tried / "model.safetensors").read_bytes() == (plain / "model.safetensors").read_bytes()
