"""The weight of a frozen linear layer as a matrix, also when it is stored in four bits.

matrix = weight_of(layer)()        # [out, in], in the precision of the computation
"""

from collections.abc import Callable
from typing import Any

Matrix = Callable[[], Any]
"""Returns a weight [out, in]; a quantized one is unpacked at each call, so that only one layer is unpacked at a time."""


def weight_of(layer: Any) -> Matrix | None:
    """Return how to get the weight of a layer; None if it is not stored in a way that we know."""
    kind = type(layer).__name__
    if kind == "Linear" and type(layer).__module__.startswith("torch.nn"):
        return lambda: layer.weight  # read at each call: a model can be moved
    if kind == "Linear4bit":
        return lambda: _unpack(layer)
    return None


def _unpack(layer: Any) -> Any:
    from bitsandbytes.functional import dequantize_4bit

    weight = layer.weight
    return dequantize_4bit(weight.data, quant_state=weight.quant_state)
