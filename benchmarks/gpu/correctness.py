"""Do the kernels compute on this device what plain modules compute? Relative errors of outputs and gradients.

errors = check_kernels(device)      # {"packed_gradients": 0.004, ...}
"""

import random
from typing import Any

from benchmarks.gpu.architectures import build_model
from benchmarks.gpu.workload import to_device
from training.packing import pack_rows

ROW_LENGTHS = (5, 130, 257, 64, 700)


def relative(one: Any, two: Any) -> float:
    """Return |one - two| / |two|."""
    return float((one.float() - two.float()).norm() / two.float().norm().clamp(min=1e-20))


def check_kernels(device: str) -> dict[str, float]:
    """Return the relative error of each kernel against plain torch."""
    errors = {**_check_head(device), **_check_packing(device), **_check_pairs(device)}
    return {name: round(error, 6) for name, error in errors.items()} | _check_adam(device)


def _check_head(device: str) -> dict[str, float]:
    import torch

    from training.kernels.linear_cross_entropy import linear_cross_entropy, token_log_probs

    torch.manual_seed(1)
    dtype = torch.bfloat16 if device != "cpu" else torch.float32
    hidden = torch.randn(3000, 512, device=device).to(dtype).requires_grad_()
    weight = (torch.randn(50000, 512, device=device) * 0.05).to(dtype).requires_grad_()
    targets = torch.randint(0, 50000, (3000,), device=device)
    scale = torch.full((3000,), 1 / 3000, device=device)
    wide = hidden.detach().float().requires_grad_(), weight.detach().float().requires_grad_()
    loss = torch.nn.functional.cross_entropy(wide[0] @ wide[1].t(), targets)
    expected = torch.autograd.grad(loss, wide)
    ours = linear_cross_entropy(hidden, weight, targets, scale)
    given = torch.autograd.grad(ours, (hidden, weight))
    two = torch.autograd.grad(-token_log_probs(hidden, weight, targets).mean(), (hidden, weight))
    return {
        "head_loss": abs(float(ours - loss)) / float(loss),
        "head_d_hidden": relative(given[0], expected[0]),
        "head_d_weight": relative(given[1], expected[1]),
        "log_probs_d_hidden": relative(two[0], expected[0]),
        "log_probs_d_weight": relative(two[1], expected[1]),
    }


def adapted(device: str, dtype: Any, seed: int = 0) -> Any:
    """Return a tiny model with adapters that change something."""
    import peft
    import torch

    torch.manual_seed(seed)
    model = build_model("tiny", "cpu", torch.float32).to(device, dtype)
    model = peft.get_peft_model(model, peft.LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"))
    for name, weight in model.named_parameters():
        if "lora_" in name:
            weight.data = weight.data.to(torch.float32)
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.05)
    return model.train()


def _rows(seed: int = 0) -> tuple[list[Any], list[Any]]:
    import numpy as np

    rng = random.Random(seed)
    rows = [np.array([rng.randrange(1024) for _ in range(length)]) for length in ROW_LENGTHS]
    return rows, [np.where(np.arange(len(row)) % 3 == 0, -100, row) for row in rows]


def separate_gradients(model: Any, rows: list[Any], labels: list[Any], device: str) -> tuple[Any, list[Any]]:
    """Return loss and gradients of rows that go through a plain model one by one."""
    import torch

    trained = [weight for weight in model.parameters() if weight.requires_grad]
    total, num = torch.zeros((), device=device), 0
    for row, label in zip(rows, labels, strict=True):
        logits = model(input_ids=torch.tensor(row, device=device)[None], use_cache=False).logits[0, :-1].float()
        target = torch.tensor(label[1:], device=device)
        total = total + torch.nn.functional.cross_entropy(logits, target, reduction="sum")
        num += int((target != -100).sum())
    return total / num, list(torch.autograd.grad(total / num, trained))


def _flat(gradients: list[Any]) -> Any:
    import torch

    return torch.cat([gradient.reshape(-1).float() for gradient in gradients])


def _check_packing(device: str) -> dict[str, float]:
    """Packed rows through all kernels, and separate rows through plain modules, both against separate rows in float32."""
    import torch

    from training.kernels.attach import attach_kernels

    rows, labels = _rows()
    dtype = torch.bfloat16 if device != "cpu" else torch.float32
    exact_loss, exact = separate_gradients(adapted(device, torch.float32), rows, labels, device)
    plain = separate_gradients(adapted(device, dtype), rows, labels, device)[1]
    model = adapted(device, dtype)
    used = attach_kernels(model)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    loss = model(**to_device(pack_rows(rows, labels), device))
    ours = list(torch.autograd.grad(loss, trained))
    print("kernels in use:", used, flush=True)
    return {
        "packed_loss": abs(float(loss - exact_loss)) / float(exact_loss),
        "packed_gradients": relative(_flat(ours), _flat(exact)),
        "plain_gradients": relative(_flat(plain), _flat(exact)),
    }


def _check_pairs(device: str) -> dict[str, float]:
    """Answers that share their prompt, against prompt + answer one by one, in the same precision."""
    import torch

    from training.kernels.attach import attach_kernels
    from training.kernels.shared_prefix import answer_log_probs, pack_pairs

    rng = random.Random(3)
    pairs: Any = [
        tuple([rng.randrange(1024) for _ in range(size)] for size in sizes)
        for sizes in ((40, 9, 17), (3, 50, 1), (200, 33, 70))
    ]
    dtype = torch.bfloat16 if device != "cpu" else torch.float32
    exact = adapted(device, torch.float32)
    rows = []
    for part in (1, 2):
        for pair in pairs:
            ids = torch.tensor([*pair[0], *pair[part]], device=device)
            logits = exact(input_ids=ids[None], use_cache=False).logits[0, len(pair[0]) - 1 : -1].float()
            rows.append(logits.log_softmax(-1).gather(1, ids[len(pair[0]) :][:, None]).sum())
    expected = torch.stack(rows).view(2, -1)
    trained = [weight for weight in exact.parameters() if weight.requires_grad]
    signs = torch.tensor([[1.0, -2.0, 0.5], [-1.0, 0.3, 0.7]], device=device)
    exact_gradients = torch.autograd.grad((expected * signs).sum(), trained)
    model = adapted(device, dtype)
    attach_kernels(model)
    given = answer_log_probs(model, to_device(pack_pairs(pairs), device))
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    gradients = torch.autograd.grad((given * signs).sum(), trained)
    return {
        "pair_log_probs": relative(given, expected),
        "pair_gradients": relative(_flat(list(gradients)), _flat(list(exact_gradients))),
    }


def _check_adam(device: str) -> dict[str, float]:
    """The GPU's step against the same arithmetic in torch: share of weights that differ after five steps."""
    import torch

    from training.kernels.adam_in_backward import AdamInBackward

    torch.manual_seed(0)
    start, slope = (torch.randn(70_000) * 0.02).to(torch.bfloat16), torch.randn(70_000)
    results = []
    for place in ("cpu", device):
        weight = torch.nn.Parameter(start.clone().to(place))
        optimizer = AdamInBackward([weight], lr=1e-3)
        for step in range(5):
            (weight * (slope * (1 + step)).to(place)).sum().backward()
            optimizer.step()
        results.append(weight.detach().cpu())
    return {
        "adam_differs": float((results[0] != results[1]).float().mean()),
        "adam_moved": float((results[0] != start).float().mean()),
    }
