"""Bytes that stay for the whole run: weights, adapters, optimizer; and gradients.

weight_bytes(shape, run)      # 14.96 GiB: Llama 3.1 8B in bf16
"""

from training.memory.model_shape import ModelShape
from training.memory.run_shape import RunShape

NF4_BYTES = 1 / 2 + 1 / 64 + 4 / (64 * 256)
"""Bytes of a weight in NF4 with double quantization: 4 bits, one 8-bit scale for 64 weights, one fp32 scale for 256 of
those (Dettmers et al. 2023, QLoRA, section 3)."""
EIGHT_BIT_STATE_BYTES = 2 * (1 + 4 / 256)
"""Bytes of both moments of a weight in block-wise 8-bit Adam, blocks of 256 (Dettmers et al. 2022; bitsandbytes 0.50)."""
SMALLEST_EIGHT_BIT = 4096
"""bitsandbytes keeps the moments of smaller tensors in fp32."""


def weight_bytes(shape: ModelShape, run: RunShape) -> int:
    """Return the bytes of the base model's weights on one device, with frozen copies."""
    num_copies = run.num_frozen_copies + (1 if run.has_reference and not run.is_adapter else 0)
    whole = _model_bytes(shape, run) * (1 + num_copies)
    return whole // run.world_size if run.sharding == "zero3" else whole


def _model_bytes(shape: ModelShape, run: RunShape) -> int:
    if run.tuning != "qlora":
        return shape.num_parameters * run.stored_bytes
    rest = shape.num_parameters - shape.num_linear_weights
    return round(shape.num_linear_weights * NF4_BYTES) + rest * run.stored_bytes


def num_trainable(shape: ModelShape, run: RunShape) -> int:
    """Return how many parameters learn."""
    return shape.num_adapter_parameters(run.rank, run.target_modules) if run.is_adapter else shape.num_parameters


def adapter_bytes(shape: ModelShape, run: RunShape) -> int:
    """Return the bytes of the adapters on one device; 0 in full fine-tuning."""
    if not run.is_adapter:
        return 0
    whole = num_trainable(shape, run) * run.trainable_bytes
    return whole // run.world_size if run.sharding == "zero3" else whole


def gradient_bytes(shape: ModelShape, run: RunShape) -> int:
    """Return the bytes of all gradients, or of the largest one where the optimizer steps in the backward pass."""
    if run.is_optimizer_in_backward:
        return largest_trainable(shape, run) * run.trainable_bytes
    whole = num_trainable(shape, run) * run.trainable_bytes
    return whole if run.sharding == "none" else whole // run.world_size


def bucket_bytes(shape: ModelShape, run: RunShape) -> int:
    """Return the bytes of the buckets in which DDP averages gradients between devices: as large as all gradients together.

    They stay for the whole run (torch 2.13, `DistributedDataParallel` without `gradient_as_bucket_view`).
    """
    is_copied = run.world_size > 1 and run.sharding == "none" and not run.is_optimizer_in_backward
    return gradient_bytes(shape, run) if is_copied else 0


def waiting_head_bytes(shape: ModelShape, run: RunShape) -> int:
    """Return the bytes of the head's gradient while the layers go backward; 0 where the head is frozen.

    Where Adam steps in the backward pass it is gone by then, unless the head is the embedding matrix: then it waits for the
    gradient of the embeddings, which comes last and is as large.
    """
    is_stepped = run.is_optimizer_in_backward and not shape.is_tied
    return 0 if run.is_adapter or is_stepped else shape.vocab_size * shape.hidden_size * run.trainable_bytes


def cast_bytes(shape: ModelShape, run: RunShape, *, is_forward: bool) -> int:
    """Return the bytes of the copies in bf16 that autocast makes of fp32 weights; 0 in other precisions and where gathered.

    At the end of the forward pass all exist, for autocast keeps them until it ends. In the backward pass those are left that
    autograd kept: of the layers that are not computed again, or of the one that is.
    """
    if run.precision != "mixed" or run.sharding == "zero3":
        return 0
    layers = shape.num_linear_weights * run.compute_bytes
    if is_forward:
        return layers + shape.vocab_size * shape.hidden_size * run.compute_bytes
    num_kept = shape.num_layers - run.count_checkpointed(shape.num_layers)
    return layers * max(1, num_kept) // shape.num_layers


def largest_trainable(shape: ModelShape, run: RunShape) -> int:
    """Return the parameters of the largest tensor that learns."""
    if not run.is_adapter:
        return max(shape.vocab_size * shape.hidden_size, *(linear.num_weights for linear in shape.linears))
    widths = [max(item.num_inputs, item.num_outputs) for item in shape.linears if item.name in run.target_modules]
    return run.rank * max(widths, default=0)


def optimizer_bytes(shape: ModelShape, run: RunShape) -> int:
    """Return the bytes of Adam's two moments on one device; paged ones are counted as none, for they give way."""
    if run.optimizer == "paged_adamw_8bit":
        return 0
    trained = num_trainable(shape, run)
    if run.optimizer == "adamw":
        whole = trained * 2 * run.trainable_bytes
    else:
        small = _num_small(shape, run)
        whole = round((trained - small) * EIGHT_BIT_STATE_BYTES) + small * 8
    return whole if run.sharding == "none" else whole // run.world_size


def _num_small(shape: ModelShape, run: RunShape) -> int:
    """Return the parameters in tensors that are too small for 8-bit moments."""
    if run.is_adapter:
        targets = [item for item in shape.linears if item.name in run.target_modules]
        sizes = [run.rank * size for item in targets for size in (item.num_inputs, item.num_outputs)]
        return shape.num_layers * sum(size for size in sizes if size < SMALLEST_EIGHT_BIT)
    small = sum(item.num_outputs for item in shape.linears if item.has_bias and item.num_outputs < SMALLEST_EIGHT_BIT)
    small += 2 * shape.head_dim if shape.has_query_key_norm else 0
    norms = shape.num_layers * shape.num_layer_norms + 1
    return shape.num_layers * small + (norms * shape.hidden_size if shape.hidden_size < SMALLEST_EIGHT_BIT else 0)
