"""Linear layers with low-rank adapters as one autograd step: y = x W' + scale * (x A') B'.

What plain modules do in eight passes over the output is done by two matrix products that add into it. One input is kept for
all layers that read it; what is cheap is computed again in the backward pass: the gated activation, which is the widest
tensor of a layer, and the unpacked weight of a quantized layer. No gradient for W is made.

See LoRA (Hu et al. 2021) for the layer; the idea of one backward pass for a whole gated block is common to fused trainers.
"""

from typing import Any, NamedTuple

import torch

from training.kernels.frozen_weights import Matrix

ACTIVATION_BLOCK = 1024


class Projection(NamedTuple):
    """A frozen linear layer with its adapter."""

    matrix: Matrix
    bias: Any
    """[out], or None."""
    down: Any
    """A, [rank, in]."""
    up: Any
    """B, [out, rank]."""
    scale: float


def project(x: Any, layer: Projection) -> Any:
    """Return the layer's output [..., out] for x [..., in]; gradients reach x, A and B."""
    return _Project.apply(x, layer.down, layer.up, layer)


def project_gated(x: Any, gate: Projection, up: Projection, down: Projection) -> Any:
    """Return down(silu(gate(x)) * up(x)) as one step; gradients reach x and all six adapter matrices."""
    return _ProjectGated.apply(x, gate.down, gate.up, up.down, up.up, down.down, down.up, gate, up, down)


def multiply_gated(gate: Any, up: Any) -> Any:
    """Return silu(gate) * up; only the two are kept for the backward pass."""
    return _MultiplyGated.apply(gate, up)


class _Project(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, x: Any, down: Any, up: Any, layer: Projection) -> Any:
        flat = x.reshape(-1, x.shape[-1])
        y, inner = _forward(flat, layer)
        ctx.layer, ctx.shape = layer, x.shape
        ctx.save_for_backward(flat, inner, down, up)
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, d_y: Any) -> tuple[Any, ...]:
        flat, inner, down, up = ctx.saved_tensors
        d_y = d_y.reshape(-1, d_y.shape[-1])
        small = d_y @ up.to(d_y.dtype)
        d_down, d_up = _adapter_gradients(flat, inner, small, d_y, ctx.layer)
        d_x = None
        if ctx.needs_input_grad[0]:
            d_x = (
                (d_y @ ctx.layer.matrix().to(d_y.dtype))
                .addmm_(small, down.to(d_y.dtype), alpha=ctx.layer.scale)
                .view(ctx.shape)
            )
        return d_x, d_down, d_up, None


class _ProjectGated(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, x: Any, *arguments: Any) -> Any:
        gate, up, down = layers = arguments[6:]
        flat = x.reshape(-1, x.shape[-1])
        g, inner_gate = _forward(flat, gate)
        u, inner_up = _forward(flat, up)
        y, inner_down = _forward(_gated(g, u), down)
        ctx.layers, ctx.shape = layers, x.shape
        ctx.save_for_backward(flat, g, u, inner_gate, inner_up, inner_down, *arguments[:6])
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, d_y: Any) -> tuple[Any, ...]:
        flat, g, u, inner_gate, inner_up, inner_down, a_gate, b_gate, a_up, b_up, a_down, b_down = ctx.saved_tensors
        gate, up, down = ctx.layers
        d_y = d_y.reshape(-1, d_y.shape[-1])
        dtype = d_y.dtype
        small = d_y @ b_down.to(dtype)
        d_h = (d_y @ down.matrix().to(dtype)).addmm_(small, a_down.to(dtype), alpha=down.scale)
        h, d_g, d_u = _gated_backward(g, u, d_h)
        grads_down = _adapter_gradients(h, inner_down, small, d_y, down)
        del h, d_h
        small_gate, small_up = d_g @ b_gate.to(dtype), d_u @ b_up.to(dtype)
        grads_gate = _adapter_gradients(flat, inner_gate, small_gate, d_g, gate)
        grads_up = _adapter_gradients(flat, inner_up, small_up, d_u, up)
        d_x = None
        if ctx.needs_input_grad[0]:
            d_x = d_g @ gate.matrix().to(dtype)
            d_x.addmm_(d_u, up.matrix().to(dtype))
            d_x.addmm_(small_gate, a_gate.to(dtype), alpha=gate.scale).addmm_(small_up, a_up.to(dtype), alpha=up.scale)
            d_x = d_x.view(ctx.shape)
        return d_x, *grads_gate, *grads_up, *grads_down, None, None, None


class _MultiplyGated(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, gate: Any, up: Any) -> Any:
        ctx.save_for_backward(gate, up)
        return _gated(gate.contiguous(), up.contiguous())

    @staticmethod
    def backward(ctx: Any, d_out: Any) -> tuple[Any, Any]:
        gate, up = ctx.saved_tensors
        return _gated_backward(gate.contiguous(), up.contiguous(), d_out.contiguous())[1:]


def _forward(flat: Any, layer: Projection) -> tuple[Any, Any]:
    """Return the output [tokens, out] and x A' [tokens, rank]."""
    weight = layer.matrix().to(flat.dtype).t()
    y = flat @ weight if layer.bias is None else torch.addmm(layer.bias.to(flat.dtype), flat, weight)
    inner = flat @ layer.down.to(flat.dtype).t()
    return y.addmm_(inner, layer.up.to(flat.dtype).t(), alpha=layer.scale), inner


def _adapter_gradients(flat: Any, inner: Any, small: Any, d_y: Any, layer: Projection) -> tuple[Any, Any]:
    """Return the gradients of A and B, in their own precision. small is d_y B, [tokens, rank]."""
    d_down = (small.t() @ flat).to(layer.down.dtype).mul_(layer.scale)
    d_up = (d_y.t() @ inner).to(layer.up.dtype).mul_(layer.scale)
    return d_down, d_up


def _gated(gate: Any, up: Any) -> Any:
    if not gate.is_cuda:
        return torch.nn.functional.silu(gate) * up
    from training.kernels.triton_kernels import swiglu_forward

    out = torch.empty_like(gate)
    swiglu_forward[(-(-gate.numel() // ACTIVATION_BLOCK),)](gate, up, out, gate.numel(), BLOCK=ACTIVATION_BLOCK)
    return out


def _gated_backward(gate: Any, up: Any, d_out: Any) -> tuple[Any, Any, Any]:
    """Return (silu(gate) * up, gradient of gate, gradient of up); on a GPU in place of d_out, gate and up."""
    if not gate.is_cuda:
        sigmoid = torch.sigmoid(gate)
        silu = gate * sigmoid
        return silu * up, d_out * up * (sigmoid + silu * (1 - sigmoid)), d_out * silu
    from training.kernels.triton_kernels import swiglu_backward

    swiglu_backward[(-(-gate.numel() // ACTIVATION_BLOCK),)](gate, up, d_out, gate.numel(), BLOCK=ACTIVATION_BLOCK)
    return d_out, gate, up
