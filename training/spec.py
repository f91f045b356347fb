"""What the parent asks a training process to do: one JSON file.

    spec = RunSpec(config=recipe.training.stages[0], store_url=store.url, tables={"examples": table.root},
                   parent_model="/store/folders/9f...", work_folder="/home/work/sft_model", seed=0)
    spec.stage        "sft"
    spec.write(Path("/home/work/sft_model/spec.json"))

Everything that determines the result stands in it; store address and folders say only where things are.
"""

import dataclasses
import json
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from curation.config import as_plain
from curation.errors import ConfigError
from curation.files import write_atomically
from curation.ids import content_hash
from training.config import BaseModelConfig, StageConfig

T = TypeVar("T")

BASE = "base"
"""The stage that makes the base model; the others are called by their method."""


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One run of one stage."""

    config: BaseModelConfig | StageConfig
    store_url: str
    tables: dict[str, str] = field(default_factory=dict)
    """Table name (`documents`, `examples`, `pairs`, ...) -> root; `training.config.DATA_OF` says which one a method reads.
    The base stage reads documents and, if given, examples."""
    parent_model: str = ""
    """Local folder of the model that the stage starts from; empty for the base stage."""
    models: dict[str, str] = field(default_factory=dict)
    """Name -> local folder of models that the stage uses besides: reward models, a teacher."""
    work_folder: str
    """Folder for checkpoints, progress and output; the same one again after an interruption."""
    seed: int = 0
    run_name: str = ""
    """What trackers call the run."""
    trackers: tuple[str, ...] = ()
    """Experiment trackers that are told of it; they do not determine the result."""
    held_out: str = ""
    """Root of the examples of the eval_set, with which the rows are compared; it does not determine the result."""

    @property
    def stage(self) -> str:
        """What is run: `base`, or the method."""
        return BASE if isinstance(self.config, BaseModelConfig) else self.config.method

    @property
    def fingerprint(self) -> str:
        """Hash of all that determines the result: a checkpoint of another fingerprint is not resumed."""
        return content_hash(
            {
                "stage": self.stage,
                "config": as_plain(self.config.as_trained() if isinstance(self.config, StageConfig) else self.config),
                "tables": self.tables,
                "parent": self.parent,
                "models": {name: Path(folder).name for name, folder in self.models.items()},
                "seed": self.seed,
            }
        )

    @property
    def stage_seed(self) -> int:
        """The seed of the stage if it has one, otherwise that of the run."""
        own = None if isinstance(self.config, BaseModelConfig) else self.config.seed
        return self.seed if own is None else own

    @property
    def parent(self) -> str:
        """Name of the parent model: its hash when it is a folder of the store, otherwise as given."""
        path = Path(self.parent_model)
        return path.name if self.parent_model and path.is_absolute() else self.parent_model

    def write(self, path: Path) -> Path:
        """Write the spec as JSON, atomically, and return the path. Raises OSError."""
        write_atomically(path, json.dumps(as_plain(self), indent=1, sort_keys=True).encode())
        return path

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a spec. Raises OSError or ConfigError."""
        try:
            data = json.loads(path.read_bytes())
            data["config"] = _build(StageConfig if "method" in data["config"] else BaseModelConfig, data["config"])
            data["trackers"] = tuple(data.get("trackers", ()))
            return cls(**data)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(path=str(path), problem="is not a run spec", value=str(error)) from error


def _build(cls: type[T], data: dict[str, Any]) -> T:
    """Build a configuration out of plain JSON, nested configurations included."""
    hints = typing.get_type_hints(cls)
    return cls(**{name: _convert(hints.get(name), value) for name, value in data.items()})


def _convert(hint: Any, value: Any) -> Any:
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    nested = next((option for option in options if dataclasses.is_dataclass(option)), None)
    if nested is not None and isinstance(value, dict):
        return _build(typing.cast(type, nested), value)
    if isinstance(value, list):
        inner = next((typing.get_args(option)[0] for option in options if typing.get_origin(option) is tuple), None)
        return tuple(_convert(inner, item) for item in value)
    return value
