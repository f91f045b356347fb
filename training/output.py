"""What a finished stage leaves: WORK/output, whole or absent, and WORK/timings.json.

output/model.safetensors, config.json, generation_config.json, tokenizer*.json, chat_template.jinja
output/adapter/            the LoRA adapter, when the stage trained one (the model beside it has it merged in)
output/manifest.json       stage, data, configuration, seed, versions, loss curve: the same bytes for the same run
timings.json               seconds and tokens/s, which differ from run to run
"""

import importlib.metadata
import json
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.config import as_plain
from curation.files import sync_folder, sync_tree, write_atomically
from curation.store import TableRef
from training.spec import RunSpec

ADAPTER = ".adapter"
"""Where a finished adapter waits in the work folder until it is part of the output."""
LIBRARIES = ("torch", "transformers", "trl", "peft", "tokenizers", "accelerate", "datasets", "numpy")


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained model, and how its training went."""

    model: Any
    tokenizer: Any
    num_rows: int = 0
    num_steps: int = 0
    trained_tokens: int = 0
    """Tokens read in training, padding left out, over the whole run, interruptions included."""
    loss_curve: tuple[dict[str, float], ...] = ()
    rejections: TableRef | None = None


def write_output(spec: RunSpec, trained: Trained) -> Path:
    """Write the model folder under a temporary name, make it durable, and rename it. Raises OSError."""
    work = Path(spec.work_folder)
    part, output = work / ".output.part", work / "output"
    for old in (part, output):
        shutil.rmtree(old, ignore_errors=True)
    part.mkdir(parents=True)
    trained.model.config._name_or_path = ""  # the path of this machine is nobody's business
    trained.model.config.use_cache = True  # the trainers switch it off, and answering needs it
    trained.model.save_pretrained(part)
    trained.tokenizer.save_pretrained(part)
    if (work / ADAPTER).exists():
        shutil.copytree(work / ADAPTER, part / "adapter")
    (part / "manifest.json").write_text(json.dumps(_manifest(spec, trained), indent=1, sort_keys=True, allow_nan=False))
    sync_tree(part)
    part.rename(output)
    sync_folder(work)
    return output


def write_timings(spec: RunSpec, **values: float | str) -> None:
    """Write what differs from run to run. Raises OSError."""
    write_atomically(Path(spec.work_folder) / "timings.json", json.dumps(values, indent=1, sort_keys=True).encode())


def is_finished(spec: RunSpec) -> bool:
    """Tell whether this very run has left its output already."""
    try:
        manifest = json.loads((Path(spec.work_folder) / "output" / "manifest.json").read_bytes())
        return bool(manifest["fingerprint"] == spec.fingerprint)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _manifest(spec: RunSpec, trained: Trained) -> dict[str, Any]:
    return {
        "stage": spec.stage,
        "fingerprint": spec.fingerprint,
        "data": spec.tables,
        "config": as_plain(spec.config),
        "seed": spec.seed,
        "parent": spec.parent,
        "models": {name: Path(folder).name for name, folder in spec.models.items()},
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}},
        "num_parameters": sum(parameter.numel() for parameter in trained.model.parameters()),
        "num_rows": trained.num_rows,
        "num_steps": trained.num_steps,
        "trained_tokens": trained.trained_tokens,
        "loss_curve": list(trained.loss_curve),
        "rejections": as_plain(trained.rejections),
    }


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
