"""The adapter as vLLM serves it: an allowed rank, no whole modules, its base named, the same bytes for the same adapter.

    write_adapter(model / "adapter", out / "adapter", name="sdk_assistant", base="meta-llama/Llama-3.1-8B-Instruct")
    check_adapter(out / "adapter", model / "adapter", name="sdk_assistant")

A rank between the allowed ones is padded up with zeros: B A stays what it was, number by number, and alpha grows with the
rank, so that the scale of the update stays too. rsLoRA's scale is written as a plain alpha, which every server reads alike.
"""

import json
import math
from pathlib import Path
from typing import Any

from curation.errors import ExportError, ExportRefusedError

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes as `max_lora_rank`."""
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
UNSERVED = ("modules_to_save", "rank_pattern", "alpha_pattern", "use_dora", "lora_bias", "trainable_token_indices")
"""Settings of PEFT that vLLM refuses or ignores; all of them are empty in an adapter that it serves as it was trained."""


def why_unserved(folder: Path) -> str:
    """Say why vLLM cannot serve an adapter as it was trained; empty if it can. Raises ExportError if it cannot be read."""
    config, tensors = _read_config(folder), _read_tensors(folder)
    found = next((key for key in UNSERVED if config.get(key)), None)
    if config.get("peft_type") != "LORA" or config.get("bias", "none") != "none":
        return f"it is {config.get('peft_type')} with bias '{config.get('bias')}', and only LoRA without bias is served"
    if found:
        return f"it has {found} ({config[found]!r}), which vLLM does not serve"
    other = next((name for name in sorted(tensors) if not name.endswith((".lora_A.weight", ".lora_B.weight"))), None)
    if other:
        return f"it holds '{other}', which is no matrix of LoRA"
    rank = config["r"]
    return f"its rank {rank} is above {RANKS[-1]}, the highest that vLLM serves" if rank > RANKS[-1] else ""


def write_adapter(source: Path, out: Path, *, name: str, base: str, revision: str | None = None) -> Path:
    """Write an adapter so that vLLM can serve it, and return its folder.

    Raises:
        ExportRefusedError: if vLLM cannot serve it as it was trained.
        ExportError: if it cannot be read.
        OSError: if it cannot be written.
    """
    from safetensors.torch import save_file

    reason = why_unserved(source)
    if reason:
        raise ExportRefusedError(name=name, reason=f"vLLM cannot serve the adapter: {reason}.")
    config, scale = _read_config(source), scale_of(_read_config(source))
    rank = next(size for size in RANKS if size >= config["r"] and scale * size / size == scale)
    alpha = scale * rank
    changed = {
        "r": rank,
        "lora_alpha": int(alpha) if alpha == int(alpha) else alpha,
        "use_rslora": False,
        "base_model_name_or_path": base,
        "revision": revision,
        "inference_mode": True,
    }
    out.mkdir(parents=True)
    save_file({key: _pad(key, tensor, rank) for key, tensor in _read_tensors(source).items()}, out / WEIGHTS)
    plain = {key: sorted(value) if isinstance(value, list) else value for key, value in (config | changed).items()}
    (out / CONFIG).write_text(json.dumps(plain, indent=2, sort_keys=True) + "\n")
    return out


def check_adapter(folder: Path, source: Path, *, name: str) -> None:
    """Prove that an exported adapter is what was trained, and that vLLM takes it.

    Raises:
        ExportRefusedError: saying what differs.
        ExportError: if it cannot be read.
    """
    config, trained = _read_config(folder), _read_config(source)
    problem = why_unserved(folder)
    if not problem and config["r"] not in RANKS:
        problem = f"its rank {config['r']} is none that vLLM serves ({', '.join(map(str, RANKS))})"
    if not problem and not config.get("base_model_name_or_path"):
        problem = "it does not name its base"
    if not problem and scale_of(config) != scale_of(trained):
        problem = f"its update counts {scale_of(config):g} times, and {scale_of(trained):g} times in training"
    if not problem and any(isinstance(value, list) and value != sorted(value) for value in config.values()):
        problem = "its lists are in no order, so that the same adapter has another hash every time"
    problem = problem or _differences(_read_tensors(folder), _read_tensors(source), config["r"])
    if problem:
        raise ExportRefusedError(name=name, reason=f"the adapter is not the one that was trained: {problem}.")


def scale_of(config: dict[str, Any]) -> float:
    """Return how many times the update B A counts."""
    rank = config["r"]
    return float(config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank))


def _differences(found: dict[str, Any], trained: dict[str, Any], rank: int) -> str:
    if found.keys() != trained.keys():
        return f"it has not the same matrices, such as '{min(found.keys() ^ trained.keys())}'"
    for key, tensor in trained.items():
        wanted = _pad(key, tensor, max(rank, tensor.shape[_rank_axis(key)]))
        if found[key].shape != wanted.shape or found[key].dtype != wanted.dtype or not found[key].equal(wanted):
            return f"'{key}' differs"
    return ""


def _rank_axis(key: str) -> int:
    return 0 if key.endswith(".lora_A.weight") else 1


def _pad(key: str, tensor: Any, rank: int) -> Any:
    """Return A (rank, in) or B (out, rank) with zeros up to a rank."""
    import torch

    axis = _rank_axis(key)
    shape = list(tensor.shape)
    shape[axis] = rank
    padded = torch.zeros(shape, dtype=tensor.dtype)
    padded.narrow(axis, 0, tensor.shape[axis]).copy_(tensor)
    return padded


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_bytes())
        if not (isinstance(config["r"], int) and config["r"] >= 1 and config["lora_alpha"] > 0):
            raise ValueError("rank and alpha must be above 0")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportError(name=folder.name, reason=f"{CONFIG} cannot be read ({error})") from error
    return config


def _read_tensors(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    try:
        return dict(load_file(folder / WEIGHTS))
    except Exception as error:  # OSError, SafetensorError, ...
        raise ExportError(name=folder.name, reason=f"{WEIGHTS} cannot be read ({error})") from error
