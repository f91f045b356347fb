"""Bytes of what a forward pass keeps for the backward pass, and of what is alive beside it while a layer is worked on.

Counted tensor by tensor as autograd saves them (transformers 5.23, PEFT 0.21, Liger 0.8). d is the hidden size, f the
intermediate size, Q and K the widths of queries and keys; a value has 2 bytes in bf16. A Llama layer with adapters on all
matrices and Liger's kernels keeps 16 d + 6 f bytes a token: 148 KiB for 8B. One of `training.kernels`, where query heads share
keys and the product of the gate is computed again, keeps 8 d + 4 Q + 4 K + 4 f: 108 KiB.
"""

from training.memory.model_shape import ModelShape
from training.memory.run_shape import RunShape

GROUPS = (("q_proj", "k_proj", "v_proj"), ("o_proj",), ("gate_proj", "up_proj"), ("down_proj",))
"""Matrices that read the same input."""


def residual_bytes(run: RunShape) -> int:
    """Return the bytes of a value of the residual stream: autocast leaves it in fp32."""
    return 2 if run.precision == "bf16" else 4


def kept_bytes(shape: ModelShape, run: RunShape) -> int:
    """Return the bytes that one layer keeps for one token when nothing is computed again."""
    return _norm_bytes(shape, run) + _attention_bytes(shape, run) + _gate_bytes(shape, run) + _input_bytes(shape, run)


def _norm_bytes(shape: ModelShape, run: RunShape) -> int:
    widths = [shape.hidden_size] * shape.num_layer_norms
    own = residual_bytes(run)
    hidden = sum(widths) * _norm_value_bytes(run, own)
    heads = shape.query_size + shape.key_size if shape.has_query_key_norm else 0
    return hidden + heads * _norm_value_bytes(run, run.compute_bytes)


def _norm_value_bytes(run: RunShape, own: int) -> int:
    """Return the bytes for a normed value: its input, in fp32 outside of a fused kernel, and its output if the scale learns."""
    if run.is_liger:
        return own
    return 4 + (0 if run.is_adapter else own)


def _attention_bytes(shape: ModelShape, run: RunShape) -> int:
    value = run.compute_bytes
    is_repeated = run.attention in ("sdpa", "eager") or (run.attention == "varlen" and not run.is_packed)
    keys = 2 * (shape.query_size if is_repeated else shape.key_size)
    kept = value * (2 * shape.query_size + keys) + 4 * shape.num_heads
    if run.attention == "eager":  # weights in fp32 from the softmax, and in the precision of the values
        kept += shape.num_heads * run.longest_row * (4 + value * (2 if shape.has_softcap else 1))
    return kept


def _gate_bytes(shape: ModelShape, run: RunShape) -> int:
    return run.compute_bytes * shape.intermediate_size * (2 if run.is_liger or run.is_gate_fused else 3)


def _input_bytes(shape: ModelShape, run: RunShape) -> int:
    """Return the bytes of the inputs of the matrices: each is kept once for all that read it, where its gradient needs it."""
    widths = {linear.name: linear.num_inputs for linear in shape.linears}
    total = 0
    for group in GROUPS:
        learning = [name for name in group if not run.is_adapter or name in run.target_modules]
        copies = 1 if learning and not (run.is_gate_fused and group == ("down_proj",)) else 0
        is_cast = run.precision == "mixed" and group != ("down_proj",) and group != ("o_proj",)
        is_cast_back = run.is_adapter and run.is_adapter_fp32 and not run.is_gate_fused  # PEFT casts to fp32 for each reader
        if is_cast_back or is_cast:  # autocast makes a copy for each reader, and that is kept
            copies = len(learning)
        elif group == ("o_proj",):
            copies = 0  # what attention keeps anyway
        total += copies * widths[group[0]] * run.compute_bytes
        total += len(learning) * run.rank * run.compute_bytes if run.is_adapter else 0
    return total


