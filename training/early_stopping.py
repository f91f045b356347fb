"""When the loss on held-out rows falls no more: decided by the curve alone, so an interruption forgets nothing.

    verdict = judge_curve([(10, 2.0), (20, 1.5), (30, 1.6), (40, 1.7)], EarlyStoppingConfig(patience=2))
    verdict.best_step       20
    verdict.is_over         True

The curve stands in every checkpoint. What transformers' own early stopping counts stands only in the process, and starts at 0
when a run is resumed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from curation.errors import TrainingFailedError
from training.checkpoints import is_whole, remove_from, step_folder
from training.config.stopping import EarlyStoppingConfig
from training.scale.ranks import name_checkpoints
from training.spec import RunSpec

MEASUREMENTS = 20
"""So often a stage is measured unless it says otherwise."""


class Verdict(NamedTuple):
    """What a held-out curve says."""

    best_step: int | None
    """Step of the lowest loss; the first of several."""
    is_over: bool
    """Whether patience is at its end."""


def judge_curve(curve: Sequence[tuple[int, float]], stopping: EarlyStoppingConfig) -> Verdict:
    """Judge (step, held-out loss) in the order of the steps; only a loss that is better by `min_improvement` is the best."""
    best_step, best, waited = None, float("inf"), 0
    for step, loss in curve:
        if loss < best - (stopping.min_improvement if best_step is not None else 0.0):
            best_step, best, waited = step, loss, 0
        else:
            waited += 1
    return Verdict(best_step, waited >= stopping.patience)


def read_curve(log_history: Sequence[dict[str, Any]]) -> list[tuple[int, float]]:
    """Return (step, held-out loss) of a trainer's log."""
    return [(int(entry["step"]), float(entry["eval_loss"])) for entry in log_history if "eval_loss" in entry]


def steps_between(stopping: EarlyStoppingConfig, num_steps: int) -> int:
    """Return after how many steps the loss is measured."""
    return stopping.every_steps or max(1, num_steps // MEASUREMENTS)


def was_over(checkpoint: Path | None, stopping: EarlyStoppingConfig | None) -> Any:
    """Return the `transformers.TrainerState` of a checkpoint at which patience had ended already, else None."""
    if checkpoint is None or stopping is None:
        return None
    from transformers import TrainerState

    state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    return state if judge_curve(read_curve(state.log_history), stopping).is_over else None


def take_best(trainer: Any, spec: RunSpec, stopping: EarlyStoppingConfig) -> None:
    """Put the weights of the best measurement back into the model.

    Raises:
        TrainingFailedError: if its checkpoint is damaged; it and what came after are dropped; the next start goes on before.
    """
    work = Path(spec.work_folder)
    best = judge_curve(read_curve(trainer.state.log_history), stopping).best_step
    if best is None:
        return
    folder = step_folder(work, best)
    if not is_whole(folder, name_checkpoints(spec.fingerprint)):
        remove_from(work, best)
        reason = f"the checkpoint of step {best}, where the held-out loss was lowest, is damaged"
        raise TrainingFailedError(stage=spec.stage, reason=reason, folder=work)
    trainer._load_from_checkpoint(str(folder))
