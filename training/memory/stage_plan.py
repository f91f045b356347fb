"""What a stage of a recipe needs and how it could run faster, before anything is loaded.

planned = plan_stage(resolved, shape, layout, gpu_memory=24 * GIB, facts=StageFacts(num_rows=12_000))
planned.estimate.parts["weights"], planned.fits, planned.proposal.reason, planned.hours
"""

import math
from dataclasses import dataclass, replace
from typing import Any

from training.config import BaseModelConfig, StageConfig
from training.config.presets import Resolved
from training.config.stage import KEYS_OF, STEPPED_IN_BACKWARD
from training.memory.checkpointing import AUTO, count_layers, fewest_checkpointed, settle, with_checkpointed
from training.memory.estimate import MemoryEstimate, estimate_peak
from training.memory.model_shape import LINEAR_NAMES, ModelShape
from training.memory.plan import MARGIN, Plan, make_plan
from training.memory.run_shape import OptimizerName, PrecisionName, RunShape, ShardingName
from training.memory.speed import seconds_per_step
from training.scale.config import Layout

TWO_ANSWERS = ("dpo", "orpo", "reward", "kto")
"""Methods with two answers a row (kto: the second one, of another prompt, for its KL term)."""
WITH_REFERENCE = ("dpo", "kto", "rloo", "grpo", "ppo")
"""Methods that compare with the model as it was: a copy of its own where all weights are trained."""
OPTIMIZERS: dict[str, OptimizerName] = {
    "adamw": "adamw", "adamw_8bit": "adamw_8bit", "adamw_8bit_offloaded": "paged_adamw_8bit"
}  # fmt: skip
"""States on the host count as paged ones do: none on the device."""
SHARDING: dict[str, ShardingName] = {
    "ddp": "none", "fsdp2": "zero3", "deepspeed_zero2": "zero2", "deepspeed_zero3": "zero3"
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class StageFacts:
    """What is known of a stage beyond its settings."""

    num_rows: int | None = None
    tokens_per_second: float | None = None
    """Measured, over all devices."""
    trained_tokens: int | None = None
    """Tokens of an earlier run of the stage."""


@dataclass(frozen=True, kw_only=True)
class StagePlan:
    """One stage with its price."""

    model_name: str
    method: str
    settings: RunShape
    estimate: MemoryEstimate
    gpu_memory: int | None
    """Bytes of a device; None: not known."""
    proposal: Plan | None
    """The fastest setting that fits; None without a device."""
    num_layers: int
    """Of the model."""
    seconds_added: float
    """Share of a step's time, computed, that checkpointing adds to it: 0 where nothing is computed again."""
    values: dict[str, tuple[Any, str]]
    """Setting -> value and where it comes from."""
    rows_per_step: int | None
    """Rows of an optimizer step over all devices; None where rows are packed."""
    tokens_per_step: int
    """Most tokens of an optimizer step over all devices."""
    num_steps: int | None
    tokens: int | None
    """Tokens of the whole run: of an earlier run, or at most."""
    hours: float | None

    @property
    def keys(self) -> dict[str, Any]:
        """What to write into the recipe for the proposal, where it is another setting; empty where it is the recipe's own."""
        chosen = self.proposal.chosen.settings if self.proposal and self.proposal.chosen else self.settings
        if chosen == self.settings:
            return {}
        tokens, answers = chosen.tokens_per_micro_batch, 2 if self.method in TWO_ANSWERS else 1
        size = (
            {"tokens_per_batch": tokens}
            if self.rows_per_step is None
            else {"batch_size": tokens // chosen.longest_row // answers}
        )
        keeps: bool | float = chosen.is_checkpointed
        if chosen.num_checkpointed is not None:
            keeps = round(chosen.num_checkpointed / self.num_layers, 4)
        return {**size, "gradient_accumulation": chosen.accumulation, "gradient_checkpointing": keeps}

    @property
    def num_checkpointed(self) -> int:
        """Layers that are computed again in the backward pass."""
        return self.settings.count_checkpointed(self.num_layers)

    @property
    def fits(self) -> bool:
        """Whether the stage runs as the recipe says; True where no device is known."""
        return self.gpu_memory is None or self.estimate.device <= round(self.gpu_memory * (1 - MARGIN))


def plan_stage(
    resolved: Resolved, shape: ModelShape, layout: Layout, *, gpu_memory: int | None, facts: StageFacts
) -> StagePlan:
    """Plan a resolved stage for devices of this memory in bytes, or for no device (CPU, fp32). Raises ConfigError."""
    stage = settle_checkpointing(resolved.stage, shape, layout, memory=gpu_memory)
    settings = run_shape_of(stage, layout, is_on_gpu=gpu_memory is not None, num_layers=shape.num_layers)
    kept = with_checkpointed(settings, 0, shape.num_layers)
    per_device = settings.tokens_per_micro_batch * settings.accumulation
    tokens_per_step = per_device * layout.world_size
    rows_per_step = None if _has_budget(stage) else (stage.batch_size or 1) * settings.accumulation * layout.world_size
    num_steps = _num_steps(stage, facts, rows_per_step, tokens_per_step)
    tokens = facts.trained_tokens or (num_steps * tokens_per_step if num_steps else None)
    proposal = None
    if gpu_memory is not None:
        least = settings.longest_row * (2 if stage.method in TWO_ANSWERS else 1)
        proposal = make_plan(shape, settings, memory=gpu_memory, tokens_per_step=per_device, fewest_tokens=least)
    return StagePlan(
        model_name=stage.model_name,
        method=stage.method,
        settings=settings,
        estimate=estimate_peak(shape, settings),
        gpu_memory=gpu_memory,
        proposal=proposal,
        num_layers=shape.num_layers,
        seconds_added=seconds_per_step(shape, settings) / seconds_per_step(shape, kept) - 1,
        values={name: (getattr(stage, name), origin) for name, origin in resolved.origins.items()},
        rows_per_step=rows_per_step,
        tokens_per_step=tokens_per_step,
        num_steps=num_steps,
        tokens=tokens,
        hours=tokens / facts.tokens_per_second / 3600 if tokens and facts.tokens_per_second else None,
    )


def settle_checkpointing(stage: StageConfig, shape: ModelShape, layout: Layout, *, memory: int | None) -> StageConfig:
    """Return a resolved stage with `gradient_checkpointing: auto` decided for devices of this memory in bytes.

    None is a CPU, whose memory nothing is known of: nothing is computed again there. What does not fit with all layers
    checkpointed has them all checkpointed: its micro-batches get smaller when memory runs out.
    """
    if stage.gradient_checkpointing != AUTO:
        return stage
    if memory is None:
        return replace(stage, gradient_checkpointing=False)
    settings = run_shape_of(replace(stage, gradient_checkpointing=False), layout, is_on_gpu=True)
    number = fewest_checkpointed(shape, settings, budget=round(memory * (1 - MARGIN)))
    return settle(stage, shape.num_layers if number is None else number, shape.num_layers)


def run_shape_of(stage: StageConfig, layout: Layout, *, is_on_gpu: bool, num_layers: int | None = None) -> RunShape:
    """Return how a resolved stage trains, as its trainer will do it.

    Args:
        stage: resolved; `gradient_checkpointing: auto` counts as true.
        layout: of the processes.
        is_on_gpu: whether its kernels run.
        num_layers: of the model; needed where a share of them is checkpointed.

    Raises:
        ConfigError: if the settings contradict each other.
    """
    keeps = stage.gradient_checkpointing
    some = None
    if num_layers is not None and not isinstance(keeps, (bool, str)) and keeps is not None:
        some = count_layers(stage, num_layers)
        some = some if some < num_layers else None
    length, packed = stage.max_length or 1, _is_packed(stage)
    answers = 2 if stage.method in TWO_ANSWERS else 1
    tokens = (stage.tokens_per_batch or length) if _has_budget(stage) else (stage.batch_size or 1) * length * answers
    steps_in_backward = stage.optimizer in STEPPED_IN_BACKWARD
    return RunShape(
        tokens_per_micro_batch=max(tokens, length),
        longest_row=length,
        tuning=stage.tuning,
        rank=stage.lora.rank if stage.lora else 1,
        target_modules=_targets(stage),
        is_checkpointed=bool(keeps),
        num_checkpointed=some,
        optimizer=OPTIMIZERS[stage.optimizer],
        is_optimizer_in_backward=steps_in_backward,
        accumulation=1 if steps_in_backward else stage.gradient_accumulation or 1,
        is_liger=packed and is_on_gpu,
        is_gate_fused=packed and is_on_gpu and _has_plain_adapters(stage),
        is_packed=packed and is_on_gpu,
        is_head_fused=is_on_gpu,
        attention="varlen" if packed and is_on_gpu else "sdpa",
        precision=_precision(stage, is_on_gpu, steps_in_backward),
        is_adapter_fp32=stage.tuning != "full",
        has_reference=_has_reference(stage),
        num_frozen_copies=len(stage.other_models),
        world_size=layout.world_size // layout.scale.parallel.replicate,  # copies share nothing
        sharding=SHARDING[layout.strategy],
    )


def shape_of_base(base: BaseModelConfig) -> ModelShape:
    """Return the sizes of the small Llama that is built where no model is named."""
    return ModelShape.from_config(
        {
            "model_type": "llama",
            "hidden_size": base.hidden_size,
            "intermediate_size": -(-(base.hidden_size * 8 // 3) // 16) * 16,
            "num_hidden_layers": base.num_layers,
            "num_attention_heads": base.num_heads,
            "vocab_size": base.vocab_size,
            "max_position_embeddings": base.context_length,
            "tie_word_embeddings": True,
        }
    )


def _is_packed(stage: StageConfig) -> bool:
    return bool(stage.packing)


def _has_budget(stage: StageConfig) -> bool:
    """Whether a micro-batch holds so many tokens, and not so many rows: what a model writes is not known before."""
    return _is_packed(stage) and stage.method in KEYS_OF["tokens_per_batch"]


def _has_plain_adapters(stage: StageConfig) -> bool:
    """Whether `training.kernels.attach` fuses the adapters: dropout and DoRA are more than it computes."""
    lora = stage.lora
    return stage.tuning != "full" and (lora is None or not (lora.dropout or lora.dora))


def _targets(stage: StageConfig) -> tuple[str, ...]:
    named = stage.lora.targets if stage.lora else ()
    return tuple(name for name in LINEAR_NAMES if name in named) or LINEAR_NAMES


def _precision(stage: StageConfig, is_on_gpu: bool, steps_in_backward: bool) -> PrecisionName:
    """Return what the trainers make of `precision`: all weights trained by autocast are fp32."""
    if stage.precision == "fp32" or (stage.precision == "auto" and not is_on_gpu and stage.tuning != "qlora"):
        return "fp32"
    return "mixed" if stage.tuning == "full" and not steps_in_backward else "bf16"


def _has_reference(stage: StageConfig) -> bool:
    is_free = stage.preference is not None and stage.preference.loss == "simpo"
    return stage.method in WITH_REFERENCE and not is_free


def _num_steps(stage: StageConfig, facts: StageFacts, rows_per_step: int | None, tokens_per_step: int) -> int | None:
    if stage.max_steps is not None:
        return stage.max_steps
    if rows_per_step and facts.num_rows:
        return max(1, math.ceil(facts.num_rows * (stage.epochs or 1.0) / rows_per_step))
    if facts.trained_tokens:
        return max(1, math.ceil(facts.trained_tokens / tokens_per_step))
    return None
