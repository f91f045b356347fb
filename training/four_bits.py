"""Frozen weights in four bits (QLoRA), and what holds for them on a CPU: slower than whole weights, so for tests.

    settle_layers(model)                           # after loading; refuses what a CPU cannot read back
    trainable_share(model)                         # Share(trained=86_016, total=1_028_096)

bitsandbytes 0.50.2 computes forward and backward passes on a CPU (NF4 and FP4, double quantization, bf16 and fp32), with two
exceptions, both measured. Where the inputs of a layer are no multiple of the block of 64, its weights are read back with the
scales of other blocks: 15 to 40 % error where 9 % are due. And on processors with AVX512-BF16 a layer asked in evaluation
mode is stored anew for inference: scales lose bits, double quantization is gone, and outputs that are no multiple of 32 fail.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from curation.errors import QuantizationUnavailableError

BLOCK = 64
"""Weights that share a scale (Dettmers et al. 2023, QLoRA, section 3)."""
FIRST_ON_CPU = "0.50"
"""The version of bitsandbytes from which layers of four bits are known to train on a CPU."""
SLOW_ON_CPU = "weights of four bits save memory on a GPU; on a CPU they are slower than whole ones, and for tests"


class Share(NamedTuple):
    """How many of a model's weights are trained."""

    trained: int
    total: int

    def __str__(self) -> str:
        return f"{self.trained:,} of {self.total:,} weights are trained ({self.trained / self.total:.2%})"


def settle_layers(model: Any) -> None:
    """Make a quantised model on a CPU compute the same in training and in evaluation; elsewhere nothing is to be done.

    Raises:
        QuantizationUnavailableError: if a layer on a CPU would be read back wrongly.
    """
    for name, layer in _layers(model):
        if layer.weight.device.type != "cpu":
            continue
        if layer.in_features % BLOCK:
            wrong = f"layer {name.rpartition('.')[2]} reads {layer.in_features} values, no multiple of {BLOCK}"
            raise QuantizationUnavailableError(missing=f"a CUDA GPU for this model ({wrong})")
        layer.support_avx512bf16_for_cpu = False  # else `eval()` stores the weights anew, with fewer bits


def trainable_share(model: Any) -> Share:
    """Return how many weights of a model are trained; a weight of four bits counts as one, not as half a byte."""
    stored = {id(layer.weight): layer.weight.quant_state.shape.numel() for _, layer in _layers(model)}
    sizes = [(weight.requires_grad, stored.get(id(weight), weight.numel())) for weight in model.parameters()]
    return Share(sum(size for is_trained, size in sizes if is_trained), sum(size for _, size in sizes))


def widen_adapters(trainer: Any) -> None:
    """Train adapters over four bits in fp32, as those over whole weights; TRL makes them bf16, and PEFT fp32 on resuming.

    Sharded ones are left alone, for what is sharded together has one precision.
    """
    import torch

    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        return
    for weight in trainer.model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.to(torch.float32)


def _layers(model: Any) -> Iterator[tuple[str, Any]]:
    for name, module in model.named_modules():
        if type(module).__name__ == "Linear4bit" and type(module).__module__.startswith("bitsandbytes."):  # PEFT has one too
            yield name, module
