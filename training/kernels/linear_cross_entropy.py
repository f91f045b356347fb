"""The output head and its loss in one step: logits exist for a few thousand tokens at a time, in one buffer.

loss = linear_cross_entropy(hidden, head.weight, targets, row_scale)     # gradients are made on the way forward
log_probs = token_log_probs(hidden, head.weight, targets)                # any loss of them; logits are made twice

Only tokens that are learnt belong into `hidden`. The gradient of the loss overwrites the logits, as in Cut Your Losses
(Wijmans et al. 2024) and Liger (Hsu et al. 2024); rows are as many as keep the matrix product busy, not as few as possible.
"""

from typing import Any

import torch

LOGITS_BYTES = 2**29
"""Memory of the logits that exist at once."""


def linear_cross_entropy(hidden: Any, weight: Any, targets: Any, row_scale: Any) -> Any:
    """Return sum(row_scale * -log p(target)) as a float32 scalar.

    Args:
        hidden: states of the learnt tokens, [tokens, width].
        weight: of the output head, [vocabulary, width]; frozen or trained.
        targets: token ids, [tokens].
        row_scale: what a token counts, float32 [tokens]: one over the learnt tokens of the optimizer step.
    """
    return _LinearCrossEntropy.apply(as_computed(hidden), as_computed(weight), targets, row_scale)


def token_log_probs(hidden: Any, weight: Any, targets: Any) -> Any:
    """Return log p(target) of each token, float32 [tokens]; arguments as above."""
    return _TokenLogProbs.apply(as_computed(hidden), as_computed(weight), targets)


def as_computed(tensor: Any) -> Any:
    """Return a tensor in the precision of the computation: that of autocast where it is on, else its own."""
    device = tensor.device.type
    return tensor.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else tensor


class _LinearCrossEntropy(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, hidden: Any, weight: Any, targets: Any, row_scale: Any) -> Any:
        d_hidden = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        d_weight = torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
        is_training = d_hidden is not None or d_weight is not None
        log_probs = torch.empty(hidden.shape[0], dtype=torch.float32, device=hidden.device)
        for rows in _chunks(hidden, weight):
            logits = hidden[rows] @ weight.t()
            log_probs[rows] = _log_probs(logits, targets[rows], row_scale[rows] if is_training else None)
            _add_gradients(logits, hidden, weight, rows, d_hidden, d_weight)
        ctx.save_for_backward(d_hidden, d_weight)
        return -(log_probs * row_scale).sum()

    @staticmethod
    def backward(ctx: Any, d_loss: Any) -> tuple[Any, ...]:
        d_hidden, d_weight = ctx.saved_tensors
        scaled = [None if gradient is None else gradient * d_loss.to(gradient.dtype) for gradient in (d_hidden,)]
        if d_weight is not None:
            d_weight.mul_(d_loss.to(d_weight.dtype))  # in place: it is as large as the head
        return scaled[0], d_weight, None, None


class _TokenLogProbs(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, hidden: Any, weight: Any, targets: Any) -> Any:
        log_probs = torch.empty(hidden.shape[0], dtype=torch.float32, device=hidden.device)
        for rows in _chunks(hidden, weight):
            log_probs[rows] = _log_probs(hidden[rows] @ weight.t(), targets[rows], None)
        ctx.save_for_backward(hidden, weight, targets)
        return log_probs

    @staticmethod
    def backward(ctx: Any, d_log_probs: Any) -> tuple[Any, ...]:
        hidden, weight, targets = ctx.saved_tensors
        d_hidden = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        d_weight = torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
        scale = -d_log_probs.float()
        for rows in _chunks(hidden, weight):
            logits = hidden[rows] @ weight.t()
            _log_probs(logits, targets[rows], scale[rows])
            _add_gradients(logits, hidden, weight, rows, d_hidden, d_weight)
        return d_hidden, d_weight, None


def _chunks(hidden: Any, weight: Any) -> list[slice]:
    num_rows = max(64, LOGITS_BYTES // (weight.shape[0] * weight.element_size()) // 64 * 64)
    return [slice(start, start + num_rows) for start in range(0, hidden.shape[0], num_rows)]


def _add_gradients(gradient: Any, hidden: Any, weight: Any, rows: slice, d_hidden: Any, d_weight: Any) -> None:
    """Take what `_log_probs` left in the logits, their gradient, through the head."""
    if d_hidden is not None:
        torch.mm(gradient, weight, out=d_hidden[rows])
    if d_weight is not None:
        d_weight.addmm_(gradient.t(), hidden[rows])


def _log_probs(logits: Any, targets: Any, row_scale: Any) -> Any:
    """Return log p(target) of each row; with row_scale, overwrite the logits with row_scale * (softmax - one_hot)."""
    if not logits.is_cuda:
        wide = logits.float()
        log_sum = wide.logsumexp(1)
        at = torch.arange(len(targets), device=logits.device)
        log_probs = wide[at, targets] - log_sum
        if row_scale is not None:
            probabilities = (wide - log_sum[:, None]).exp()
            probabilities[at, targets] -= 1
            logits.copy_(probabilities * row_scale[:, None])
        return log_probs
    from training.kernels.triton_kernels import cross_entropy

    log_probs = torch.empty(len(targets), dtype=torch.float32, device=logits.device)
    cross_entropy[(len(targets),)](
        logits,
        targets,
        log_probs if row_scale is None else row_scale,
        log_probs,
        logits.stride(0),
        logits.shape[1],
        HAS_GRADIENT=row_scale is not None,
        BLOCK=8192,
        num_warps=16,
    )
    return log_probs
