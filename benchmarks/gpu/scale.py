"""One GPU and two of one host, through the entry point: copies (DDP) under LoRA, shards (FSDP2) of all weights.

python -m benchmarks.gpu.scale --out DIR [--scratch /dev/shm] [--tiny --device cpu]
"""

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.gpu.loop import build_parser
from benchmarks.gpu.lora_sft import run_ours
from benchmarks.gpu.measure import Report
from training.scale.config import Layout

TWO, SHARDED = Layout(processes=2), Layout(processes=2, strategy="fsdp2")
FULL: dict[str, Any] = {"tuning": "full", "gradient_checkpointing": True}
SETTINGS: tuple[tuple[str, str, Layout, dict[str, Any]], ...] = (
    ("LoRA, one GPU", "8b", Layout(), {}),
    ("LoRA, DDP on two GPUs", "8b", TWO, {}),
    ("all weights, one GPU", "3b", Layout(), FULL),
    ("all weights, DDP on two GPUs", "3b", TWO, FULL),
    ("all weights, FSDP2 on two GPUs", "3b", SHARDED, FULL),
)


def main() -> None:
    """Run all: the same tokens a device and step, so two devices do twice the work of one."""
    parser = build_parser()
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args()
    report = Report(given.out / "scale.json", given.device)
    size: dict[str, Any] = {"tokens_per_batch": 1024, "max_length": 256} if given.tiny else {"tokens_per_batch": 8192}
    for name, architecture, layout, changes in SETTINGS:
        run_ours(
            name, "tiny" if given.tiny else architecture, report, given.device, given.scratch, layout=layout,
            num_steps=8 if given.tiny else 24, **(size | changes),
        )  # fmt: skip
    print(report.table())
    print(report.last_line())


if __name__ == "__main__":
    main()
