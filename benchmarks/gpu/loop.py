"""Our kernels in a bare loop, without any trainer: what a model, a tuning and a token budget cost."""

import argparse
import gc
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.gpu.architectures import CONFIGS, build_model, build_nf4
from benchmarks.gpu.measure import GIB, Measured, Report, operations_per_token
from benchmarks.gpu.workload import draw_packs, lengths_in, to_device

ALL_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@dataclass(frozen=True)
class Setting:
    """One configuration of the loop."""

    name: str
    size: str
    tokens: int
    tuning: str = "lora"
    is_checkpointed: bool = False
    share: float | None = None
    """Of the layers, counted from the first, that are computed again; None: all, where any are."""
    is_fused: bool = True
    is_offloaded: bool = False
    optimizer: str = "adamw"
    rank: int = 16
    num_steps: int = 8
    num_warm: int = 3
    longest: int = 4096


def shrink(setting: Setting) -> Setting:
    """Return a setting that a CPU runs in seconds: whether it runs at all, not how fast."""
    return replace(setting, size="tiny", tokens=512, longest=256, num_steps=1, num_warm=1)


def build_parser() -> argparse.ArgumentParser:
    """Return the options that all benchmarks of this folder have."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    return parser


def run_setting(setting: Setting, report: Report, device: str) -> Measured:
    """Measure one configuration; an error becomes its row."""
    import torch

    row = Measured(setting.name, setting.size, settings={**vars(setting)})
    try:
        _measure(setting, report, device, row)
    except Exception as error:  # the next configuration must run all the same
        row.error = f"{type(error).__name__}: {error}"[:400]
    gc.collect()
    if device != "cpu":
        torch.cuda.empty_cache()
    report.add(row)
    return row


def _measure(setting: Setting, report: Report, device: str, row: Measured) -> None:
    import torch

    is_gpu = device != "cpu"
    if is_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    model, optimizer, kernels = build_trained(setting, device)
    num = setting.num_warm + setting.num_steps
    packs = draw_packs(CONFIGS[setting.size]["vocab_size"], budget=setting.tokens, num_packs=num, longest=setting.longest)
    row.settings |= {"kernels": kernels, "build_s": round(time.perf_counter() - started, 1)}
    if is_gpu:
        row.settings["base_gib"] = round(torch.cuda.memory_allocated() / GIB, 2)
        torch.cuda.reset_peak_memory_stats()
    try:
        num_tokens, seconds, loss = _run_steps(setting, model, optimizer, packs, device)
    finally:
        if hasattr(optimizer, "detach"):
            optimizer.detach()
    rows = list(lengths_in(packs, setting.num_warm, num))
    work = operations_per_token(setting.size, rows, is_full=setting.tuning == "full", is_checkpointed=setting.is_checkpointed)
    row.tokens_per_s = num_tokens / seconds
    row.step_s, row.loss = seconds / setting.num_steps, loss
    row.share = row.tokens_per_s * work / (report.head["matmul_tflops"] * 1e12)
    row.peak_gib = torch.cuda.max_memory_allocated() / GIB if is_gpu else 0.0
    row.settings["reserved_gib"] = round(torch.cuda.max_memory_reserved() / GIB, 2) if is_gpu else 0.0


def _run_steps(setting: Setting, model: Any, optimizer: Any, packs: Any, device: str) -> tuple[int, float, float]:
    """Return tokens and seconds of the steps after the warm-up, and the last loss."""
    num_tokens, loss, started = 0, None, 0.0
    for number in range(setting.num_warm + setting.num_steps):
        if number == setting.num_warm:
            wait_for(device)
            started = time.perf_counter()
        batch = packs[number]
        num_tokens += batch["input_ids"].numel() if number >= setting.num_warm else 0
        loss = model(**to_device(batch, device))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    wait_for(device)
    assert loss is not None
    return num_tokens, time.perf_counter() - started, loss.item()


def build_trained(setting: Setting, device: str) -> tuple[Any, Any, str]:
    """Return model, optimizer and what kernels are in use."""
    import torch

    from training.kernels.attach import attach_kernels
    from training.methods.checkpointing import checkpoint_layers

    dtype = torch.bfloat16 if device != "cpu" else torch.float32
    is_nf4 = setting.tuning == "qlora" and device != "cpu"
    model = build_nf4(setting.size) if is_nf4 else build_model(setting.size, device, dtype)
    if setting.share is not None:
        checkpoint_layers(model, round(setting.share * model.config.num_hidden_layers))
    if setting.tuning != "full":
        import peft

        lora = peft.LoraConfig(r=setting.rank, lora_alpha=32, target_modules=ALL_LINEAR, task_type="CAUSAL_LM")
        model = peft.get_peft_model(model, lora)
        for weight in model.parameters():
            if weight.requires_grad:
                weight.data = weight.data.to(device, torch.float32)
    if setting.is_checkpointed:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    used = attach_kernels(model, is_fused=setting.is_fused)
    model.train()
    return model, _optimizer(setting, model, device), " ".join(map(str, used))


def _optimizer(setting: Setting, model: Any, device: str) -> Any:
    import torch

    from training.kernels.adam_in_backward import AdamInBackward

    trained = [weight for weight in model.parameters() if weight.requires_grad]
    if setting.tuning == "full":
        return AdamInBackward(trained, lr=1e-5, is_offloaded=setting.is_offloaded)
    if setting.optimizer == "adamw_8bit" and device != "cpu":
        import bitsandbytes as bnb

        return bnb.optim.AdamW8bit(trained, lr=1e-4)
    return torch.optim.AdamW(trained, lr=1e-4, fused=device != "cpu")


def wait_for(device: str) -> None:
    """Wait until the device has done what it was given."""
    import torch

    if device != "cpu":
        torch.cuda.synchronize()
