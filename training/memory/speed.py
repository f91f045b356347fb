"""How long an optimizer step takes, for comparing settings: arithmetic on a reference card, not a promise of seconds.

    seconds_per_step(shape, run)      # the smaller, the faster the setting trains the same tokens

Passes over the weights: full fine-tuning needs three (forward, gradients of activations, gradients of weights), adapters
two, checkpointing one more, or the share of it that layers are checkpointed. To that comes what each micro-batch costs however
small it is: reading the weights, and with NF4 dequantizing them. Compared with measured runs in the tests.
"""

from training.memory.activations import saved_bytes
from training.memory.model_shape import ModelShape
from training.memory.run_shape import RunShape
from training.memory.weights import num_trainable

FLOPS = 798e12
"""Operations a second of the reference card in bf16 (H100, measured with matmul)."""
BANDWIDTH = 3.0e12
"""Bytes a second of its memory, measured."""
HOST_BANDWIDTH = 20e9
"""Bytes a second between it and the host over PCIe 5, pinned, one direction. Assumed."""
SHARE = 0.62
"""Share of FLOPS that large micro-batches reach."""
UNFUSED_SHARE = 0.77
"""How fast a layer is without fused kernels, relative to with them (11,165 against 14,421 tokens/s for LoRA on 8B)."""
DEQUANTIZED_BYTES = 4.5
"""Bytes moved for each weight that is dequantized: 0.5 read, 2 written, 2 read by the matmul."""


def seconds_per_step(shape: ModelShape, run: RunShape) -> float:
    """Return the seconds of an optimizer step of `accumulation` micro-batches on one reference card."""
    tokens = run.tokens_per_micro_batch
    share = SHARE if run.is_liger else SHARE * UNFUSED_SHARE
    compute = tokens * flops_per_token(shape, run) / (FLOPS * share * (1 if run.precision != "fp32" else 0.5))
    return run.accumulation * (compute + _fixed_seconds(shape, run)) + _optimizer_seconds(shape, run)


def num_passes(shape: ModelShape, run: RunShape) -> float:
    """Return how often the weights are multiplied with: forward counts as one, and so does computing all layers again."""
    return (2 if run.is_adapter else 3) + share_again(shape, run)


def share_again(shape: ModelShape, run: RunShape) -> float:
    """Return the share of the layers that are computed again, 0 to 1."""
    return run.count_checkpointed(shape.num_layers) / shape.num_layers


def flops_per_token(shape: ModelShape, run: RunShape) -> float:
    """Return the operations that a token costs; attention looks at half of the longest row on average."""
    weights = shape.num_linear_weights + shape.vocab_size * shape.hidden_size
    adapters = 2 * num_trainable(shape, run) * 3 if run.is_adapter else 0
    attention = 2 * run.longest_row * shape.query_size * shape.num_layers * (3 + share_again(shape, run))
    return 2 * weights * num_passes(shape, run) + adapters + attention


def _fixed_seconds(shape: ModelShape, run: RunShape) -> float:
    moved: float = shape.num_parameters * run.stored_bytes * num_passes(shape, run)
    if run.tuning == "qlora":
        moved = shape.num_linear_weights * DEQUANTIZED_BYTES * num_passes(shape, run)
    seconds = moved / BANDWIDTH
    if run.is_offloaded:  # out and in again, half of it hidden behind the arithmetic
        whole = RunShape(**{**vars(run), "is_offloaded": False})
        seconds += saved_bytes(shape, whole) / HOST_BANDWIDTH
    if run.sharding == "zero3":
        seconds += num_passes(shape, run) * shape.num_parameters * run.compute_bytes / 300e9
    return seconds


def _optimizer_seconds(shape: ModelShape, run: RunShape) -> float:
    """Return the seconds of the update: weights, gradients and moments are read, and all but gradients written."""
    trained = num_trainable(shape, run) / (run.world_size if run.sharding != "none" else 1)
    state = 2 * run.trainable_bytes if run.optimizer == "adamw" else 2
    moved = trained * (3 * run.trainable_bytes + 2 * state) / BANDWIDTH
    if run.optimizer == "paged_adamw_8bit":
        moved += trained * 2 * state / HOST_BANDWIDTH
    return 5 * moved if run.is_optimizer_in_backward else moved  # one launch a tensor
