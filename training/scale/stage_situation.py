"""The situation of one stage of a recipe, for the rules: its resolved settings, its parent model, this machine.

refuse_conflicts(situation_of(resolved.stage, recipe.training.layout, shape=find_shape(parent_folder)))
"""

import importlib.util
import json
import shutil
from pathlib import Path

from curation.errors import ConfigError
from training.config import StageConfig
from training.memory.device import find_gpus
from training.memory.model_shape import ModelShape
from training.scale.config import Layout
from training.scale.situation import Situation

TRAINING_PACKAGES = ("deepspeed", "bitsandbytes")
"""Needed where the training runs; on another machine they are taken to be there."""
PACKAGES = (*TRAINING_PACKAGES, "dagster_k8s")
PROGRAMS = ("sbatch", "scontrol", "srun")


def situation_of(
    stage: StageConfig, layout: Layout, *, shape: ModelShape | None = None, num_rows: int | None = None
) -> Situation:
    """Return where a resolved stage is going to run; what this machine has only counts if it runs here."""
    is_here = layout.scale.launcher.kind == "subprocess"
    packages, elsewhere = (PACKAGES, ()) if is_here else (("dagster_k8s",), TRAINING_PACKAGES)
    lora, rl, writing = stage.lora, stage.rl, stage.rl or stage.distillation
    return Situation(
        layout=layout,
        method=stage.method,
        tuning=stage.tuning,
        rank=lora.rank if lora else 1,
        has_dora=lora.dora if lora else False,
        batch_size=stage.batch_size or 1,
        accumulation=stage.gradient_accumulation or 1,
        max_length=stage.max_length or 1,
        epochs=stage.epochs,
        max_steps=stage.max_steps,
        is_packed=bool(stage.packing),
        optimizer=stage.optimizer,
        precision=stage.precision,
        is_checkpointed=bool(stage.gradient_checkpointing),
        checkpoint_every_steps=stage.checkpoint_every_steps,
        num_generations=rl.num_generations if rl else None,
        max_new_tokens=writing.max_new_tokens if writing else None,
        num_rows=num_rows,
        shape=shape,
        gpus=find_gpus() if is_here else None,
        packages=frozenset(name for name in packages if importlib.util.find_spec(name)) | frozenset(elsewhere),
        programs=frozenset(name for name in PROGRAMS if shutil.which(name)),
    )


def find_shape(folder: str | Path) -> ModelShape | None:
    """Return the sizes of the model in a folder; None where there is none yet, or its family is not known."""
    try:
        return ModelShape.from_config(json.loads((Path(folder) / "config.json").read_bytes()))
    except (OSError, ValueError, ConfigError):
        return None
