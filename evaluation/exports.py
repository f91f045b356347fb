"""The hand-off: a folder which Transformers, vLLM and Ollama can load.

export_model(model_folder, out, readme=card, name="sdk_assistant")

    OUT/model.safetensors, config.json, generation_config.json, tokenizer.json, chat_template.jinja, manifest.json
    OUT/README.md      the model card
    OUT/Modelfile      for Ollama, with the chat template in its language, checked against the original
"""

import json
import shutil
import struct
import uuid
from pathlib import Path
from typing import Any

from curation.errors import ExportError
from curation.files import sync_folder, write_atomically
from evaluation.modelfile import write_modelfile

SUFFIXES = frozenset({".json", ".jinja", ".model", ".txt", ".safetensors"})
"""What is copied from the top of the model folder; pickled weights and checkpoints never are."""


def export_model(model_folder: Path, out: Path, *, readme: str, name: str) -> Path:
    """Copy the merged model with card and Modelfile to OUT, replacing an earlier export as a whole, and return OUT.

    Raises:
        ExportError: if the folder has no readable weights, tokenizer or config, or OUT cannot be written.
    """
    config = _read_json(model_folder / "config.json", name)
    _read_json(model_folder / "tokenizer.json", name)
    _check_weights(model_folder, name)
    part = out.with_name(f".{out.name}.{uuid.uuid4().hex}.part")
    try:
        part.mkdir(parents=True)
        for file in sorted(model_folder.iterdir()):
            if file.is_file() and file.suffix in SUFFIXES and not file.name.startswith("."):
                shutil.copy2(file, part / file.name)
        write_atomically(part / "README.md", readme.encode())
        write_atomically(part / "Modelfile", write_modelfile(model_folder, config).encode())
        _replace(part, out)
    except OSError as error:
        raise ExportError(name=name, reason=f"{error.strerror or error} ({error.filename or out})") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return out


def _replace(part: Path, out: Path) -> None:
    old = out.with_name(f".{out.name}.{uuid.uuid4().hex}.old")
    if out.exists():
        out.rename(old)
    part.rename(out)
    sync_folder(out.parent)
    shutil.rmtree(old, ignore_errors=True)


def _read_json(path: Path, name: str) -> dict[str, Any]:
    try:
        parsed = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ExportError(name=name, reason=f"{path.name} cannot be read ({error})") from error
    if not isinstance(parsed, dict):
        raise ExportError(name=name, reason=f"{path.name} holds no object")
    return parsed


def _check_weights(model_folder: Path, name: str) -> None:
    shards = sorted(model_folder.glob("*.safetensors"))
    if not shards:
        raise ExportError(name=name, reason="the model folder holds no safetensors weights")
    for shard in shards:
        if not _is_whole(shard):
            raise ExportError(name=name, reason=f"{shard.name} is damaged")


def _is_whole(shard: Path) -> bool:
    """Tell whether a safetensors file is as long as its header says (8 bytes of length, JSON, then the tensors)."""
    try:
        with shard.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(length, 100_000_000)))
        ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
        return bool(ends) and shard.stat().st_size == 8 + int(length) + max(ends)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, struct.error):
        return False
