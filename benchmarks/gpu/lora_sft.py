"""LoRA through the real entry point, next to TRL as it comes and well tuned, on one card in one run.

python -m benchmarks.gpu.lora_sft --out DIR [--scratch /dev/shm] [--sizes 8b 1b] [--tiny --device cpu]
"""

import argparse
import gc
import shutil
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.gpu.entry_point import run_entry_point
from benchmarks.gpu.loop import ALL_LINEAR
from benchmarks.gpu.measure import Measured, Report, operations_per_token
from benchmarks.gpu.trl_rivals import run_sft
from training.scale.config import Layout

STAGE: dict[str, Any] = {
    "method": "sft", "tuning": "lora", "packing": True, "gradient_accumulation": 1, "epochs": 1.0, "max_length": 4096,
    "gradient_checkpointing": False, "checkpoint_every_steps": 0,
}  # fmt: skip


def run_ours(
    name: str, size: str, report: Report, device: str, scratch: Path, *, num_steps: int, layout: Layout | None = None,
    **changes: Any,
) -> None:  # fmt: skip
    """Measure a run of the entry point of about so many steps, on one device or on those of a layout."""
    stage = {**STAGE, **changes}
    row = Measured(name, size, settings=dict(stage))
    folder = Path(tempfile.mkdtemp(dir=scratch))
    longest = stage["max_length"]
    try:
        num_devices = layout.world_size if layout else 1
        num_rows = num_devices * num_steps * stage["tokens_per_batch"] // min(430, longest // 3)
        run = run_entry_point(
            size, stage, folder, device, num_rows=num_rows, first_step=num_steps // 4, longest=longest, layout=layout
        )
        row.tokens_per_s, row.loss = run.tokens_per_s, run.loss
        row.settings |= {"trained_tokens": run.trained_tokens, "wall_s": round(run.wall_s, 1)}
        is_full = stage["tuning"] == "full"
        work = operations_per_token(size, run.lengths, is_full=is_full, is_checkpointed=bool(stage["gradient_checkpointing"]))
        row.share = run.tokens_per_s * work / (num_devices * report.head["matmul_tflops"] * 1e12)
        row.step_s = num_devices * stage["tokens_per_batch"] / max(1e-9, run.tokens_per_s)
        row.peak_gib = run.peak_gib
        print(run.log[-1500:], flush=True)
    except Exception as error:
        row.error = f"{type(error).__name__}: {error}"[-1500:]
    shutil.rmtree(folder, ignore_errors=True)
    gc.collect()
    report.add(row)


def run_rivals(size: str, report: Report, device: str, *, is_tiny: bool) -> None:
    """Measure TRL's SFTTrainer: defaults, padded and packed with all linear layers, and its best case."""
    import torch

    half = torch.bfloat16 if device != "cpu" else torch.float32
    many = 1 if size == "8b" else 4
    small: dict[str, Any] = {"num_steps": 2, "longest": 128} if is_tiny else {}
    plain: dict[str, Any] = {"dtype": torch.float32, "targets": None, "batch_size": 8, "packing": False, "checkpointing": True}
    tuned: dict[str, Any] = {"dtype": half, "targets": ALL_LINEAR, "batch_size": 2 * many, "packing": True}
    run_sft("TRL as it comes: fp32, q and v, padded 8, checkpointed", size, report, device, **plain, **small)
    run_sft("TRL: bf16, all linear, packed, checkpointed", size, report, device, **tuned, checkpointing=True, **small)
    run_sft("TRL well tuned: bf16, all linear, packed", size, report, device, **tuned, checkpointing=False, **small)
    padded = {**tuned, "packing": False, "batch_size": 8}
    run_sft("TRL: bf16, all linear, padded 8", size, report, device, **padded, checkpointing=False, **small)


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--sizes", nargs="+", default=["8b", "1b"])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--no-rivals", action="store_true")
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    report = Report(given.out / "lora_sft.json", given.device)
    for size in ["tiny"] if given.tiny else given.sizes:
        budget = {"8b": 8192, "1b": 32768}.get(size, 1024)
        changes = {"max_length": 256} if given.tiny else {}
        steps = 8 if given.tiny else 48
        name = "ours, python -m training.run"
        run_ours(name, size, report, given.device, given.scratch, num_steps=steps, tokens_per_batch=budget, **changes)
        if not given.no_rivals:
            run_rivals(size, report, given.device, is_tiny=given.tiny)
    print(report.table())
    print(report.last_line())


if __name__ == "__main__":
    main()
