"""Triton kernels: SwiGLU forward and backward, cross-entropy on rows of logits, and Adam with states of 8 bits.

Import it only where Triton and a CUDA device are; the callers hold the same arithmetic in torch for everything else.
"""

import triton
import triton.language as tl


@triton.jit  # type: ignore[untyped-decorator]
def swiglu_forward(gate: tl.tensor, up: tl.tensor, out: tl.tensor, size: tl.tensor, BLOCK: tl.constexpr) -> None:  # noqa: N803 - Triton's convention
    """Out = silu(gate) * up."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    g = tl.load(gate + at, mask=inside, other=0.0).to(tl.float32)
    u = tl.load(up + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + at, (g * tl.sigmoid(g) * u).to(out.dtype.element_ty), mask=inside)


@triton.jit  # type: ignore[untyped-decorator]
def swiglu_backward(gate: tl.tensor, up: tl.tensor, d_out: tl.tensor, size: tl.tensor, BLOCK: tl.constexpr) -> None:  # noqa: N803
    """In place: gate and up become their gradients, d_out becomes silu(gate) * up, which was not kept."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    g = tl.load(gate + at, mask=inside, other=0.0).to(tl.float32)
    u = tl.load(up + at, mask=inside, other=0.0).to(tl.float32)
    d = tl.load(d_out + at, mask=inside, other=0.0).to(tl.float32)
    sigmoid = tl.sigmoid(g)
    silu = g * sigmoid
    tl.store(d_out + at, (silu * u).to(d_out.dtype.element_ty), mask=inside)
    tl.store(up + at, (d * silu).to(up.dtype.element_ty), mask=inside)
    tl.store(gate + at, (d * u * (sigmoid + silu * (1.0 - sigmoid))).to(gate.dtype.element_ty), mask=inside)


@triton.jit  # type: ignore[untyped-decorator]
def cross_entropy(
    logits: tl.tensor,
    targets: tl.tensor,
    row_scale: tl.tensor,
    log_probs: tl.tensor,
    stride: tl.tensor,
    num_classes: tl.constexpr,
    HAS_GRADIENT: tl.constexpr,  # noqa: N803
    BLOCK: tl.constexpr,  # noqa: N803
) -> None:
    """Write log p(target) of a row; with HAS_GRADIENT, overwrite its logits with row_scale * (softmax - one_hot)."""
    row = tl.program_id(0).to(tl.int64)
    logits += row * stride
    target = tl.load(targets + row)
    highest = -float("inf")
    total = 0.0
    for start in range(0, num_classes, BLOCK):
        at = start + tl.arange(0, BLOCK)
        x = tl.load(logits + at, mask=at < num_classes, other=-float("inf")).to(tl.float32)
        new = tl.maximum(highest, tl.max(x, axis=0))
        total = total * tl.exp(highest - new) + tl.sum(tl.exp(x - new), axis=0)
        highest = new
    log_sum = highest + tl.log(total)
    tl.store(log_probs + row, tl.load(logits + target).to(tl.float32) - log_sum)
    if HAS_GRADIENT:
        tl.debug_barrier()  # the target's logit is read before it is overwritten
        scale = tl.load(row_scale + row)
        for start in range(0, num_classes, BLOCK):
            at = start + tl.arange(0, BLOCK)
            x = tl.load(logits + at, mask=at < num_classes, other=-float("inf")).to(tl.float32)
            gradient = (tl.exp(x - log_sum) - tl.where(at == target, 1.0, 0.0)) * scale
            tl.store(logits + at, gradient.to(logits.dtype.element_ty), mask=at < num_classes)


@triton.jit  # type: ignore[untyped-decorator]
def random_bits(at: tl.tensor, seed: tl.tensor) -> tl.tensor:
    """32 random bits of a place: the finaliser of MurmurHash3."""
    noise = (at.to(tl.uint32) * 2654435761) ^ seed.to(tl.uint32)
    noise = (noise ^ (noise >> 16)) * 2246822507
    noise = (noise ^ (noise >> 13)) * 3266489909
    return noise ^ (noise >> 16)


