"""The plan of all training stages of a recipe: sizes of the base model, this machine's devices, what earlier runs measured.

planned = plan_recipe(recipe, home, gpu_memory=24)
planned.stages[0].estimate.allocated
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from assets.recipe import Recipe
from curation.errors import ModelNotFoundError
from curation.home import Home
from training.config import StageConfig
from training.config.presets import ModelSize, resolve_stage
from training.config.training import BASE_MODEL
from training.memory.device import find_gpus
from training.memory.estimate import GIB
from training.memory.model_shape import ModelShape
from training.memory.stage_plan import StageFacts, StagePlan, plan_stage, shape_of_base
from training.scale.conflicts import find_conflicts, find_notes
from training.scale.situation import Conflict
from training.scale.stage_situation import situation_of

ADVICE = "give its config.json with --base, or bring the asset base_model up to date"


class Sizes(NamedTuple):
    """The sizes of the base model, and where they were read."""

    shape: ModelShape
    source: str


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """Plans of all stages on one kind of device."""

    recipe: str
    base: str
    """Where the sizes of the model were read."""
    shape: ModelShape
    device: str
    gpu_memory: int | None
    world_size: int
    stages: tuple[StagePlan, ...]
    conflicts: dict[str, tuple[Conflict, ...]]
    """Model -> what is refused about its stage."""
    notes: dict[str, tuple[Conflict, ...]]
    """Model -> what works and is worth knowing."""

    @property
    def is_possible(self) -> bool:
        """Whether all stages fit and none is refused."""
        return all(stage.fits for stage in self.stages) and not any(self.conflicts.values())


def plan_recipe(
    recipe: Recipe,
    home: Home,
    *,
    gpu_memory: float | None = None,
    base: Path | None = None,
    tokens_per_second: float | None = None,
) -> TrainingPlan:
    """Plan the stages of a recipe.

    Args:
        recipe: the recipe.
        home: where earlier runs are looked up.
        gpu_memory: GiB of one device; 0 means none; None: what this machine has.
        base: config.json of the base model.
        tokens_per_second: measured speed; None: that of the last run of each stage.

    Raises:
        ModelNotFoundError: if the sizes of the base model cannot be found.
        ConfigError: if they cannot be planned with.
    """
    sizes = find_sizes(recipe, home, base)
    size = ModelSize(num_parameters=sizes.shape.num_parameters, context_length=sizes.shape.context_length)
    memory, device = find_device(gpu_memory)
    layout, stages, conflicts, notes = recipe.training.layout, [], {}, {}
    for stage in recipe.training.stages:
        facts = find_facts(recipe, home, stage, tokens_per_second)
        resolved = resolve_stage(stage, size)
        stages.append(plan_stage(resolved, sizes.shape, layout, gpu_memory=memory, facts=facts))
        situation = situation_of(resolved.stage, layout, shape=sizes.shape, num_rows=facts.num_rows)
        conflicts[stage.model_name], notes[stage.model_name] = find_conflicts(situation), find_notes(situation)
    return TrainingPlan(
        recipe=recipe.name,
        base=sizes.source,
        shape=sizes.shape,
        device=device,
        gpu_memory=memory,
        world_size=layout.world_size,
        stages=tuple(stages),
        conflicts=conflicts,
        notes=notes,
    )


def find_device(gpu_memory: float | None) -> tuple[int | None, str]:
    """Return the bytes of the smallest device (None for a CPU) and its name."""
    if gpu_memory is not None:
        return (round(gpu_memory * GIB), f"a device of {gpu_memory:g} GiB") if gpu_memory else (None, "CPU")
    gpus = find_gpus()
    if not gpus:
        return None, "CPU (no GPU found; --gpu-memory plans for one)"
    smallest = min(gpus, key=lambda gpu: gpu.memory)
    return smallest.memory, f"{len(gpus)} x {smallest.name}, {smallest.memory / GIB:.1f} GiB"


def find_sizes(recipe: Recipe, home: Home, base: Path | None) -> Sizes:
    """Return the sizes of the base model: of the given file, the model as it was made, its folder, or the hub's cache.

    Raises:
        ModelNotFoundError: if there is none of them.
        ConfigError: if the family of the model is not known.
    """
    if base is not None:
        return _read_sizes(base)
    config = recipe.training.base
    store = home.store()
    made = store.find_snapshot(recipe.asset(BASE_MODEL))
    if made is not None:
        folder = Path(store.get_folder(made.folders["model"]))
        if (folder / "config.json").exists():
            return Sizes(_read_sizes(folder / "config.json").shape, "base_model as it was made")
    if config.model is None:
        return Sizes(shape_of_base(config), "the small Llama of the recipe")
    for folder in (Path(config.model), *_cached(config.model)):
        if (folder / "config.json").exists():
            return _read_sizes(folder / "config.json")
    raise ModelNotFoundError(model=config.model, reason=f"its sizes are not here yet: {ADVICE}")


def _read_sizes(path: Path) -> Sizes:
    try:
        values: Any = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelNotFoundError(model=str(path), reason=f"not a config.json: {error}") from error
    if not isinstance(values, dict):
        raise ModelNotFoundError(model=str(path), reason="its config.json is no JSON object")
    return Sizes(ModelShape.from_config(values), str(path))


def _cached(model: str) -> list[Path]:
    """Return the newest snapshots of a model in the cache of the Hugging Face hub."""
    home = os.environ.get("HF_HOME") or str(Path.home() / ".cache" / "huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub")
    folder = cache / f"models--{model.replace('/', '--')}" / "snapshots"
    return sorted(folder.glob("*"), key=lambda path: path.stat().st_mtime, reverse=True) if folder.is_dir() else []


def find_facts(recipe: Recipe, home: Home, stage: StageConfig, tokens_per_second: float | None) -> StageFacts:
    """Return what the store knows of a stage: rows of its data set, speed and tokens of its last run."""
    store = home.store()
    data = store.find_snapshot(recipe.asset(stage.data.dataset))
    table = data.tables.get(stage.data.table) if data else None
    last = store.find_snapshot(recipe.asset(stage.model_name))
    values = last.values if last else {}
    return StageFacts(
        num_rows=values.get("num_rows") or (table.num_rows if table else None),
        tokens_per_second=tokens_per_second or values.get("tokens_per_s") or None,
        trained_tokens=values.get("trained_tokens") or None,
    )
