"""All weights of 8B on one card, through the entry point too; in 24 GB; and a control of the 8-bit Adam.

python -m benchmarks.gpu.full --out DIR [--scratch /dev/shm] [--tiny --device cpu]
"""

import gc
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.gpu.architectures import CONFIGS, build_model
from benchmarks.gpu.loop import Setting, build_parser, run_setting, shrink
from benchmarks.gpu.lora_sft import run_ours
from benchmarks.gpu.measure import GIB, Report
from benchmarks.gpu.workload import draw_packs, to_device

SETTINGS = (
    Setting("all weights, 8-bit Adam in the backward pass, 12k", "8b", 12288, "full", is_checkpointed=True),
    Setting("all weights, 8-bit Adam in the backward pass, 16k", "8b", 16384, "full", is_checkpointed=True),
)
OFFLOADED = Setting(
    "all weights, Adam's states on the host, in 24 GB", "8b", 8192, "full", is_checkpointed=True, is_offloaded=True, num_steps=6
)
CARD_GIB = 22.0
"""What a card of 24 GB leaves to a process (23.6 GiB, less context and what other programs take)."""


def run_in_24_gb(report: Report, device: str, setting: Setting) -> None:
    """Measure with the allocator held to the memory of a small card."""
    import torch

    if device == "cpu":
        run_setting(setting, report, device)
        return
    whole = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(CARD_GIB * GIB / whole)
    run_setting(setting, report, device)
    torch.cuda.set_per_process_memory_fraction(1.0)


def compare_optimizers(size: str, device: str, *, tokens: int, num_steps: int, lr: float = 2e-5) -> dict[str, Any]:
    """Return how two runs on four micro-batches go: float32 weights with AdamW, and bf16 weights with 8-bit Adam.

    `last` is the mean loss of the last four steps, `mean_apart` by how much the mean losses of the whole runs differ.
    """
    import torch

    from training.kernels.adam_in_backward import AdamInBackward
    from training.kernels.attach import attach_kernels

    packs = draw_packs(CONFIGS[size]["vocab_size"], budget=tokens, num_packs=4, longest=min(512, tokens))
    curves: dict[str, list[float]] = {}
    for name, dtype in (("fp32 AdamW", torch.float32), ("bf16 8-bit Adam", torch.bfloat16)):
        torch.manual_seed(0)
        model = build_model(size, device, torch.float32).to(dtype)
        attach_kernels(model)
        model.train()
        is_plain = name.startswith("fp32")
        optimizer: Any = (
            torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.95), weight_decay=0.0)
            if is_plain
            else AdamInBackward(model.parameters(), lr=lr)
        )
        curves[name] = []
        for step in range(num_steps):
            with torch.autocast(device, torch.bfloat16):
                loss = model(**to_device(packs[step % 4], device))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            curves[name].append(round(loss.item(), 4))
        if not is_plain:
            optimizer.detach()
        del model, optimizer, loss
        gc.collect()
    last = {name: sum(curve[-4:]) / 4 for name, curve in curves.items()}
    means = {name: sum(curve) / len(curve) for name, curve in curves.items()}
    apart = abs(means["bf16 8-bit Adam"] / means["fp32 AdamW"] - 1)
    return {"size": size, "steps": num_steps, "first": curves["fp32 AdamW"][0], "last": last, "mean_apart": round(apart, 5)}


def main() -> None:
    """Run all."""
    parser = build_parser()
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args()
    report = Report(given.out / "full.json", given.device)
    full: dict[str, Any] = {
        "tuning": "full",
        "optimizer": "adamw_8bit",
        "gradient_checkpointing": True,
        "tokens_per_batch": 16384,
    }
    if given.tiny:
        full |= {"tokens_per_batch": 1024, "max_length": 256}
    name = "all weights, python -m training.run, 16k"
    size = "tiny" if given.tiny else "8b"
    run_ours(name, size, report, given.device, given.scratch, num_steps=8 if given.tiny else 20, **full)
    for setting in SETTINGS:
        run_setting(shrink(setting) if given.tiny else setting, report, given.device)
    run_in_24_gb(report, given.device, shrink(OFFLOADED) if given.tiny else OFFLOADED)
    control = {"tokens": 512, "num_steps": 200, "lr": 1e-3} if given.tiny else {"tokens": 8192, "num_steps": 80}
    report.more["control"] = compare_optimizers("tiny" if given.tiny else "1b", given.device, **control)
    report.write()
    print(report.more)
    print(report.table())
    print(report.last_line())


if __name__ == "__main__":
    main()
