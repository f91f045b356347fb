import typing
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.config import DistillationConfig, LoraConfig, Method, PreferenceConfig, RlConfig, StageConfig, Tuning
from training.config.presets import ModelSize, resolve_stage, size_factor

SMALL, MEDIUM, LARGE = (ModelSize(number, 4096) for number in (1_000_000, 8_000_000_000, 70_000_000_000))
METHODS = typing.get_args(Method)


def make_stage(method: Method, **changes: Any) -> StageConfig:
    """Return a stage that says no more than it must."""
    needed: dict[str, Any] = {"distillation": DistillationConfig(teacher="t")} if method == "distillation" else {}
    return StageConfig(method=method, **needed, **changes)


def test_published_values_come_out_for_the_size_that_they_were_published_for() -> None:
    def rate(method: Method, tuning: Tuning, size: ModelSize = MEDIUM) -> float | None:
        return resolve_stage(StageConfig(method=method, tuning=tuning), size).stage.learning_rate

    assert rate("sft", "full") == 2e-5
    assert rate("sft", "lora") == 2e-4
    assert rate("dpo", "full") == 5e-7
    assert rate("sft", "full", LARGE) == 8e-6
    assert rate("sft", "full", SMALL) == 2e-4


def test_what_the_recipe_says_stays_and_is_told_apart() -> None:
    resolved = resolve_stage(StageConfig(method="sft", learning_rate=0.5, lora=LoraConfig(rank=3)), MEDIUM)
    assert resolved.stage.learning_rate == 0.5
    assert resolved.stage.lora == LoraConfig(rank=3)
    assert resolved.origins["learning_rate"] == "recipe"
    assert resolved.origins["batch_size"].startswith("preset")


def test_a_larger_batch_leaves_the_rows_of_a_step_as_they_are() -> None:
    for batch in (1, 2, 8, 16):
        stage = resolve_stage(StageConfig(method="sft", batch_size=batch), SMALL).stage
        assert batch * (stage.gradient_accumulation or 0) == 16


def test_a_short_model_gets_short_rows_and_a_small_one_no_checkpointing() -> None:
    stage = resolve_stage(StageConfig(method="sft"), ModelSize(1_000_000, 256)).stage
    assert (stage.max_length, stage.gradient_checkpointing) == (256, False)
    assert resolve_stage(StageConfig(method="sft"), MEDIUM).stage.gradient_checkpointing is True


@given(
    method=st.sampled_from(METHODS),
    tuning=st.sampled_from(typing.get_args(Tuning)),
    num_parameters=st.integers(1, 10**12),
    max_steps=st.none() | st.integers(1, 100),
)
def test_nothing_is_left_open_and_resolving_twice_changes_nothing(
    method: Method, tuning: Tuning, num_parameters: int, max_steps: int | None
) -> None:
    size = ModelSize(num_parameters, 2048)
    stage = resolve_stage(make_stage(method, tuning=tuning, max_steps=max_steps), size).stage
    for name in ("learning_rate", "batch_size", "gradient_accumulation", "max_length", "gradient_checkpointing"):
        assert getattr(stage, name) is not None
    assert (stage.epochs is None) == (max_steps is not None)
    assert (stage.lora is None) == (tuning == "full")
    assert (stage.quantization is not None) == (tuning == "qlora")
    assert resolve_stage(stage, size).stage == stage
    known = {field.name for field in fields(stage)}
    assert set(resolve_stage(stage, size).origins) <= known


@given(one=st.integers(1, 10**12), other=st.integers(1, 10**12))
def test_a_larger_model_never_learns_faster(one: int, other: int) -> None:
    assert size_factor(max(one, other)) <= size_factor(min(one, other))


@pytest.mark.parametrize("method", METHODS)
def test_adapters_learn_ten_times_as_fast(method: Method) -> None:
    full, lora = (resolve_stage(make_stage(method, tuning=tuning), MEDIUM).stage for tuning in ("full", "lora"))
    assert lora.learning_rate == pytest.approx(10 * (full.learning_rate or 0))
    assert replace(lora, tuning="full", lora=None, learning_rate=full.learning_rate) == full


def test_sections_are_completed_by_loss_and_method() -> None:
    simpo = resolve_stage(make_stage("dpo", preference=PreferenceConfig(loss="simpo")), MEDIUM).stage.preference
    assert simpo is not None
    assert (simpo.beta, simpo.gamma) == (2.0, 1.0)
    ipo = resolve_stage(make_stage("dpo", preference=PreferenceConfig(loss="ipo", beta=0.3)), MEDIUM).stage.preference
    assert ipo is not None
    assert (ipo.beta, ipo.gamma) == (0.3, None)
    for method, num, held in (("grpo", 8, 0.04), ("rloo", 4, 0.05), ("ppo", None, 0.05)):
        stage = resolve_stage(make_stage(typing.cast(Method, method)), MEDIUM).stage
        assert stage.rl is not None
        assert (stage.rl.num_generations, stage.rl.kl_coefficient) == (num, held)
        assert [reward.name for reward in stage.rewards] == ["grader:task"]
    free = resolve_stage(make_stage("grpo", rl=RlConfig(kl_coefficient=0.0)), MEDIUM).stage.rl
    assert free is not None
    assert free.kl_coefficient == 0.0
