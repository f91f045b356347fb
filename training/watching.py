"""What happens between two steps of a training: progress, signals, checkpoints, and the stop at a loss that diverges.

watcher = Watcher(spec, progress, stop, num_steps=320)
trainer.add_callback(as_callback(watcher))
curve_points(trainer.state.log_history)         ({"step": 40, "loss": 1.93, "grad_norm": 0.4, "learning_rate": 2e-5}, ...)
"""

import math
import time
from pathlib import Path
from typing import Any

from curation.errors import TrainingFailedError
from training.checkpoints import seal_checkpoint, step_folder
from training.config import StageConfig
from training.early_stopping import judge_curve, read_curve
from training.health.detect import LIKELIHOOD, find_divergence
from training.health.signs import SIGNS
from training.parent_watch import Stop
from training.progress import Progress
from training.scale.agreement import StopAgreement
from training.scale.ranks import name_checkpoints
from training.spec import RunSpec


def curve_points(log_history: list[dict[str, Any]]) -> tuple[dict[str, float], ...]:
    """Return the logged points; a held-out loss stands in the point of its step."""
    held_out = dict(read_curve(log_history))
    points = [_point(entry) for entry in log_history if "loss" in entry]
    return tuple(
        point | ({"held_out_loss": held_out[int(point["step"])]} if int(point["step"]) in held_out else {}) for point in points
    )


def _point(entry: dict[str, Any]) -> dict[str, float]:
    names = {"step": "step", "loss": "loss", "learning_rate": "learning_rate", "num_input_tokens_seen": "tokens"}
    names |= {"rewards/margins": "margin", "rewards/accuracies": "accuracy", "margin": "margin", "accuracy": "accuracy"}
    names |= {"reward": "reward", "kl": "kl", "frac_reward_zero_std": "zero_variance", "value_loss": "value_loss"}
    names |= {"completions/mean_length": "answer_tokens", "completions/clipped_ratio": "unfinished"}
    names |= {"resampled": "resampled", "kl_coefficient": "kl_coefficient", "clip_fraction": "clip_fraction"}
    names |= {"grad_norm": "grad_norm"}
    return {short: entry[name] for name, short in names.items() if name in entry}


class Watcher:
    """What happens between two steps: progress, signals, checkpoints, and the stop at a loss that is no number."""

    def __init__(self, spec: RunSpec, progress: Progress, stop: Stop, num_steps: int) -> None:
        self.spec, self.progress, self.stop, self.num_steps = spec, progress, stop, num_steps
        self.started = time.monotonic()
        self.first_step = self.tokens_before = 0
        self.agreement: StopAgreement | None = None
        self.agreed = 0

    @property
    def seconds(self) -> float:
        """Seconds since training started, or went on."""
        return max(time.monotonic() - self.started, 1e-9)

    def speed(self, state: Any) -> float:
        """Return tokens a second since then; where all steps had been done before, what was measured in them."""
        tokens = state.num_input_tokens_seen - self.tokens_before if self.agreement else 0
        return tokens / self.seconds if tokens else self.progress.last_speed()

    def begin(self, state: Any) -> None:
        """Training starts, or goes on."""
        self.agreement = StopAgreement()
        self.started = time.monotonic()
        self.first_step, self.tokens_before = state.global_step, state.num_input_tokens_seen

    def end_step(self, state: Any, control: Any) -> None:
        """A step is done: log before every save, so that a broken state is never saved."""
        assert self.agreement is not None
        self.agreed = self.agreement.exchange(self.stop.signal, is_last=state.global_step >= state.max_steps)
        if self.agreed:
            self.stop.signal = self.agreed  # another process may have got it
            control.should_save = control.should_training_stop = True
        control.should_log = control.should_log or control.should_save or control.should_evaluate

    def measured(self, state: Any, control: Any) -> None:
        """The loss on held-out rows is known: keep the best, and stop when it falls no more, which is kept as well."""
        stopping = self._stage.early_stopping
        if stopping is None:
            return
        verdict = judge_curve(read_curve(state.log_history), stopping)
        control.should_save = control.should_save or verdict.best_step == state.global_step
        if verdict.is_over:
            self.progress.phase(f"stopped at step {state.global_step}; the held-out loss was lowest at {verdict.best_step}")
            control.should_training_stop = True
            control.should_save = control.should_save or self._stage.checkpoint_every_steps > 0

    @property
    def _stage(self) -> StageConfig:
        assert isinstance(self.spec.config, StageConfig)
        return self.spec.config

    def log(self, state: Any, values: dict[str, Any]) -> None:
        """A loss is known."""
        loss = values.get("loss")
        if loss is None:
            return
        for name, what in (("loss", "loss"), ("grad_norm", "norm of the gradient")):
            if not math.isfinite(value := values.get(name, 0.0)):
                reason = (
                    f"the {what} became {value} at step {state.global_step}; lower the learning rate, or look for damaged rows"
                )
                raise TrainingFailedError(stage=self.spec.stage, reason=reason, folder=self.spec.work_folder)
        self._refuse_divergence(state)
        per_step = self.seconds / max(1, state.global_step - self.first_step)
        self.progress.step(
            state.global_step,
            self.num_steps,
            loss=loss,
            tokens_per_second=(state.num_input_tokens_seen - self.tokens_before) / self.seconds,
            seconds_left=per_step * (self.num_steps - state.global_step),
        )

    def _refuse_divergence(self, state: Any) -> None:
        """Stop where the loss rose and stays up: nothing that comes after is worth the device."""
        sign = find_divergence(curve_points(state.log_history)) if self.spec.stage in LIKELIHOOD else None
        if sign is not None:
            what = f"{SIGNS[sign.name].problem} (seen at step {sign.step}). {sign.detail} {sign.advice.rstrip('.')}"
            raise TrainingFailedError(stage=self.spec.stage, reason=what, folder=self.spec.work_folder)

    def save(self, folder: Path, state: Any) -> None:
        """The trainer has written a checkpoint: seal it when all have; nobody leaves before, or it would be torn."""
        assert self.agreement is not None
        self.agreement.wait_for_all()
        if state.is_world_process_zero:
            step, stopping = state.global_step, self._stage.early_stopping
            seal_checkpoint(
                folder / f"checkpoint-{step}",
                Path(self.spec.work_folder),
                step=step,
                fingerprint=name_checkpoints(self.spec.fingerprint),
                keep=self._stage.keep_checkpoints,
                best_step=judge_curve(read_curve(state.log_history), stopping).best_step if stopping else None,
            )
        self.agreement.wait_for_all()

    def end(self, state: Any) -> None:
        """Training is over; a signal that came after the last step is nobody's where its step was not saved.

        Nor is it with several processes, of which none may leave alone.
        """
        assert self.agreement is not None
        if self.agreement.is_needed or not step_folder(Path(self.spec.work_folder), state.global_step).exists():
            self.stop.signal = self.agreed


def as_callback(watcher: Watcher) -> Any:
    """Return a `transformers.TrainerCallback` that hands the trainer's events on."""
    from transformers import TrainerCallback

    class Callback(TrainerCallback):  # type: ignore[misc]
        """Hands the trainer's events on."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            watcher.begin(state)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            watcher.end_step(state, control)

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
            watcher.log(state, logs or {})

        def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            watcher.measured(state, control)

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            watcher.save(Path(args.output_dir), state)

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            watcher.end(state)

    return Callback()
