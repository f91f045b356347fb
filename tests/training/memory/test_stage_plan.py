from typing import Any

import pytest

from tests.training.memory.test_estimate import LLAMA_8B
from training.config import BaseModelConfig, LoraConfig, StageConfig
from training.config.presets import ModelSize, resolve_stage
from training.memory.estimate import GIB
from training.memory.stage_plan import StageFacts, StagePlan, plan_stage, run_shape_of, shape_of_base
from training.scale.config import Layout, ParallelConfig, ScaleConfig

SIZE = ModelSize(num_parameters=LLAMA_8B.num_parameters, context_length=8192)


def plan(gib: float | None = 80, layout: Layout | None = None, facts: StageFacts | None = None, **settings: Any) -> StagePlan:
    resolved = resolve_stage(StageConfig(**{"method": "sft", "max_length": 2048, **settings}), SIZE)
    memory = None if gib is None else round(gib * GIB)
    return plan_stage(resolved, LLAMA_8B, layout or Layout(), gpu_memory=memory, facts=facts or StageFacts())


def test_the_small_model_is_the_one_that_is_built() -> None:
    from training.base_model import _round_up

    shape = shape_of_base(BaseModelConfig(hidden_size=160, num_layers=2, num_heads=8))
    assert (shape.intermediate_size, shape.is_tied) == (_round_up(160 * 8 // 3, 16), True)


def test_full_tuning_is_fp32_with_autocast_on_a_gpu_and_has_a_reference_in_dpo() -> None:
    sft, dpo = plan(tuning="full"), plan(method="dpo", tuning="full")
    assert sft.settings.precision == "mixed"
    assert dpo.estimate.parts["weights"] == 2 * sft.estimate.parts["weights"]
    assert plan(method="dpo").estimate.parts["weights"] == plan().estimate.parts["weights"], "the base without its adapters"


def test_a_pair_is_two_rows() -> None:
    assert plan(method="dpo", batch_size=4).settings.tokens_per_micro_batch == 2 * 4 * 2048


@pytest.mark.parametrize("more", [{"dropout": 0.1}, {"dora": True}])
def test_adapters_that_no_kernel_computes_keep_more(more: dict[str, Any]) -> None:
    packed: dict[str, Any] = {"tuning": "lora", "packing": True, "tokens_per_batch": 8192, "gradient_checkpointing": False}
    plain, other = (plan(**packed, lora=LoraConfig(**settings)) for settings in ({}, more))
    assert plain.settings.is_gate_fused
    assert not other.settings.is_gate_fused
    assert other.estimate.allocated > 1.3 * plain.estimate.allocated


def test_on_a_cpu_all_is_fp32() -> None:
    cpu = plan(None)
    assert (cpu.settings.precision, cpu.proposal, cpu.fits) == ("fp32", None, True)


def test_steps_and_hours_come_of_rows_and_speed() -> None:
    facts = StageFacts(num_rows=1000, tokens_per_second=2000.0)
    found = plan(method="dpo", batch_size=4, gradient_accumulation=2, epochs=2.0, layout=Layout(processes=5), facts=facts)
    assert found.rows_per_step == 40
    assert found.num_steps == 50
    assert found.tokens == 50 * 40 * 2 * 2048
    assert found.hours == pytest.approx(found.tokens / 2000 / 3600)
    assert plan().hours is None


def test_an_earlier_run_knows_the_tokens() -> None:
    facts = StageFacts(num_rows=1000, tokens_per_second=100.0, trained_tokens=360_000)
    assert plan(method="dpo", facts=facts).hours == pytest.approx(1.0)


def test_the_proposal_is_written_as_keys_of_the_recipe() -> None:
    found = plan(24, method="dpo", batch_size=8, gradient_accumulation=2, gradient_checkpointing=False)
    assert not found.fits
    assert found.keys["gradient_checkpointing"] == round(27 / 32, 4)
    assert found.keys["batch_size"] * found.keys["gradient_accumulation"] == 16
    settings = {"batch_size": found.keys["batch_size"], "gradient_accumulation": found.keys["gradient_accumulation"]}
    assert plan(24, method="dpo", gradient_checkpointing=True, **settings).fits


def test_the_recipes_own_setting_needs_no_change() -> None:
    found = plan(method="dpo", batch_size=2, gradient_accumulation=1, gradient_checkpointing=False)
    assert found.fits
    assert found.keys == {}


def test_a_strategy_divides() -> None:
    stage = resolve_stage(StageConfig(method="sft", max_length=1024), SIZE).stage
    assert run_shape_of(stage, Layout(processes=8, strategy="fsdp2"), is_on_gpu=True).sharding == "zero3"
    assert run_shape_of(stage, Layout(processes=8), is_on_gpu=True).sharding == "none"
    twice = ScaleConfig(parallel=ParallelConfig(replicate=2))
    assert run_shape_of(stage, Layout(processes=8, strategy="fsdp2", scale=twice), is_on_gpu=True).world_size == 4


def test_states_on_the_host_need_no_room_on_the_device() -> None:
    stages = [
        StageConfig(method="sft", tuning="full", packing=True, max_length=1024, optimizer=name)
        for name in ("adamw_8bit", "adamw_8bit_offloaded")
    ]
    shapes = [run_shape_of(resolve_stage(stage, SIZE).stage, Layout(), is_on_gpu=True) for stage in stages]
    assert [shape.optimizer for shape in shapes] == ["adamw_8bit", "paged_adamw_8bit"]
    assert all(shape.is_optimizer_in_backward and shape.precision == "bf16" for shape in shapes)