@triton.jit(do_not_specialize=["seed"])  # type: ignore[untyped-decorator]
def adam_8bit(
    weight: tl.tensor,
    gradient: tl.tensor,
    first: tl.tensor,
    second: tl.tensor,
    first_scale: tl.tensor,
    second_scale: tl.tensor,
    size: tl.tensor,
    lr: tl.tensor,
    decay: tl.tensor,
    beta1: tl.tensor,
    beta2: tl.tensor,
    correction1: tl.tensor,
    correction2: tl.tensor,
    eps: tl.tensor,
    seed: tl.tensor,
    IS_ROUNDED: tl.constexpr,  # noqa: N803
    ROWS: tl.constexpr,  # noqa: N803
    BLOCK: tl.constexpr,  # noqa: N803
) -> None:
    """One AdamW step of ROWS blocks of BLOCK weights; see adam_in_backward.py for the codes. IS_ROUNDED: weights are bf16."""
    blocks = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    at = blocks[:, None] * BLOCK + tl.arange(0, BLOCK)[None, :]
    inside = at < size
    has_block = blocks * BLOCK < size
    g = tl.load(gradient + at, mask=inside, other=0.0).to(tl.float32)
    code = tl.load(first + at, mask=inside, other=0).to(tl.int32)
    old = tl.load(first_scale + blocks, mask=has_block, other=0.0)[:, None]
    magnitude = code & 127
    m = tl.where(magnitude == 0, 0.0, old * tl.exp2((magnitude - 127).to(tl.float32) * 0.125))
    m = tl.where(code >= 128, -m, m)
    code = tl.load(second + at, mask=inside, other=0).to(tl.int32)
    old = tl.load(second_scale + blocks, mask=has_block, other=0.0)[:, None]
    root = tl.where(code == 0, 0.0, old * tl.exp2((code - 255).to(tl.float32) * 0.0625))
    m = beta1 * m + (1.0 - beta1) * g
    root = tl.sqrt(beta2 * root * root + (1.0 - beta2) * g * g)
    w = tl.load(weight + at, mask=inside, other=0.0).to(tl.float32)
    w = w * decay - lr * (m / correction1) / (root / correction2 + eps)
    noise = random_bits(at, seed)
    if IS_ROUNDED:
        bits = (w.to(tl.uint32, bitcast=True) + (noise & 65535)) & 4294901760
        w = bits.to(tl.float32, bitcast=True)
    tl.store(weight + at, w.to(weight.dtype.element_ty), mask=inside)

    largest = tl.max(tl.abs(m), axis=1)
    level = tl.floor(127.5 + 8.0 * tl.log2(tl.abs(m) / tl.maximum(largest, 1e-38)[:, None] + 1e-30))
    code = tl.minimum(tl.maximum(level, 0.0), 127.0).to(tl.int32) + tl.where(m < 0, 128, 0)
    tl.store(first + at, code.to(tl.uint8), mask=inside)
    tl.store(first_scale + blocks, largest, mask=has_block)
    largest = tl.max(root, axis=1)
    exact = 255.0 + 16.0 * tl.log2(root / tl.maximum(largest, 1e-38)[:, None] + 1e-30)
    lower = tl.floor(exact)
    share = (tl.exp2((exact - lower) * 0.0625) - 1.0) * 22.58764  # 1 / (2 ** (1 / 16) - 1)
    level = lower + tl.where((noise >> 16).to(tl.float32) < share * 65536.0, 1.0, 0.0)
    code = tl.minimum(tl.maximum(level, 1.0), 255.0).to(tl.int32)
    tl.store(second + at, code.to(tl.uint8), mask=inside)
    tl.store(second_scale + blocks, largest, mask=has_block)
