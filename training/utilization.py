"""How well a run used its devices: tokens, operations and memory, as facts beside the model.

    facts = measure_use(spec, stage, lengths=rows.lengths, tokens_per_s=8100.0)
    facts    {"device": "NVIDIA H100 80GB HBM3", "num_devices": 1, "mfu": 0.41, "peak_gib": 53.1, "peak_host_gib": 9.2}

`mfu` is the share of the peak operations that the model's arithmetic took (Chowdhery et al. 2022, arXiv:2204.02311, appendix
B): per token 2 x weights x passes (3 for all weights, 2 under frozen ones) and 2 x context x heads x head size x layers x 3 for
causal attention. Work done twice by checkpointing does not count. A token's context is its own row: padding and neighbours in a
pack are no work.
"""

import json
import re
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.config import StageConfig
from training.memory.model_shape import ModelShape
from training.output import write_timings
from training.scale.ranks import world_size
from training.scale.stage_situation import find_shape
from training.spec import RunSpec

READING_METHODS = ("dapt", "sft")
"""Methods whose tokens each go through the model once a pass, no second model beside it, and none that it writes."""

PEAKS: tuple[tuple[str, float], ...] = (
    ("B200", 2250e12),
    ("H200", 989e12),
    ("H100 PCIE", 756e12),
    ("H100 NVL", 835e12),
    ("H100", 989e12),
    ("H800", 989e12),
    ("A100", 312e12),
    ("A800", 312e12),
    ("L40S", 362e12),
    ("L40", 181e12),
    ("RTX 4090", 165e12),
    ("RTX 3090", 71e12),
    ("A10G", 70e12),
    ("A10", 125e12),
    ("L4", 121e12),
)
"""End of a word in a device's name -> bf16 operations a second, dense, fp32 accumulation, by the data sheets."""


def find_peak(device: str) -> float | None:
    """Return the peak of a device by its name; None if it is not known."""
    name = device.upper()
    return next((peak for part, peak in PEAKS if re.search(rf"{part}(?![A-Z0-9])", name)), None)


def measure_peak() -> float:
    """Return the operations a second of large bf16 products on this GPU, which is what an unknown device can be held to."""
    import torch

    size, repeats = 8192, 10
    left = torch.randn(size, size, device="cuda", dtype=torch.bfloat16)
    for number in range(repeats + 3):
        if number == 3:
            torch.cuda.synchronize()
            started = time.perf_counter()
        left @ left
    torch.cuda.synchronize()
    return 2 * size**3 * repeats / (time.perf_counter() - started)


def flops_per_token(shape: ModelShape, *, is_adapter: bool, lengths: Sequence[int]) -> float:
    """Return the model's operations for a token of rows of these lengths, forward and backward."""
    weights = shape.num_linear_weights + shape.vocab_size * shape.hidden_size
    context = sum(length * length for length in lengths) / max(1, sum(lengths))
    return 2.0 * weights * (2 if is_adapter else 3) + 2.0 * context * shape.query_size * shape.num_layers * 3


def measure_use(spec: RunSpec, stage: StageConfig, *, lengths: Sequence[int], tokens_per_s: float) -> dict[str, Any]:
    """Return what is known at the end of a training, in its own process; what cannot be known is left out."""
    import torch

    facts: dict[str, Any] = {"num_devices": world_size(), "peak_host_gib": peak_host_gib()}
    if not torch.cuda.is_available():
        return {**facts, "device": "cpu"}
    device = torch.cuda.get_device_name()
    facts |= {"device": device, "peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2)}
    shape = find_shape(spec.parent_model)
    if shape is not None and stage.method in READING_METHODS:
        flops = flops_per_token(shape, is_adapter=stage.tuning != "full", lengths=lengths)
        peak = find_peak(device) or measure_peak()
        facts["mfu"] = round(tokens_per_s * flops / (peak * world_size()), 4)
    return facts


def peak_host_gib() -> float:
    """Return the most memory that this process held on the host."""
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30, 3)


def note_use(spec: RunSpec, stage: StageConfig, *, lengths: Sequence[int]) -> None:
    """Add it to the timings of a run. Raises OSError."""
    timings = json.loads((Path(spec.work_folder) / "timings.json").read_bytes())
    write_timings(spec, **timings | measure_use(spec, stage, lengths=lengths, tokens_per_s=timings["tokens_per_s"]))
