"""A first look at everything on a card: correctness, then our loop in all tunings. `python -m benchmarks.gpu.first_look`"""

from benchmarks.gpu.correctness import check_kernels
from benchmarks.gpu.loop import Setting, build_parser, run_setting, shrink
from benchmarks.gpu.measure import Report

SETTINGS = (
    Setting("LoRA r16, unfused adapters", "8b", 8192, is_fused=False),
    Setting("LoRA r16, fused", "8b", 8192),
    Setting("LoRA r16, fused, 16k", "8b", 16384),
    Setting("LoRA r16, fused, checkpointed, 16k", "8b", 16384, is_checkpointed=True),
    Setting("LoRA r16, fused", "1b", 16384),
    Setting("LoRA r16, fused, 32k", "1b", 32768),
    Setting("full, 8-bit Adam in backward", "8b", 8192, "full", is_checkpointed=True),
    Setting("full, 8-bit Adam in backward, 12k", "8b", 12288, "full", is_checkpointed=True),
    Setting("full, 8-bit Adam in backward, 16k", "8b", 16384, "full", is_checkpointed=True),
    Setting("full, Adam states on the host, 4k", "8b", 4096, "full", is_checkpointed=True, is_offloaded=True),
    Setting("QLoRA NF4, checkpointed", "8b", 8192, "qlora", is_checkpointed=True),
    Setting(
        "QLoRA NF4, checkpointed, 4k",
        "70b",
        4096,
        "qlora",
        is_checkpointed=True,
        optimizer="adamw_8bit",
        num_steps=4,
        num_warm=2,
    ),
)


def main() -> None:
    """Run all."""
    given = build_parser().parse_args()
    report = Report(given.out / "first_look.json", given.device)
    try:
        report.more["errors"] = check_kernels(given.device)
        print(report.more["errors"], flush=True)
    except Exception as error:
        import traceback

        traceback.print_exc()
        report.more["errors"] = {"failed": repr(error)}
    for setting in SETTINGS:
        run_setting(shrink(setting) if given.tiny else setting, report, given.device)
    print(report.more["errors"])
    print(report.table())


if __name__ == "__main__":
    main()
