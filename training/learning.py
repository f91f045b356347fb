"""The training loop of all stages: TRL's trainers on rows of token ids, watched, checkpointed and resumed.

done = learn(spec, rows, progress, stop)      # Trained(model=..., loss_curve=..., ...)
"""

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from curation.errors import TrainingFailedError
from training.base_model import load_parent
from training.checkpoints import find_checkpoint, remove_checkpoints, seal_checkpoint
from training.config import LoraConfig, PreferenceConfig, StageConfig
from training.output import Trained, write_timings
from training.parent_watch import Stop
from training.progress import Progress
from training.rows import Rows, epoch_order
from training.spec import RunSpec

ADAPTER = ".adapter"
"""Where a finished adapter waits in the work folder until it is part of the output."""
NUM_CURVE_POINTS = 100


def learn(spec: RunSpec, rows: Rows, tokenizer: Any, progress: Progress, stop: Stop) -> Trained:
    """Train the parent model on rows, from the last whole checkpoint if there is one.

    Raises:
        TrainingFailedError: if the loss is not a number any more.
        SystemExit: after a signal, once a checkpoint is written.
    """
    config = spec.config
    assert isinstance(config, StageConfig)
    world = int(os.environ.get("WORLD_SIZE", "1"))
    num_rows = len(next(iter(rows.columns.values())))
    step_rows = config.batch_size * config.gradient_accumulation * world
    num_steps = config.max_steps or max(1, math.ceil(num_rows * config.epochs / step_rows))
    planned = num_steps * step_rows if config.max_steps else min(num_steps * step_rows, round(num_rows * config.epochs))
    seed = spec.stage_seed
    order = epoch_order(rows.lengths, num_rows=max(1, planned), batch_size=config.batch_size * world, seed=seed)
    progress.phase(f"{num_rows} rows, {num_steps} steps; loading the model")
    watcher = _Watcher(spec, progress, stop, num_steps)
    trainer = _build_trainer(spec, config, rows, order, tokenizer, num_steps=num_steps, seed=seed, watcher=watcher)
    checkpoint = find_checkpoint(Path(spec.work_folder), spec.fingerprint)
    if checkpoint is None:
        remove_checkpoints(Path(spec.work_folder))
    else:
        progress.phase(f"going on from {checkpoint.name}")
    stop.can_finish = True
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    stop.can_finish = False
    if stop.signal:
        raise SystemExit(128 + stop.signal)
    return _finish(spec, config, trainer, tokenizer, num_rows, watcher)


def _finish(spec: RunSpec, config: StageConfig, trainer: Any, tokenizer: Any, num_rows: int, watcher: "_Watcher") -> Trained:
    state = trainer.state
    curve = tuple(_point(entry) for entry in state.log_history if "loss" in entry)
    seconds = time.monotonic() - watcher.started
    tokens = state.num_input_tokens_seen - watcher.tokens_before
    write_timings(spec, seconds=round(seconds, 3), tokens_per_s=round(tokens / max(seconds, 1e-9), 1))
    model = trainer.accelerator.unwrap_model(trainer.model)
    if config.method == "lora":
        model = _merge(spec, model)
    return Trained(
        model=model.to(_stored_dtype(spec.parent_model)),
        tokenizer=tokenizer,
        num_rows=num_rows,
        num_steps=state.global_step,
        trained_tokens=int(state.num_input_tokens_seen),
        loss_curve=curve,
    )


def _merge(spec: RunSpec, model: Any) -> Any:
    model.peft_config["default"].base_model_name_or_path = spec.parent
    model.save_pretrained(Path(spec.work_folder) / ADAPTER)
    return model.merge_and_unload(safe_merge=True)


def _stored_dtype(folder: str) -> Any:
    import torch
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder, local_files_only=True).dtype or torch.float32


def _point(entry: dict[str, Any]) -> dict[str, float]:
    names = {"step": "step", "loss": "loss", "learning_rate": "learning_rate", "num_input_tokens_seen": "tokens"}
    names |= {"rewards/margins": "margin", "rewards/accuracies": "accuracy"}
    return {short: entry[name] for name, short in names.items() if name in entry}


def _build_trainer(
    spec: RunSpec,
    config: StageConfig,
    rows: Rows,
    order: list[int],
    tokenizer: Any,
    *,
    num_steps: int,
    seed: int,
    watcher: "_Watcher",
) -> Any:
    import torch
    from datasets import Dataset
    from transformers import PrinterCallback

    on_gpu = torch.cuda.is_available()
    is_bf16 = config.precision == "bf16" or (config.precision == "auto" and on_gpu and torch.cuda.is_bf16_supported())
    dtype = torch.bfloat16 if is_bf16 and config.method == "lora" else torch.float32
    arguments = {
        **_arguments(spec, config, num_steps=num_steps, seed=seed),
        "bf16": is_bf16,
        "dataloader_pin_memory": on_gpu,
        "pad_to_multiple_of": 8 if on_gpu else None,
    }
    model = load_parent(spec.parent_model, dtype=dtype)
    dataset = Dataset.from_dict(rows.columns).select(order, keep_in_memory=True)
    shared = {
        "model": model,
        "train_dataset": dataset,
        "processing_class": tokenizer,
        "callbacks": [_callback(watcher)],
        "peft_config": _adapter(config.lora) if config.method == "lora" else None,
    }
    if isinstance(config, PreferenceConfig):
        reference = None if config.method == "lora" else load_parent(spec.parent_model, dtype=dtype)
        build = _preference_trainer(arguments, config, reference)
    else:
        build = _supervised_trainer(arguments)
    trainer = build(**shared)
    trainer.remove_callback(PrinterCallback)  # the watcher speaks
    return trainer