def saved_bytes(shape: ModelShape, run: RunShape) -> int:
    """Return the bytes that all layers keep for a micro-batch until the backward pass, with the angles that all of them read.

    Without checkpointing, nothing below the first norm learns where the embeddings are frozen: its input is not kept. Where
    some layers are checkpointed, they are the first ones: their turn in the backward pass comes when what the others kept is
    gone.
    """
    tokens, own = run.tokens_per_micro_batch, residual_bytes(run)
    angles = 2 * shape.head_dim * run.compute_bytes
    if run.is_offloaded:
        return tokens * (angles + 2 * shape.hidden_size * own)  # two layers are on their way at a time
    num_again = run.count_checkpointed(shape.num_layers)
    layers = num_again * shape.hidden_size * own + (shape.num_layers - num_again) * kept_bytes(shape, run)
    if not num_again and run.is_adapter:
        layers -= shape.hidden_size * _norm_value_bytes(run, own)
    return tokens * (layers + angles) + mask_bytes(run)


def top_bytes(shape: ModelShape, run: RunShape) -> int:
    """Return the bytes of what the last norm reads and what the head reads; both are gone when the last layer goes backward."""
    own = residual_bytes(run)
    return run.tokens_per_micro_batch * shape.hidden_size * (own + _norm_value_bytes(run, own))


def mask_bytes(run: RunShape) -> int:
    """Return the bytes of a dense attention mask for a micro-batch; kernels that know the rows' ends need none."""
    if run.attention in ("varlen", "flash"):
        return 0
    return run.tokens_per_micro_batch * run.longest_row * (1 if run.attention == "sdpa" else run.compute_bytes)


def workspace_bytes(shape: ModelShape, run: RunShape) -> int:
    """Return the bytes alive beside the saved ones while the last layer goes backward.

    With checkpointing that is the layer, computed again. At the feed-forward part, the gradients of the hidden state (twice
    with adapters, whose scale makes a copy) and of the product stand beside all of the layer. In a fused gated block there is
    only one tensor as wide as the product, its gradient, which the kernel overwrites; computed again, the block ends with the
    product and its output while the gradient of the hidden state waits. At attention, the gradients of queries, keys and
    values and an accumulator in fp32 stand there, while what the feed-forward part kept is gone.
    """
    value, own = run.compute_bytes, residual_bytes(run)
    hidden, wide = shape.hidden_size, shape.intermediate_size
    kept = kept_bytes(shape, run)
    again = max(kept - hidden * own, 0) if run.is_checkpointed else 0
    at_gate = 1 if run.is_gate_fused or run.is_liger else 2
    has_second = run.is_checkpointed if run.is_gate_fused else run.is_adapter
    forward = hidden * (own + (value if has_second else 0)) + wide * value * at_gate
    freed = _gate_bytes(shape, run) + (0 if run.is_gate_fused else wide * value)
    attention = hidden * own + 4 * shape.query_size * value + 4 * shape.query_size - freed
    if run.is_packed and shape.key_size != shape.query_size:  # the kernel's, for each query head, are summed into others
        attention += 2 * shape.key_size * value
    if run.attention == "eager":
        attention += shape.num_heads * run.longest_row * (4 + value)
    layer = run.tokens_per_micro_batch * max(again + forward, again + attention)
    return layer + _whole_weight_bytes(shape, run)


def _whole_weight_bytes(shape: ModelShape, run: RunShape) -> int:
    """Return the bytes of weights that exist for the moment: dequantized, gathered from other devices, or their gradient."""
    largest = max(linear.num_weights for linear in shape.linears)
    gathered = 2 * shape.num_layer_parameters * run.compute_bytes if run.sharding == "zero3" else 0
    if run.tuning == "qlora":
        return gathered + largest * run.compute_bytes
    return gathered + (0 if run.is_adapter else largest * run.stored_bytes)
