"""TRL's trainers as we use them: on rows that are tokenised, labelled and ordered already.

trainer = build_trainer(spec, rows, order, tokenizer, num_steps=320, callback=callback)
trainer.train()
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.base_model import load_parent
from training.chat_format import IGNORED
from training.config import LoraConfig, PreferenceConfig, StageConfig
from training.rows import Rows
from training.spec import RunSpec

NUM_CURVE_POINTS = 100
"""About so many losses are logged."""


def build_trainer(spec: RunSpec, rows: Rows, order: list[int], tokenizer: Any, *, num_steps: int, callback: Any) -> Any:
    """Load the parent model and return the trainer of the stage, ready to run.

    Args:
        spec: the run.
        rows: what is learnt.
        order: which row comes when, for the whole run.
        tokenizer: the parent's.
        num_steps: optimizer steps.
        callback: a `transformers.TrainerCallback`.
    """
    import torch
    from datasets import Dataset
    from transformers import PrinterCallback

    config = spec.config
    assert isinstance(config, StageConfig)
    on_gpu = torch.cuda.is_available()
    is_bf16 = config.precision == "bf16" or (config.precision == "auto" and on_gpu and torch.cuda.is_bf16_supported())
    dtype = torch.bfloat16 if is_bf16 and config.method == "lora" else torch.float32
    arguments = {
        **_arguments(spec, config, num_steps=num_steps),
        "bf16": is_bf16,
        "dataloader_pin_memory": on_gpu,
        "pad_to_multiple_of": 8 if on_gpu else None,
    }
    if isinstance(config, PreferenceConfig):
        reference = None if config.method == "lora" else load_parent(spec.parent_model, dtype=dtype)
        build = _preference_trainer(arguments, config.beta, reference)
    else:
        build = _supervised_trainer(arguments, is_fused=on_gpu or int(os.environ.get("WORLD_SIZE", "1")) > 1)
    trainer = build(
        model=load_parent(spec.parent_model, dtype=dtype),
        train_dataset=Dataset.from_dict(rows.columns).select(order, keep_in_memory=True),
        processing_class=tokenizer,
        callbacks=[callback],
        peft_config=_adapter(config.lora) if config.method == "lora" else None,
    )
    trainer.remove_callback(PrinterCallback)  # the callback speaks
    return trainer


def _arguments(spec: RunSpec, config: StageConfig, *, num_steps: int) -> dict[str, Any]:
    every = config.checkpoint_every_steps
    return {
        "output_dir": str(Path(spec.work_folder) / "staging"),
        "max_steps": num_steps,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": round(config.warmup_ratio * num_steps),
        "weight_decay": config.weight_decay,
        "optim": "adamw_torch_fused",
        "per_device_train_batch_size": config.batch_size,
        "gradient_accumulation_steps": config.gradient_accumulation,
        "gradient_checkpointing": config.gradient_checkpointing,
        "max_length": None,  # rows that are too long were rejected
        "train_sampling_strategy": "sequential",  # the rows are in the order of `epoch_order`
        "seed": spec.stage_seed,
        "save_strategy": "steps" if every else "no",
        "save_steps": every or 500,
        "logging_steps": max(1, num_steps // NUM_CURVE_POINTS),
        "logging_first_step": True,
        "logging_nan_inf_filter": False,
        "include_num_input_tokens_seen": "non_padding",
        "report_to": "none",
        "disable_tqdm": True,
        "log_level": "error",
    }


def _adapter(lora: LoraConfig) -> Any:
    import peft

    return peft.LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules="all-linear", task_type="CAUSAL_LM"
    )


def _supervised_trainer(arguments: dict[str, Any], *, is_fused: bool) -> Callable[..., Any]:
    from trl import SFTConfig, SFTTrainer

    class SupervisedTrainer(SFTTrainer):  # type: ignore[misc]
        """TRL's trainer on labels that are made already."""

        def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
            """Write none: the cards are written from the evidence, at release."""

        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
            """Leave it to TRL on a GPU; its fused head doubles the time of a step on a CPU."""
            if is_fused:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            return answer_loss(model, inputs, num_items_in_batch)

    args = SFTConfig(**arguments, dataset_kwargs={"skip_prepare_dataset": True})
    return lambda **shared: SupervisedTrainer(args=args, **shared)


def answer_loss(model: Any, inputs: Any, num_items: Any = None) -> Any:
    """Return the mean cross-entropy of the learnt tokens; only their logits are computed.

    Args:
        model: a causal language model, with or without adapters.
        inputs: `input_ids`, `attention_mask` and `labels`, each [rows, tokens].
        num_items: learnt tokens of the whole optimizer step; None: those of this batch.
    """
    from torch.nn.functional import cross_entropy

    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    body = whole.base_model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False)
    targets = inputs["labels"][:, 1:]
    is_learnt = targets != IGNORED
    logits = whole.get_output_embeddings()(body.last_hidden_state[:, :-1][is_learnt])
    total = cross_entropy(logits.float(), targets[is_learnt], reduction="sum")
    return total / (is_learnt.sum().clamp(min=1) if num_items is None else num_items)


def _preference_trainer(arguments: dict[str, Any], beta: float, reference: Any) -> Callable[..., Any]:
    from trl import DPOConfig, DPOTrainer

    class PairTrainer(DPOTrainer):  # type: ignore[misc]
        """TRL's trainer on pairs that are tokenised already, by our own chat format."""

        def _prepare_dataset(self, dataset: Any, *_args: Any, **_kwargs: Any) -> Any:
            return dataset

        def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
            """Write none: the cards are written from the evidence, at release."""

    args = DPOConfig(**arguments, beta=beta)
    return lambda **shared: PairTrainer(args=args, ref_model=reference, **shared)
