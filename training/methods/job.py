"""What a method needs to build its trainer, and what all trainers have in common.

job = Job(spec=spec, stage=resolved, rows=rows, order=[3, 0, ...], tokenizer=tokenizer, num_steps=320, callback=callback)
trainer = build_supervised(job)
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from training.base_model import load_parent
from training.config import StageConfig
from training.config.stage import STEPPED_IN_BACKWARD
from training.early_stopping import steps_between
from training.methods.adapters import peft_config, quantization_of
from training.methods.checkpointing import narrow_checkpointing
from training.packing import PackPlan
from training.rows import Rows
from training.scale.cpu_sharding import sharding_arguments
from training.spec import RunSpec

NUM_CURVE_POINTS = 100
"""About so many losses are logged."""


class Numerics(NamedTuple):
    """Where and how precisely a run computes."""

    is_on_gpu: bool
    is_bf16: bool
    dtype: Any
    """Of the weights."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training, ready to be handed to a trainer."""

    spec: RunSpec
    stage: StageConfig
    """Resolved: nothing in it is left to a preset."""
    rows: Rows
    order: list[int]
    """Which row comes when, for the whole run; empty when the run is packed."""
    step_prompts: int = 0
    """For reinforcement learning: prompts that are answered at once, on all devices."""
    tokenizer: Any
    num_steps: int
    """Optimizer steps."""
    held_out: Rows | None = None
    """Rows that tell when to stop, with `early_stopping`."""
    callback: Any
    """A `transformers.TrainerCallback`."""
    packs: PackPlan | None = None
    """Which rows share a micro-batch, for a run that is packed."""

    @property
    def steps_in_backward(self) -> bool:
        """Whether Adam steps inside the backward pass."""
        return self.stage.optimizer in STEPPED_IN_BACKWARD

    def numerics(self) -> Numerics:
        """Return the precision for this machine; adapters let the frozen weights be bf16, trained weights are fp32.

        A CPU computes in fp32, but in bf16 over weights of four bits, as a GPU does.
        """
        import torch

        on_gpu = torch.cuda.is_available()
        precision = self.stage.precision
        is_suited = torch.cuda.is_bf16_supported() if on_gpu else self.stage.tuning == "qlora"
        is_bf16 = precision == "bf16" or (precision == "auto" and is_suited)
        dtype = torch.bfloat16 if is_bf16 and (self.stage.tuning != "full" or self.steps_in_backward) else torch.float32
        return Numerics(is_on_gpu=on_gpu, is_bf16=is_bf16, dtype=dtype)

    def load_policy(self) -> Any:
        """Load the model that is trained. Raises ModelNotFoundError."""
        model = load_parent(self.spec.parent_model, dtype=self.numerics().dtype, quantization=self.quantization())
        return narrow_checkpointing(model, self.stage)

    def load_adapted_policy(self) -> Any:
        """Load the model that is trained, with its adapters on if it has any. Raises ModelNotFoundError."""
        import peft
        import torch

        policy, adapter = self.load_policy(), self.adapter()
        if adapter is None:
            return policy
        torch.manual_seed(self.spec.stage_seed)  # adapters start at random
        if self.stage.tuning == "qlora":
            policy = peft.prepare_model_for_kbit_training(policy, use_gradient_checkpointing=False)
        adapted = peft.get_peft_model(policy, adapter)
        if self.stage.gradient_checkpointing:
            adapted.enable_input_require_grads()
        return adapted

    def quantization(self) -> Any:
        """Return how the weights are quantised; None where they are not. Raises QuantizationUnavailableError."""
        return quantization_of(self.stage)

    def load_reference(self) -> Any:
        """Load the model as it was, or return None where it is the policy without its adapters. Raises ModelNotFoundError."""
        return self.load_policy() if self.stage.tuning == "full" else None

    def dataset(self) -> Any:
        """Return the rows in the order of training."""
        from datasets import Dataset

        return Dataset.from_dict(self.rows.columns).select(self.order, keep_in_memory=True)

    def adapter(self, task: str = "CAUSAL_LM") -> Any:
        """Return PEFT's configuration of the adapters for a task (CAUSAL_LM, SEQ_CLS); None where all weights are trained."""
        if self.stage.tuning == "full":
            return None
        assert self.stage.lora is not None
        return peft_config(self.stage.lora, task)

    def arguments(self) -> dict[str, Any]:
        """Return the `transformers.TrainingArguments` that all methods share."""
        stage, numerics = self.stage, self.numerics()
        every = stage.checkpoint_every_steps
        return {
            "output_dir": str(Path(self.spec.work_folder) / "staging"),
            "max_steps": self.num_steps,
            "learning_rate": stage.learning_rate,
            "lr_scheduler_type": "cosine",
            "warmup_steps": round(stage.warmup_ratio * self.num_steps),
            "weight_decay": stage.weight_decay,
            "optim": "adamw_torch_fused",
            "per_device_train_batch_size": stage.batch_size,
            "gradient_accumulation_steps": stage.gradient_accumulation,
            "gradient_checkpointing": bool(stage.gradient_checkpointing),
            "train_sampling_strategy": "sequential",  # the rows are in the order of `epoch_order`
            "seed": self.spec.stage_seed,
            "save_strategy": "steps" if every else "no",
            "save_steps": every or 500,
            "logging_steps": max(1, self.num_steps // NUM_CURVE_POINTS),
            "logging_first_step": True,
            "logging_nan_inf_filter": False,
            "include_num_input_tokens_seen": "non_padding",
            "report_to": "none",
            "disable_tqdm": True,
            "log_level": "error",
            "bf16": numerics.is_bf16,
            "use_cpu": numerics.is_bf16 and not numerics.is_on_gpu,  # else bf16 is refused where there is no GPU
            "dataloader_pin_memory": numerics.is_on_gpu,
            "ddp_find_unused_parameters": False,
            **self._measuring(),
            **sharding_arguments(is_bf16=numerics.is_bf16),
        }

    def _measuring(self) -> dict[str, Any]:
        if self.held_out is None or self.stage.early_stopping is None:
            return {}
        return {
            "eval_strategy": "steps",
            "eval_steps": steps_between(self.stage.early_stopping, self.num_steps),
            "per_device_eval_batch_size": self.stage.batch_size,
            "prediction_loss_only": True,
        }

    def held_out_dataset(self) -> Any:
        """Return the rows that tell when to stop; None without `early_stopping`."""
        from datasets import Dataset

        return None if self.held_out is None else Dataset.from_dict(self.held_out.columns)

    def row_arguments(self) -> dict[str, Any]:
        """Return what TRL's trainers on ready-made rows take besides; rows that are too long were rejected before."""
        return {"max_length": None, "pad_to_multiple_of": 8 if self.numerics().is_on_gpu else None}

    def shared(self) -> dict[str, Any]:
        """Return the arguments of every trainer's constructor."""
        return {
            "train_dataset": self.dataset(),
            "eval_dataset": self.held_out_dataset(),
            "processing_class": self.tokenizer,
            "callbacks": [self.callback],
        }


def held_out_loss(trainer: Any, model: Any, inputs: Any) -> tuple[Any, None, None]:
    """Return the loss of a batch as a `prediction_step`: logits of a large vocabulary would not fit."""
    import torch

    inputs = trainer._prepare_inputs(inputs)
    with torch.no_grad(), trainer.compute_loss_context_manager():
        return trainer.compute_loss(model, inputs).detach(), None, None
