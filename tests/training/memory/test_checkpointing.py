"""How many layers are computed again: as few as fit, and never at another price than the plan says."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import ConfigError
from tests.training.memory.test_estimate import FULL, LLAMA_8B, LLAMA_70B, QLORA, run_shape
from training.config import StageConfig
from training.config.presets import ModelSize, resolve_stage
from training.memory import ModelShape, RunShape, estimate_peak, fitting
from training.memory.checkpointing import count_layers, fewest_checkpointed, with_checkpointed
from training.memory.device import Gpu
from training.memory.estimate import GIB
from training.memory.speed import seconds_per_step
from training.memory.stage_plan import StageFacts, plan_stage, settle_checkpointing
from training.methods.job import Job
from training.rows import Rows
from training.scale.config import Layout
from training.spec import RunSpec

LORA: dict[str, Any] = {"is_liger": True}
FUSED: dict[str, Any] = {"is_liger": True, "is_gate_fused": True, "is_packed": True, "is_adapter_fp32": True}
MIXED: dict[str, Any] = {"tuning": "full", "precision": "mixed"}
KINDS = [LORA, {**LORA, "accumulation": 4}, FUSED, QLORA, FULL, MIXED, {**MIXED, "optimizer": "adamw_8bit"}]
SIZE = ModelSize(num_parameters=LLAMA_8B.num_parameters, context_length=8192)


def peaks(shape: ModelShape, run: RunShape) -> list[int]:
    return [estimate_peak(shape, with_checkpointed(run, num, shape.num_layers)).device for num in range(shape.num_layers + 1)]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("tokens", [512, 8192, 32768])
def test_each_layer_more_needs_less_and_the_ends_are_none_and_all(kind: dict[str, Any], tokens: int) -> None:
    run = run_shape(tokens, **kind)
    found = peaks(LLAMA_8B, run)
    assert found[0] == estimate_peak(LLAMA_8B, replace(run, is_checkpointed=False)).device
    assert found[-1] == estimate_peak(LLAMA_8B, replace(run, is_checkpointed=True)).device
    width = round(1.04 * tokens * LLAMA_8B.hidden_size * 2)
    assert all(more <= less for less, more in zip(found[1:-2], found[2:-1], strict=True))
    assert found[1] <= found[0] + width, "where gradients are the peak, it does not change but for what is not counted exactly"
    assert found[-1] <= found[-2] + width, "the layer next to the loss is needed at once: it may cost its output"


@settings(max_examples=25)
@given(st.sampled_from(KINDS), st.integers(9, 16), st.integers(1, 150))
def test_as_few_layers_as_fit(kind: dict[str, Any], power: int, gib: int) -> None:
    run, budget = run_shape(1 << power, **kind), gib * GIB
    fitting = [number for number, peak in enumerate(peaks(LLAMA_8B, run)) if peak <= budget]
    assert fewest_checkpointed(LLAMA_8B, run, budget=budget) == (fitting[0] if fitting else None)


def test_the_price_is_the_share_of_layers_that_are_computed_again() -> None:
    none, half, every = (seconds_per_step(LLAMA_70B, with_checkpointed(run_shape(**LORA), num, 80)) for num in (0, 40, 80))
    assert half - none == pytest.approx((every - none) / 2)


def auto(memory: float | None, **changes: Any) -> bool | float | str | None:
    given = StageConfig(**{"method": "sft", "packing": True, "max_length": 2048, "gradient_checkpointing": "auto", **changes})
    stage = resolve_stage(given, SIZE).stage
    bytes_ = None if memory is None else round(memory * GIB)
    return settle_checkpointing(stage, LLAMA_8B, Layout(), memory=bytes_).gradient_checkpointing


def test_auto_is_decided_by_the_device() -> None:
    assert auto(80) is False
    assert auto(None) is False, "nothing is known of the memory of a CPU"
    some = auto(24)
    assert isinstance(some, float)
    assert 0 < some < 1
    assert auto(16) is True, "even that does not fit: micro-batches get smaller when memory runs out"
    assert auto(16, gradient_checkpointing=0.5) == 0.5, "what the recipe says stays"


@pytest.mark.parametrize("hosts", [1, 16])
def test_a_run_decides_as_the_plan_does(hosts: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = {"WORLD_SIZE": 8 * hosts, "LOCAL_WORLD_SIZE": 8, "PARALLELISM_CONFIG_DP_REPLICATE_SIZE": 8 * hosts}
    for name, value in {**told, "ACCELERATE_USE_FSDP": "true"}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(fitting, "find_shape", lambda folder: LLAMA_8B)
    monkeypatch.setattr(fitting, "find_gpus", lambda: (Gpu("a GPU", 24 * GIB),))
    given = StageConfig(method="sft", packing=True, max_length=2048, gradient_checkpointing="auto")
    stage = resolve_stage(given, SIZE).stage
    spec, rows = RunSpec(config=given, store_url="", work_folder=str(tmp_path)), Rows(columns={}, rejections=())
    job = Job(spec=spec, stage=stage, rows=rows, order=[], tokenizer=None, num_steps=1, callback=None)
    assert fitting.settle_job(job).stage.gradient_checkpointing == auto(24), "copies share nothing"


def test_a_plan_shows_how_many_and_what_they_cost() -> None:
    resolved = resolve_stage(StageConfig(method="sft", packing=True, max_length=2048, gradient_checkpointing="auto"), SIZE)
    planned = plan_stage(resolved, LLAMA_8B, Layout(), gpu_memory=24 * GIB, facts=StageFacts())
    assert planned.fits
    assert 0 < planned.num_checkpointed < 32
    whole = plan_stage(resolved, LLAMA_8B, Layout(), gpu_memory=17 * GIB, facts=StageFacts())
    assert whole.num_checkpointed == 32
    assert planned.seconds_added == pytest.approx(whole.seconds_added * planned.num_checkpointed / 32, rel=0.01)
    assert plan_stage(resolved, LLAMA_8B, Layout(), gpu_memory=80 * GIB, facts=StageFacts()).seconds_added == 0


@pytest.mark.parametrize(("share", "layers"), [(0.001, 1), (0.25, 8), (0.2188, 7), (1.0, 32), (True, 32), (False, 0)])
def test_a_share_is_so_many_layers(share: bool | float, layers: int) -> None:
    assert count_layers(StageConfig(method="sft", gradient_checkpointing=share), 32) == layers


@pytest.mark.parametrize("wrong", [0.0, -0.5, 1.5, "some", 2])
def test_what_is_no_share_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=f"gradient_checkpointing: must be true, false, auto, or a share.*{wrong}"):
        StageConfig(method="sft", gradient_checkpointing=wrong)
