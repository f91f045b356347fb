"""QLoRA of 8B and of 70B on one card: NF4 twice quantized, adapters on all linear layers, activations recomputed.

python -m benchmarks.gpu.qlora --out DIR [--tiny --device cpu]
"""

from benchmarks.gpu.loop import Setting, build_parser, run_setting, shrink
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
    """Run both."""
    given = build_parser().parse_args()
    report = Report(given.out / "qlora.json", given.device)
    for setting in SETTINGS:
        run_setting(shrink(setting) if given.tiny else setting, report, given.device)
    print(report.table())
    print(report.last_line())


if __name__ == "__main__":
    main()
