"""The peak memory of a training run on one device, out of sizes alone.

estimate = estimate_peak(shape, run)
estimate.allocated      # what torch.cuda.max_memory_allocated() will say
estimate.device         # what nvidia-smi will show at that moment
estimate.parts          # {"weights": ..., "activations": ..., ...} in bytes at the worst moment
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from training.memory.activations import residual_bytes, saved_bytes, top_bytes, workspace_bytes
from training.memory.logits import backward_logit_bytes, forward_logit_bytes
from training.memory.model_shape import ModelShape
from training.memory.run_shape import RunShape
from training.memory.weights import (
    adapter_bytes,
    bucket_bytes,
    cast_bytes,
    gradient_bytes,
    optimizer_bytes,
    waiting_head_bytes,
    weight_bytes,
)

GIB = 2**30
CONTEXT_BYTES = 600 * 2**20
"""CUDA context with the kernels of torch, cuBLAS and NCCL loaded. Assumed: 450 to 700 MiB are usual on recent cards."""
LIBRARY_BYTES = 2 * 32 * 2**20
"""Workspaces of cuBLAS, which torch's allocator hands out: 32 MiB for each thread that multiplies on Hopper (8 MiB elsewhere),
that of the forward and that of the backward pass (`CUBLAS_WORKSPACE_CONFIG` in torch's notes on CUDA)."""
FRAGMENTATION = 0.03
"""Share by which torch's allocator reserves more than it hands out, with expandable segments. Assumed."""


@dataclass(frozen=True, kw_only=True)
class MemoryEstimate:
    """Bytes on one device at the worst moment of an optimizer step."""

    parts: Mapping[str, int]
    """What is alive at that moment; the sum is the peak."""
    moment: str
    """`loss` (end of the forward pass), `head` or `backward` (of the head or the last layer), or `step` (all gradients)."""

    @property
    def allocated(self) -> int:
        """Bytes of live tensors, as `torch.cuda.max_memory_allocated` counts them."""
        return sum(self.parts.values())

    @property
    def device(self) -> int:
        """Bytes that the device needs: with what the allocator holds in reserve, and the CUDA context."""
        return round(self.allocated * (1 + FRAGMENTATION)) + CONTEXT_BYTES


def estimate_peak(architecture: ModelShape, settings: RunShape) -> MemoryEstimate:
    """Return the worst moment of a step: after the loss, in the backward pass, or when all gradients are there.

    Args:
        architecture: the model.
        settings: how it is trained.
    """
    whole = {
        "weights": weight_bytes(architecture, settings),
        "adapters": adapter_bytes(architecture, settings),
        "optimizer": optimizer_bytes(architecture, settings),
        "buckets": bucket_bytes(architecture, settings),
    }
    gradients = gradient_bytes(architecture, settings)
    early = gradients if settings.accumulation > 1 else 0
    layers = saved_bytes(architecture, settings)
    forward = cast_bytes(architecture, settings, is_forward=True)
    saved = {"activations": layers + top_bytes(architecture, settings) + forward, "gradients": early}
    head = waiting_head_bytes(architecture, settings)
    shared = head if architecture.is_tied else 0
    moments = {
        "loss": {**saved, "logits": forward_logit_bytes(architecture, settings)},
        "head": {**saved, "logits": backward_logit_bytes(architecture, settings)},
        "backward": _backward(architecture, settings, early=max(early + shared, head)),
        "step": {"gradients": gradients + shared, "workspace": _last_layer(architecture, settings)},
    }
    moment = max(moments, key=lambda name: sum(moments[name].values()))
    names = ("activations", "workspace", "logits", "gradients")
    parts = {**whole, **{name: moments[moment].get(name, 0) for name in names}}
    return MemoryEstimate(parts={**parts, "workspace": parts["workspace"] + LIBRARY_BYTES}, moment=moment)


def _backward(shape: ModelShape, run: RunShape, *, early: int) -> dict[str, int]:
    """Return the worst of two moments: the last layer goes backward, or the last of those that are computed again.

    Between them, and from there to the first layer, memory grows or shrinks evenly from layer to layer.
    """
    num_kept = shape.num_layers - run.count_checkpointed(shape.num_layers)
    whole = replace(run, num_checkpointed=None)
    last = whole if not num_kept else replace(whole, is_checkpointed=False, is_offloaded=False)
    at_last = {
        "activations": saved_bytes(shape, run) + cast_bytes(shape, run, is_forward=False),
        "gradients": early,
        "workspace": workspace_bytes(shape, last),
    }
    if num_kept in (0, shape.num_layers):
        return at_last
    kept_inputs = num_kept * run.tokens_per_micro_batch * shape.hidden_size * residual_bytes(run)
    below = {
        "activations": saved_bytes(shape, whole) - kept_inputs + cast_bytes(shape, whole, is_forward=False),
        "gradients": early + num_kept * _layer_gradients(shape, run),
        "workspace": workspace_bytes(shape, whole),
    }
    return max(at_last, below, key=lambda parts: sum(parts.values()))


def _layer_gradients(shape: ModelShape, run: RunShape) -> int:
    """Return the bytes by which gradients grow with each layer that goes backward: 0 if all are there, or dropped."""
    if run.accumulation > 1 or run.is_optimizer_in_backward:
        return 0
    if run.is_adapter:
        return gradient_bytes(shape, run) // shape.num_layers
    whole = shape.num_layer_parameters * run.trainable_bytes
    return whole if run.sharding == "none" else whole // run.world_size


def _last_layer(shape: ModelShape, run: RunShape) -> int:
    """Return what the first layer, the last to go backward, leaves beside the gradients of all others."""
    first = replace(run, num_checkpointed=None)
    own = saved_bytes(shape, first) // (shape.num_layers + 1)
    return workspace_bytes(shape, first) + own if not run.is_optimizer_in_backward else 0
