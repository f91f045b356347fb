"""DPO with the prompt computed once, next to TRL, at 1,000 tokens of prompt and 200 of answer.

python -m benchmarks.gpu.dpo --out DIR [--tiny --device cpu]

`with reference` counts the pass of the reference too, which is made once for a run of any number of epochs.
"""

import argparse
import gc
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu.architectures import CONFIGS, build_model
from benchmarks.gpu.loop import Setting, build_trained, wait_for
from benchmarks.gpu.measure import GIB, Measured, Report
from benchmarks.gpu.trl_rivals import build_dpo_trainer, run_dpo
from benchmarks.gpu.workload import to_device


def draw_pairs(num: int, vocab_size: int, prompt: int, answer: int, *, is_varied: bool = False, seed: int = 0) -> list[Any]:
    """Return pairs of token ids of fixed sizes, or of answers between a half and three halves of the size."""
    rng = random.Random(seed)

    def draw(size: int) -> list[int]:
        return [rng.randrange(vocab_size) for _ in range(size)]

    def size() -> int:
        return rng.randint(answer // 2, answer * 3 // 2) if is_varied else answer

    return [(draw(prompt), draw(size()), draw(size())) for _ in range(num)]


def compare_losses(size: str, device: str, dtype: Any, seed: int, num: int = 4) -> tuple[float, float]:
    """Return TRL's loss and ours on the same pairs, in one precision; weights and adapters depend on `seed` alone."""
    import torch

    from training.kernels.attach import attach_kernels
    from training.kernels.shared_prefix import answer_log_probs, pack_pairs, sigmoid_loss

    pairs = draw_pairs(num, CONFIGS[size]["vocab_size"] - 4, 60, 20, is_varied=True, seed=seed)
    torch.manual_seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        trainer = build_dpo_trainer(
            build_model(size, device, torch.bfloat16).to(dtype), pairs, device, folder, num_steps=1,
            per_device_train_batch_size=num, gradient_checkpointing=False,
        )  # fmt: skip
        model = trainer.model
        draws = torch.Generator().manual_seed(seed)
        for name, weight in model.named_parameters():
            if "lora_" in name:
                weight.data.copy_(0.02 * torch.randn(weight.shape, generator=draws))
        batch = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))
        with torch.no_grad(), torch.autocast(device, torch.bfloat16, enabled=dtype == torch.bfloat16):
            theirs = float(trainer.compute_loss(model, batch))
    attach_kernels(model)
    pack = to_device(pack_pairs(pairs), device)
    with torch.no_grad(), torch.autocast(device, torch.bfloat16, enabled=dtype == torch.bfloat16):
        with model.disable_adapter():
            reference = answer_log_probs(model, pack)
        ours = float(sigmoid_loss(answer_log_probs(model, pack), reference, 0.1)[0])
    return theirs, ours


def compare_precisions(size: str, device: str, num_seeds: int = 6) -> dict[str, dict[str, float]]:
    """Return, over several models and batches, how far ours is from TRL's loss, and each in bfloat16 from its own in float32.

    Without the second, the first says nothing in bfloat16: two correct orders of rounding are as far apart as either is from
    the loss without rounding.
    """
    import torch

    pairs = {
        name: [compare_losses(size, device, dtype, seed) for seed in range(num_seeds)]
        for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))
    }
    losses: dict[str, dict[str, float]] = {
        name: {"difference": max(abs(theirs - ours) for theirs, ours in both), "trl": both[0][0], "ours": both[0][1]}
        for name, both in pairs.items()
    }
    for place, name in enumerate(("trl", "ours")):
        apart = [abs(half[place] - whole[place]) for half, whole in zip(pairs["bf16"], pairs["fp32"], strict=True)]
        losses["bf16"] |= {f"{name}_from_fp32_max": max(apart), f"{name}_from_fp32_mean": sum(apart) / num_seeds}
    return losses