def _arguments(spec: RunSpec, config: StageConfig, *, num_steps: int, seed: int) -> dict[str, Any]:
    every = config.checkpoint_every_steps
    return {
        "output_dir": str(Path(spec.work_folder) / "staging"),
        "max_steps": num_steps,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": round(config.warmup_ratio * num_steps),
        "weight_decay": config.weight_decay,
        "optim": "adamw_torch",
        "per_device_train_batch_size": config.batch_size,
        "gradient_accumulation_steps": config.gradient_accumulation,
        "gradient_checkpointing": config.gradient_checkpointing,
        "max_length": None,  # rows that are too long were rejected
        "train_sampling_strategy": "sequential",  # the rows are in the order of `epoch_order`
        "seed": seed,
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


def _supervised_trainer(arguments: dict[str, Any]) -> Callable[..., Any]:
    from trl import SFTConfig, SFTTrainer

    class SupervisedTrainer(SFTTrainer):  # type: ignore[misc]
        """TRL's trainer on labels that are made already."""

        def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
            """Write none: the cards are written from the evidence, at release."""

    args = SFTConfig(**arguments, dataset_kwargs={"skip_prepare_dataset": True})
    return lambda **shared: SupervisedTrainer(args=args, **shared)


def _preference_trainer(arguments: dict[str, Any], config: PreferenceConfig, reference: Any) -> Callable[..., Any]:
    from trl import DPOConfig, DPOTrainer

    class PairTrainer(DPOTrainer):  # type: ignore[misc]
        """TRL's trainer on pairs that are tokenised already, by our own chat format."""

        def _prepare_dataset(self, dataset: Any, *_args: Any, **_kwargs: Any) -> Any:
            return dataset

        def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
            """Write none: the cards are written from the evidence, at release."""

    args = DPOConfig(**arguments, beta=config.beta)
    return lambda **shared: PairTrainer(args=args, ref_model=reference, **shared)


class _Watcher:
    """What happens between two steps: progress, signals, checkpoints, and the stop at a loss that is no number."""

    def __init__(self, spec: RunSpec, progress: Progress, stop: Stop, num_steps: int) -> None:
        self.spec, self.progress, self.stop, self.num_steps = spec, progress, stop, num_steps
        self.started = time.monotonic()
        self.first_step = self.tokens_before = 0

    def begin(self, state: Any) -> None:
        """Training starts, or goes on."""
        self.started = time.monotonic()
        self.first_step, self.tokens_before = state.global_step, state.num_input_tokens_seen

    def end_step(self, state: Any, control: Any) -> None:
        """A step is done: log before every save, so that a broken state is never saved."""
        if self.stop.signal:
            control.should_save = control.should_training_stop = True
        control.should_log = control.should_log or control.should_save

    def log(self, state: Any, values: dict[str, Any]) -> None:
        """A loss is known."""
        loss = values.get("loss")
        if loss is None:
            return
        if not math.isfinite(loss):
            reason = f"the loss became {loss} at step {state.global_step}; lower the learning rate, or look for damaged rows"
            raise TrainingFailedError(stage=self.spec.stage, reason=reason, folder=self.spec.work_folder)
        seconds = max(time.monotonic() - self.started, 1e-9)
        per_step = seconds / max(1, state.global_step - self.first_step)
        self.progress.step(
            state.global_step,
            self.num_steps,
            loss=loss,
            tokens_per_second=(state.num_input_tokens_seen - self.tokens_before) / seconds,
            seconds_left=per_step * (self.num_steps - state.global_step),
        )

    def save(self, folder: Path, state: Any) -> None:
        """The trainer has written a checkpoint."""
        import torch

        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.barrier()
        if state.is_world_process_zero:
            work, step = Path(self.spec.work_folder), state.global_step
            seal_checkpoint(folder / f"checkpoint-{step}", work, step=step, fingerprint=self.spec.fingerprint)


def _callback(watcher: _Watcher) -> Any:
    from transformers import TrainerCallback

    class Callback(TrainerCallback):  # type: ignore[misc]
        """Hands the trainer's events on."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            watcher.begin(state)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            watcher.end_step(state, control)

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
            watcher.log(state, logs or {})

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            watcher.save(Path(args.output_dir), state)

    return Callback()
