"""Attention over packed documents without a mask, as an implementation of transformers' attention interface.

name = choose_attention(model)                       # varlen, flex_attention or sdpa
model.set_attn_implementation(name)
model(input_ids=ids, position_ids=positions, use_cache=False, **boundaries(lengths, device))

`varlen` runs torch's FlashAttention on the boundaries of the documents, which are made once a batch and reach every layer as
keyword arguments (the names that transformers uses for flash attention). On the others transformers builds a mask out of
positions that start anew; `check_isolation` in isolation.py proves for the model at hand that no document sees another.
"""

import functools
import inspect
from collections.abc import Sequence
from typing import Any

import torch

VARLEN = "varlen"
MAX_HEAD_WIDTH = 256


def boundaries(lengths: Sequence[int], device: Any = "cpu") -> dict[str, Any]:
    """Return the keyword arguments that tell a model where its documents end: offsets, int32 [documents + 1], and longest."""
    offsets = torch.zeros(len(lengths) + 1, dtype=torch.int32)
    offsets[1:] = torch.tensor(list(lengths), dtype=torch.int32).cumsum(0)
    offsets = offsets.to(device)
    longest = max(lengths)
    return {"cu_seq_lens_q": offsets, "cu_seq_lens_k": offsets, "max_length_q": longest, "max_length_k": longest}


def choose_attention(model: Any) -> str:
    """Return the fastest attention that computes what this model's does and keeps packed documents apart; register it.

    Where the scores are capped (Gemma 2) or have a sink (gpt-oss), transformers offers no scaled dot product: that is `eager`.
    """
    if not model._supports_sdpa:
        return "eager"
    config = model.config.get_text_config()
    plain = all(getattr(config, name, None) is None for name in ("attn_logit_softcapping", "layer_block_type"))
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    is_half = any(weight.is_cuda and weight.dtype in (torch.bfloat16, torch.float16) for weight in model.parameters())
    if not is_half or not plain:
        return "sdpa"
    if width <= MAX_HEAD_WIDTH and has_varlen():
        register_varlen()
        return VARLEN
    return "flex_attention"


def register_varlen() -> None:
    """Make `varlen` known to transformers. It has no mask function, so a model builds no mask for it."""
    from transformers import AttentionInterface

    AttentionInterface.register(VARLEN, varlen_attention)


def varlen_attention(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    cu_seq_lens_q: Any = None,
    max_length_q: int | None = None,
    segment_start: int | None = None,
    **more: Any,
) -> tuple[Any, None]:
    """Return causal attention within each document, [1, tokens, heads, width].

    Args:
        module: the attention layer.
        query: [1, heads, tokens, width]; key and value may have fewer heads.
        key: as query.
        value: as query.
        attention_mask: must be None.
        scaling: of the scores.
        dropout: must be 0.
        sliding_window: tokens that a token sees, itself included.
        cu_seq_lens_q: offsets of the documents, int32 [documents + 1].
        max_length_q: tokens of the longest.
        segment_start: where segments begin that attend to a document before them as well; see shared_prefix.py.
        more: `segment_*` of those segments.

    Raises:
        ValueError: if there are no boundaries, several rows, a mask or dropout: the documents would not be kept apart; or if
            scores are to be capped or to have a sink.
    """
    is_more = dropout or any(more.get(name) is not None for name in ("softcap", "s_aux"))
    if cu_seq_lens_q is None or max_length_q is None or query.shape[0] != 1 or attention_mask is not None or is_more:
        raise ValueError("varlen attention takes one packed row with its boundaries, no mask, dropout, cap or sink")
    window = (-1 if sliding_window is None else sliding_window - 1, 0)
    q, k, v = (heads.transpose(1, 2).squeeze(0) for heads in (query, key, value))
    if segment_start is None:
        return attend(q, k, v, cu_seq_lens_q, cu_seq_lens_q, max_length_q, max_length_q, scaling, window).unsqueeze(0), None
    first = slice(0, segment_start)
    documents = attend(q[first], k[first], v[first], cu_seq_lens_q, cu_seq_lens_q, max_length_q, max_length_q, scaling, window)
    keys, values = (_Gather.apply(heads, more["segment_keys"]) for heads in (k, v))
    offsets = more["segment_q_offsets"], more["segment_k_offsets"], more["segment_q_longest"], more["segment_k_longest"]
    segments = attend(q[segment_start:], keys, values, *offsets, scaling, window)
    return torch.cat([documents, segments]).unsqueeze(0), None


class _Gather(torch.autograd.Function):  # type: ignore[misc]
    """Rows of a tensor, each at most once: the gradient is written back without adding."""

    @staticmethod
    def forward(ctx: Any, heads: Any, places: Any) -> Any:
        ctx.save_for_backward(places)
        ctx.num_rows = heads.shape[0]
        return heads.index_select(0, places)

    @staticmethod
    def backward(ctx: Any, d_rows: Any) -> tuple[Any, None]:
        (places,) = ctx.saved_tensors
        whole = d_rows.new_zeros(ctx.num_rows, *d_rows.shape[1:])
        return whole.index_copy_(0, places, d_rows), None


def attend(
    q: Any, k: Any, v: Any, q_offsets: Any, k_offsets: Any, q_longest: int, k_longest: int, scale: Any, window: tuple[int, int]
) -> Any:
    """Return torch's varlen attention of q [tokens, heads, width] on k and v; fewer key heads are shared by query heads."""
    from torch.nn.attention.varlen import varlen_attn

    options: dict[str, Any] = {"scale": scale, "window_size": window}
    if k.shape[1] != q.shape[1]:
        shared = shares_heads()
        if shared is None:
            k, v = (heads.repeat_interleave(q.shape[1] // heads.shape[1], 1) for heads in (k, v))
        else:
            options |= shared
    return varlen_attn(q, k, v, q_offsets, k_offsets, q_longest, k_longest, **options)


@functools.cache
def has_varlen() -> bool:
    """Whether torch has an attention for lengths that vary (2.10 and later) with causal windows."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return False
    return "window_size" in inspect.signature(varlen_attn).parameters


@functools.cache
def shares_heads() -> dict[str, Any] | None:
    """Return the options under which this torch lets query heads share a key head; None if it does not, found by trying.

    torch 2.13 asks for `enable_gqa`; 2.11 has no such option and takes fewer key heads as they are, or refuses them.
    """
    from torch.nn.attention.varlen import varlen_attn

    options = {"enable_gqa": True} if "enable_gqa" in inspect.signature(varlen_attn).parameters else {}
    generator = torch.Generator("cuda").manual_seed(0)
    q, k = (
        torch.randn(48, heads, 64, device="cuda", dtype=torch.bfloat16, generator=generator).requires_grad_()
        for heads in (4, 2)
    )
    offsets = torch.tensor([0, 17, 48], dtype=torch.int32, device="cuda")
    results = []
    for wide, extra in ((False, options), (True, {})):
        try:
            with torch.enable_grad():
                keys = k.repeat_interleave(2, 1) if wide else k
                out = varlen_attn(q, keys, keys, offsets, offsets, 31, 31, window_size=(-1, 0), **extra)
                results.append((out, *torch.autograd.grad(out.square().sum(), (q, k))))
        except (RuntimeError, ValueError, TypeError):
            return None
    is_same = all(torch.allclose(one, two, atol=3e-2, rtol=3e-2) for one, two in zip(*results, strict=True))
    return options if is_same else None
