"""The trainer of every method, on rows that are tokenised, labelled and ordered already.

trainer = build_trainer(job)
trainer.train()
"""

from collections.abc import Callable
from typing import Any

from training.config import Method
from training.four_bits import widen_adapters
from training.methods.distillation import build_distillation
from training.methods.group_rl import build_group_rl
from training.methods.job import Job
from training.methods.pairs import build_odds_ratio, build_preference, build_rated
from training.methods.ppo import build_ppo
from training.methods.scoring import build_reward
from training.methods.supervised import build_supervised

BUILDERS: dict[Method, Callable[[Job], Any]] = {
    "dapt": build_supervised,
    "sft": build_supervised,
    "dpo": build_preference,
    "kto": build_rated,
    "orpo": build_odds_ratio,
    "reward": build_reward,
    "rloo": build_group_rl,
    "grpo": build_group_rl,
    "ppo": build_ppo,
    "distillation": build_distillation,
}


def build_trainer(job: Job) -> Any:
    """Load the parent model and return the trainer of the stage, ready to run. Raises ModelNotFoundError."""
    from transformers import PrinterCallback

    trainer = BUILDERS[job.stage.method](job)
    trainer.remove_callback(PrinterCallback)  # the job's callback speaks
    if job.stage.tuning == "qlora":
        widen_adapters(trainer)
    return trainer
