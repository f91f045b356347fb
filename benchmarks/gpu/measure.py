"""What is measured of a training loop, its ceiling on this card, and how results are kept.

The ceiling of a model is the rate of a large bf16 matrix product on this card, measured in the same run, over the operations
of a token: two a weight of every linear layer and pass, and 2 * heads * width * (tokens before it) for causal attention. Full
fine-tuning takes three passes; LoRA two for the weights and three for attention; checkpointing one more through the layers.
"""

import importlib.metadata
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.gpu.architectures import shape_of

GIB = 2**30
LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "triton", "liger-kernel", "bitsandbytes")


@dataclass
class Measured:
    """One configuration, measured; or why it could not be."""

    name: str
    size: str
    tokens_per_s: float = 0.0
    """Trained tokens a second: padding is not counted."""
    step_s: float = 0.0
    share: float = 0.0
    """Of the ceiling of the same work."""
    peak_gib: float = 0.0
    """Most memory of live tensors."""
    loss: float = 0.0
    settings: dict[str, Any] = field(default_factory=dict)
    error: str = ""


def operations_per_token(size: str, rows: Sequence[int], *, is_full: bool, is_checkpointed: bool) -> float:
    """Return floating-point operations that a trained token needs at least, for rows of these lengths."""
    shape = shape_of(size)
    head = shape.vocab_size * shape.hidden_size
    weights = 2.0 * (shape.num_linear_weights + head)
    before = sum(length * length for length in rows) / 2 / max(1, sum(rows))
    attention = 4.0 * shape.query_size * before * shape.num_layers
    passes = 3 if is_full else 2
    again = weights - 2.0 * head + attention if is_checkpointed else 0.0
    return passes * weights + 3 * attention + again


def measure_matmul(device: str, width: int = 8192) -> float:
    """Return operations a second of a bf16 matrix product on random data, the median of ten."""
    import torch

    if device == "cpu":
        return 1e11
    one, two = (torch.randn(width, width, device=device, dtype=torch.bfloat16) for _ in range(2))
    times = []
    for _ in range(13):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        one @ two
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end))
    return float(2.0 * width**3 / (sorted(times[3:])[5] / 1000))


def describe_machine(device: str) -> dict[str, Any]:
    """Return date, device and versions."""
    import torch

    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    card = torch.cuda.get_device_name() if device != "cpu" else platform.machine()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "device": card,
        "python": platform.python_version(),
        "versions": versions,
    }


class Report:
    """A table that grows row by row and is written after each, so that a run that is cut short keeps what it has."""

    def __init__(self, path: Path, device: str) -> None:
        self.path = path
        self.rows: list[Measured] = []
        self.head = {**describe_machine(device), "matmul_tflops": round(measure_matmul(device) / 1e12, 1)}
        self.more: dict[str, Any] = {}

    def add(self, row: Measured) -> None:
        """Print a row and write all."""
        self.rows.append(row)
        print(json.dumps(asdict(row)), flush=True)
        self.write()

    def write(self) -> None:
        """Write the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        rows = [asdict(row) for row in self.rows]
        self.path.write_text(json.dumps({**self.head, **self.more, "rows": rows}, indent=1) + "\n")

    def table(self) -> str:
        """Return the rows as lines of text."""
        lines = [f"{self.head['device']}, {self.head['matmul_tflops']} TFLOP/s bf16"]
        for row in self.rows:
            figures = f"{row.tokens_per_s:>9,.0f} tok/s {100 * row.share:>5.1f} % {row.peak_gib:>6.1f} GiB {row.step_s:>7.3f} s"
            figures += f" loss {row.loss:.3f}"
            lines.append(f"{row.size:>4} {row.name:<58} {row.error[:90] or figures}")
        return "\n".join(lines)

    def last_line(self) -> str:
        """Return the rows that were measured as one line of JSON: a list of sizes, names and figures."""
        return json.dumps(
            [
                {
                    "size": row.size,
                    "name": row.name,
                    "tokens_per_s": round(row.tokens_per_s, 1),
                    "ceiling_share": round(row.share, 4),
                    "peak_gib": round(row.peak_gib, 2),
                }
                for row in self.rows
                if not row.error
            ]
        )
