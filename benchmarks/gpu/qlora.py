"""QLoRA of 8B and of 70B on one card: NF4 twice quantized, adapters on all linear layers, activations recomputed.

python -m benchmarks.gpu.qlora --out DIR [--scratch /dev/shm] [--entry-point-only] [--tiny --device cpu]
"""

import tempfile
from pathlib import Path

from benchmarks.gpu.loop import Setting, build_parser, run_setting, shrink
from benchmarks.gpu.lora_sft import run_ours
from benchmarks.gpu.measure import Report

SETTINGS = (
    Setting("QLoRA, NF4 twice quantized", "8b", 8192, "qlora", is_checkpointed=True),
    Setting(
        "QLoRA, NF4 twice quantized",
        "70b",
        4096,
        "qlora",
        is_checkpointed=True,
        optimizer="adamw_8bit",
        num_warm=2,
        num_steps=4,
    ),
)


def main() -> None:
    """Run the entry point on 8B, then the bare loop on both sizes: a folder of 70B is 130 GiB."""
    parser = build_parser()
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--entry-point-only", action="store_true")
    given = parser.parse_args()
    report = Report(given.out / "qlora.json", given.device)
    stage = {"tuning": "qlora", "gradient_checkpointing": True, "tokens_per_batch": 1024 if given.tiny else 8192}
    changes = {"max_length": 256, "tuning": "lora"} if given.tiny else {}
    name, size = "QLoRA, python -m training.run", "tiny" if given.tiny else "8b"
    run_ours(name, size, report, given.device, given.scratch, num_steps=8 if given.tiny else 32, **(stage | changes))
    for setting in () if given.entry_point_only else SETTINGS:
        run_setting(shrink(setting) if given.tiny else setting, report, given.device)
    print(report.table())
    print(report.last_line())


if __name__ == "__main__":
    main()
