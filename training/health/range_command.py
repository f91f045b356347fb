"""A range test of one stage in a process of its own: `python -m training.health.range_command SPEC.json`.

Prints one line of JSON: the rates, their losses, the rate that is suggested, the range that is safe, the stage's own rate, and
what the test took. Nothing is kept of the training.
"""

import json
import math
import os
import shutil
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from curation.errors import ConfigError, TunewrightError
from curation.store import Store
from training.base_model import load_tokenizer
from training.chat_format import ChatFormat
from training.config import StageConfig
from training.config.methods import RANGE_TESTED
from training.health.range_test import find_safe_range, has_diverged, spread_rates, suggest_rate
from training.launch import SILENT
from training.learning import plan_steps, resolved_stage
from training.memory.fitting import settle_job
from training.methods.job import Job
from training.parent_watch import Stop
from training.rows import read_rows
from training.scale.ranks import prepare_ranks
from training.spec import RunSpec
from training.trainers import build_trainer
from training.trial_failure import explain_trial_failure

LOWEST, HIGHEST, NUM_STEPS = 1e-7, 1.0, 100
FAILED = 3
ADVICE = (
    "Stop what else uses the device, lower `batch_size` (and raise `gradient_accumulation`) or `max_length`, or switch "
    "`gradient_checkpointing` on; `tunewright plan RECIPE` says what fits."
)


class Tried(NamedTuple):
    """What a range test saw."""

    rates: list[float]
    losses: list[float]
    """One a rate, as far as the test went."""
    learning_rate: float
    """Of the stage."""
    tokens: int
    """That were trained."""


def main(arguments: list[str]) -> int:
    """Run the range test of a spec file, print what came out, and return the exit code."""
    prepare_ranks()
    os.environ.update({name: value for name, value in SILENT.items() if name not in os.environ})
    warnings.simplefilter("ignore", FutureWarning)  # of the libraries, about each other
    started = time.monotonic()
    try:
        tried = _try(RunSpec.read(Path(arguments[0])))
    except (TunewrightError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a terminal is watching
        return FAILED
    finally:
        shutil.rmtree(Path(arguments[0]).parent / "staging", ignore_errors=True)
    print(json.dumps({**summarise(tried), "seconds": round(time.monotonic() - started, 1)}))  # noqa: T201
    return 0


def summarise(tried: Tried) -> dict[str, Any]:
    """Return what a test found, ready for JSON: None where the curve does not show it."""
    rates, losses = tried.rates, tried.losses
    figures = {**suggest_rate(rates, losses)._asdict(), **find_safe_range(rates, losses)._asdict()}
    found = {name: value if math.isfinite(value) else None for name, value in figures.items()}
    curve = [[rate, loss if math.isfinite(loss) else None] for rate, loss in zip(rates, losses, strict=False)]
    return {**found, "curve": curve, "learning_rate": tried.learning_rate, "steps": len(losses), "tokens": tried.tokens}


def _try(spec: RunSpec) -> Tried:
    try:
        return try_rates(spec)
    except (TunewrightError, OSError):
        raise
    except Exception as error:
        raise explain_trial_failure(error, spec, what="range test", advice=ADVICE) from error


def try_rates(spec: RunSpec) -> Tried:
    """Train for at most NUM_STEPS steps while the learning rate rises from LOWEST to HIGHEST.

    Raises:
        ConfigError: for a method whose loss says nothing about learning.
        TunewrightError: if rows or model cannot be read.
    """
    given = resolved_stage(spec)
    if given.method not in RANGE_TESTED:
        raise ConfigError(
            path="stage.method", problem=f"has no range test; there is one for {', '.join(RANGE_TESTED)}", value=given.method
        )
    stage = replace(given, epochs=None, max_steps=NUM_STEPS, learning_rate=HIGHEST / 2, checkpoint_every_steps=0)
    rates = spread_rates(LOWEST, HIGHEST, NUM_STEPS)
    losses, tokens = _train(spec, stage, rates)
    return Tried(rates, losses, given.learning_rate or 0.0, tokens)


def _train(spec: RunSpec, stage: StageConfig, rates: list[float]) -> tuple[list[float], int]:
    tokenizer = load_tokenizer(spec.parent_model)
    root = spec.tables[stage.data.table]
    rows = read_rows(Store(spec.store_url), root, ChatFormat(tokenizer), stage, seed=spec.stage_seed)
    plan = plan_steps(stage, rows, seed=spec.stage_seed)
    losses: list[float] = []
    job = Job(
        spec=spec,
        stage=stage,
        rows=rows,
        order=plan.order,
        packs=plan.packs,
        tokenizer=tokenizer,
        num_steps=NUM_STEPS,
        callback=_recorder(losses),
    )
    trainer = build_trainer(settle_job(job))
    trainer.create_scheduler = lambda num_training_steps, optimizer=None: _rise(trainer, optimizer, rates)
    trainer.train()
    return losses, int(trainer.state.num_input_tokens_seen)


def _rise(trainer: Any, optimizer: Any, rates: list[float]) -> Any:
    """Let the trainer's learning rate follow a list."""
    from torch.optim.lr_scheduler import LambdaLR

    used = optimizer if optimizer is not None else trainer.optimizer
    for group in used.param_groups:
        group["lr"] = group["initial_lr"] = 1.0
    trainer.lr_scheduler = LambdaLR(used, lambda step: rates[min(step, len(rates) - 1)])
    return trainer.lr_scheduler


def _recorder(losses: list[float]) -> Any:
    from transformers import TrainerCallback

    class Recorder(TrainerCallback):  # type: ignore[misc]
        """Notes the loss of every step and ends the test when there is no more to see."""

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
            if logs and "loss" in logs:
                losses.append(float(logs["loss"]))
                control.should_training_stop = control.should_training_stop or has_diverged(losses)

    return Recorder()


if __name__ == "__main__":
    Stop().install()  # nobody would read what it finds when its parent is gone, and it would keep the GPU
    sys.exit(main(sys.argv[1:]))
