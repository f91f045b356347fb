"""The training loop of all stages: a trainer on rows of token ids, watched, checkpointed and resumed.

done = learn(spec, rows, tokenizer, progress, stop)      # Trained(model=..., loss_curve=..., ...)
"""

import math
import os
import time
from pathlib import Path
from typing import Any

from curation.errors import TrainingFailedError
from training.checkpoints import find_checkpoint, remove_checkpoints, seal_checkpoint
from training.config import StageConfig
from training.output import Trained, write_timings
from training.parent_watch import Stop
from training.progress import Progress
from training.rows import Rows, epoch_order
from training.spec import RunSpec
from training.trainers import build_trainer

ADAPTER = ".adapter"
"""Where a finished adapter waits in the work folder until it is part of the output."""


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
    order = epoch_order(rows.lengths, num_rows=max(1, planned), batch_size=config.batch_size * world, seed=spec.stage_seed)
    progress.phase(f"{num_rows} rows, {num_steps} steps; loading the model")
    watcher = _Watcher(spec, progress, stop, num_steps)
    trainer = build_trainer(spec, rows, order, tokenizer, num_steps=num_steps, callback=_callback(watcher))
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
    adapter = model.peft_config["default"]
    adapter.base_model_name_or_path = spec.parent
    adapter.target_modules = sorted(adapter.target_modules)  # a set is written in any order
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
