"""Which kernels a model gets, and putting them in.

used = attach_kernels(model)            # Kernels(attention="varlen", num_projections=96, num_gated=32, has_liger=True, ...)

Layers that do more than a kernel computes (dropout before the adapter, DoRA, several adapters, a bias on the adapter, another
activation) keep their own forward.
"""

import functools
from typing import Any, NamedTuple

import torch

from training.kernels.frozen_weights import weight_of
from training.kernels.isolation import check_isolation
from training.kernels.liger import attach_liger
from training.kernels.linear_cross_entropy import as_computed
from training.kernels.lora_projections import Projection, multiply_gated, project, project_gated
from training.kernels.packed_loss import PackedForward
from training.kernels.varlen_attention import choose_attention


class Kernels(NamedTuple):
    """What was put into a model."""

    attention: str
    """varlen, flex_attention, sdpa or eager."""
    num_projections: int
    """Linear layers with a fused adapter, those of gated blocks left out."""
    num_gated: int
    """Gated feed-forward blocks that run as one step."""
    has_liger: bool
    """Whether Liger's normalisation and rotary embedding are used."""


def attach_kernels(model: Any, *, attention: str | None = None, is_fused: bool = True, is_packed: bool = True) -> Kernels:
    """Put the kernels that fit into a model, in place, and prove that packed documents are kept apart.

    Args:
        model: a causal language model, with or without adapters, on the device where it will be trained.
        attention: one of transformers' names; None takes the fastest.
        is_fused: fuse adapters with their layers.
        is_packed: give the model a forward for packed micro-batches.

    Raises:
        PackingLeakError: if the attention lets packed documents see each other.
    """
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    has_liger = attach_liger(causal)
    num_gated = sum(is_fused and _attach_gated(module) for module in causal.modules())
    num_projections = sum(is_fused and _attach_projection(module) for module in causal.modules())
    if not is_packed:
        return Kernels(causal.config._attn_implementation, num_projections, num_gated, has_liger)
    name = attention or choose_attention(causal)
    causal.set_attn_implementation(name)
    check_isolation(causal, name)
    causal.forward = PackedForward(causal)
    return Kernels(name, num_projections, num_gated, has_liger)


def projection_of(module: Any) -> Projection | None:
    """Return the adapter of a PEFT layer as a projection; None if the layer is none, or does more than a plain adapter."""
    if not hasattr(module, "lora_A") or not hasattr(module, "base_layer"):
        return None
    active = [name for name in module.active_adapters if name in module.lora_A]
    matrix = weight_of(module.base_layer)
    if (
        len(active) != 1
        or matrix is None
        or module.merged
        or module.disable_adapters
        or getattr(module, "fan_in_fan_out", False)
    ):
        return None
    name = active[0]
    is_plain = type(module.lora_dropout[name]) is torch.nn.Identity and name not in getattr(module, "lora_variant", {})
    if not is_plain or module.lora_B[name].bias is not None or module.base_layer.weight.requires_grad:
        return None
    down, up = module.lora_A[name].weight, module.lora_B[name].weight
    return Projection(matrix, module.base_layer.bias, down, up, float(module.scaling[name]))


def _attach_projection(module: Any) -> bool:
    if projection_of(module) is None:
        return False
    module.forward = functools.partial(_project_or_leave, module, module.forward)
    return True


def _project_or_leave(module: Any, plain: Any, x: Any, *arguments: Any, **named: Any) -> Any:
    """Run a layer fused, or as it was when its adapter is switched off (for a reference), merged or replaced."""
    layer = None if arguments or named else projection_of(module)
    return plain(x, *arguments, **named) if layer is None else project(as_computed(x), layer)


def _attach_gated(module: Any) -> bool:
    names = ("gate_proj", "up_proj", "down_proj")
    if not all(hasattr(module, name) for name in (*names, "act_fn")) or type(module.act_fn).__name__ not in (
        "SiLU",
        "SiLUActivation",
    ):
        return False
    module.forward = functools.partial(_run_gated, module)
    return all(_is_fusible(projection_of(getattr(module, name))) for name in names)


def _run_gated(module: Any, x: Any) -> Any:
    """Run a gated block as one step, or layer by layer where an adapter is missing, switched off or more than plain."""
    gate, up, down = (projection_of(getattr(module, name)) for name in ("gate_proj", "up_proj", "down_proj"))
    if gate is not None and up is not None and down is not None and all(map(_is_fusible, (gate, up, down))):
        return project_gated(as_computed(x), gate, up, down)
    return module.down_proj(multiply_gated(module.gate_proj(x), module.up_proj(x)))


def _is_fusible(layer: Projection | None) -> bool:
    return layer is not None and layer.bias is None