def run_ours(name: str, size: str, report: Report, device: str, pairs: list[Any], *, per_pack: int, num_steps: int = 6) -> None:
    """Measure our loop: a pass of the reference over all packs, then the steps."""
    import torch

    row = Measured(name, size, settings={"pairs_per_pack": per_pack})
    if device != "cpu":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    try:
        _measure(row, device, pairs, per_pack, num_steps)
    except Exception as error:
        row.error = f"{type(error).__name__}: {error}"[:400]
    gc.collect()
    row.peak_gib = torch.cuda.max_memory_allocated() / GIB if device != "cpu" else 0.0
    report.add(row)


def _measure(row: Measured, device: str, pairs: list[Any], per_pack: int, num_steps: int) -> None:
    import torch

    from training.kernels.shared_prefix import answer_log_probs, pack_pairs, sigmoid_loss

    model, optimizer, _ = build_trained(Setting(row.name, row.size, 0), device)
    packs = [pack_pairs(pairs[start : start + per_pack]) for start in range(0, len(pairs), per_pack)]
    packs = [packs[number % len(packs)] for number in range(num_steps + 2)]
    references, seconds = [], {}
    for phase in ("reference", "training"):
        started = 0.0
        for number, pack in enumerate(packs):
            if number == 2:
                wait_for(device)
                started = time.perf_counter()
            batch = to_device(pack, device)
            if phase == "reference":
                with torch.no_grad(), model.disable_adapter():
                    references.append(answer_log_probs(model, batch))
                continue
            loss, _ = sigmoid_loss(answer_log_probs(model, batch), references[number], 0.1)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        wait_for(device)
        seconds[phase] = (time.perf_counter() - started) / num_steps
    row.loss, row.step_s = float(loss), seconds["training"]
    row.settings["pairs_per_s"] = per_pack / seconds["training"]
    row.settings["pairs_per_s_with_reference"] = per_pack / (seconds["training"] + seconds["reference"])
    row.tokens_per_s = row.settings["pairs_per_s"] * sum(map(len, pairs[0]))


def compare(report: Report, device: str, size: str, *, prompt: int, answer: int, per_batch: int) -> None:
    """Measure TRL and ours on the same pairs."""
    pairs = draw_pairs(per_batch * 8, CONFIGS[size]["vocab_size"] - 4, prompt, answer)
    shape = f"{prompt}/{answer}"
    choices: dict[str, Any] = {"per_device_train_batch_size": per_batch, "gradient_checkpointing": False}
    run_dpo(f"DPO {shape}, TRL", size, report, device, pairs, **choices)
    run_dpo(f"DPO {shape}, TRL, cached reference", size, report, device, pairs, **choices, precompute_ref_log_probs=True)
    run_ours(f"DPO {shape}, ours", size, report, device, pairs, per_pack=per_batch)
    rates = {row.name: row.settings.get("pairs_per_s") for row in report.rows if row.name.startswith(f"DPO {shape}")}
    report.more[shape] = rates
    ours = next((row for row in report.rows if row.name == f"DPO {shape}, ours"), None)
    if ours is not None and not ours.error:
        rates["ours with reference"] = ours.settings["pairs_per_s_with_reference"]
        print(shape, rates, flush=True)


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--short", action="store_true", help="the losses, and 512/512 alone")
    given = parser.parse_args()
    report = Report(given.out / "dpo.json", given.device)
    report.more["losses"] = compare_precisions("tiny" if given.tiny else "1b", given.device)
    print(report.more["losses"], flush=True)
    shapes: tuple[tuple[int, int, int], ...] = (
        ((40, 8, 2),) if given.tiny else ((512, 512, 6),) if given.short else ((1000, 200, 6), (512, 512, 6))
    )
    for prompt, answer, per_batch in shapes:
        compare(report, given.device, "tiny" if given.tiny else "8b", prompt=prompt, answer=answer, per_batch=per_batch)
    report.write()
    print(report.table())
    print(report.more)
    print(report.last_line())


if __name__ == "__main__":
    main()
