"""Peaks of memory, measured and foretold, of many configurations.

python -m benchmarks.gpu.memory_plan --out DIR [--tiny --device cpu]        the last line is JSON
"""

import json
from dataclasses import replace
from typing import Any

from benchmarks.gpu.architectures import shape_of
from benchmarks.gpu.loop import Setting, build_parser, run_setting, shrink
from benchmarks.gpu.measure import GIB, Measured, Report
from training.config import LoraConfig, StageConfig
from training.memory.estimate import estimate_peak
from training.memory.stage_plan import run_shape_of
from training.scale.config import Layout


def _of(size: str, tokens: int, tuning: str, is_checkpointed: bool, rank: int = 16, share: float | None = None) -> Setting:
    kept = "kept" if not is_checkpointed else "checkpointed" if share is None else f"{share:.0%} checkpointed"
    name = f"{tuning} r{rank}, {tokens} tokens, {kept}"
    return Setting(name, size, tokens, tuning, is_checkpointed=is_checkpointed, share=share, rank=rank, num_steps=2, num_warm=1)


GRID = (
    _of("1b", 4096, "lora", False), _of("1b", 16384, "lora", False), _of("1b", 16384, "lora", True),
    _of("1b", 8192, "full", False), _of("1b", 32768, "full", True), _of("1b", 32768, "lora", False, 64),
    _of("3b", 4096, "lora", False), _of("3b", 16384, "lora", True), _of("3b", 8192, "full", True),
    _of("3b", 8192, "qlora", True), _of("8b", 4096, "lora", False), _of("8b", 8192, "lora", False, 64),
    _of("8b", 8192, "lora", True), _of("8b", 4096, "qlora", False), _of("8b", 16384, "qlora", True),
    _of("8b", 4096, "full", True), _of("1b", 32768, "lora", True, 16, 0.5), _of("1b", 16384, "full", True, 16, 0.5),
    _of("8b", 16384, "lora", True, 16, 0.25), _of("8b", 16384, "qlora", True, 16, 0.5), _of("8b", 8192, "full", True, 16, 0.5),
)  # fmt: skip


def foretell(setting: Setting) -> float:
    """Return the peak of live tensors that the plan of training expects, in GiB."""
    full = setting.tuning == "full"
    stage = StageConfig(
        method="sft", tuning="full" if full else "lora", packing=True, tokens_per_batch=setting.tokens,
        max_length=min(setting.longest, setting.tokens), gradient_checkpointing=setting.share or setting.is_checkpointed,
        gradient_accumulation=1, optimizer="adamw_8bit" if full else "adamw", precision="bf16",
        lora=None if full else LoraConfig(rank=setting.rank),
    )  # fmt: skip
    shape = shape_of(setting.size)
    run = run_shape_of(stage, Layout(), is_on_gpu=True, num_layers=shape.num_layers)
    return estimate_peak(shape, replace(run, **_changes(setting))).allocated / GIB


def _changes(setting: Setting) -> dict[str, Any]:
    """Return what a stage cannot say, or says of a GPU alone: states on the host count as paged ones do, as none."""
    changes: dict[str, Any] = {} if setting.is_fused else {"is_gate_fused": False}
    if setting.tuning != "full":
        changes |= {"tuning": setting.tuning, "optimizer": setting.optimizer}
    elif setting.is_offloaded:
        changes["optimizer"] = "paged_adamw_8bit"
    return changes


def compare(row: Measured, expected: float) -> dict[str, float]:
    """Return what was measured, what was foretold, and how far that is off in percent."""
    off = 100 * (expected / row.peak_gib - 1) if row.peak_gib else 0.0
    return {"measured_gib": round(row.peak_gib, 2), "foretold_gib": round(expected, 2), "off_percent": round(off, 1)}


def main() -> None:
    """Run all."""
    given = build_parser().parse_args()
    report = Report(given.out / "memory_plan.json", given.device)
    for one in GRID:
        setting = shrink(one) if given.tiny else one
        row = run_setting(setting, report, given.device)
        try:
            row.settings |= compare(row, foretell(setting))
        except Exception as error:  # what was measured counts without it
            row.settings["foretold"] = f"{type(error).__name__}: {error}"[:200]
        report.write()
    print(report.table())
    for row in report.rows:
        print(
            row.size,
            row.name,
            {name: row.settings.get(name) for name in ("measured_gib", "foretold_gib", "off_percent", "foretold")},
        )
    measured = [row for row in report.rows if row.peak_gib and not row.error]
    off = [row.settings["off_percent"] for row in measured if "off_percent" in row.settings]
    within = [number for number in off if -2 <= number <= 10]
    print(json.dumps({"configurations": len(report.rows), "compared": len(off), "within": len(within), "off_percent": off}))


if __name__ == "__main__":
    main()
