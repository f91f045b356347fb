"""Bytes of the output head and the loss, the largest single thing of a small model with a large vocabulary."""

from training.memory.model_shape import ModelShape
from training.memory.run_shape import RunShape

TILE_BYTES = 2**29
"""`training.kernels.linear_cross_entropy.LOGITS_BYTES`; a test compares them."""


def forward_logit_bytes(shape: ModelShape, run: RunShape) -> int:
    """Return what is alive at the end of the forward pass.

    Unfused: logits, their fp32 copy, and the log-probabilities in fp32. Fused: one tile of them, the gradient of the hidden
    state, and that of the head if it learns (Hsu et al. 2024, Liger Kernel, section 3.2).
    """
    if run.is_head_fused:
        return _tile_bytes(shape, run) + _fused_gradient_bytes(shape, run)
    return run.tokens_per_micro_batch * shape.vocab_size * (run.compute_bytes + 4 + 4)


def backward_logit_bytes(shape: ModelShape, run: RunShape) -> int:
    """Return what is alive at the start of the backward pass: unfused, the logits and three fp32 tensors of their size."""
    if run.is_head_fused:
        return _fused_gradient_bytes(shape, run)
    return run.tokens_per_micro_batch * shape.vocab_size * (run.compute_bytes + 3 * 4)


def _fused_gradient_bytes(shape: ModelShape, run: RunShape) -> int:
    head = 0 if run.is_adapter else shape.vocab_size * shape.hidden_size * run.compute_bytes
    return head + run.tokens_per_micro_batch * shape.hidden_size * run.compute_bytes


def _tile_bytes(shape: ModelShape, run: RunShape) -> int:
    """Return the bytes of tiles: Liger cuts rows so that one is about as large as the hidden state, our kernel at 512 MiB.

    Of ours there are two: the loop makes a new one while the name still holds the last (`logits = ...` in
    `training.kernels.linear_cross_entropy`).
    """
    if run.is_packed:
        row = shape.vocab_size * run.compute_bytes
        return min(2 * max(64, TILE_BYTES // row // 64 * 64), run.tokens_per_micro_batch) * row
    num_tiles = _power_of_two(-(-shape.vocab_size // shape.hidden_size))
    rows = _power_of_two(-(-run.tokens_per_micro_batch // num_tiles))
    return min(rows, run.tokens_per_micro_batch) * shape.vocab_size * (run.compute_bytes + 4)


def _power_of_two(number: int) -> int:
    return 1 << max(0, number - 1).bit_length()
