"""Liger's kernels for normalisation and rotary embedding (Hsu et al. 2024), put into one model.

Liger's own way in exchanges classes of transformers for the whole process; here only the model at hand changes, and what runs
on a CPU keeps its plain arithmetic.
"""

import functools
import importlib.util
import sys
from typing import Any

NORMS = ("LlamaRMSNorm", "MistralRMSNorm", "Qwen2RMSNorm", "Qwen3RMSNorm")
"""Norms that multiply by their weight as it is; Gemma's adds one to it."""
ROTATED = ("llama", "mistral", "qwen2", "qwen3")


def attach_liger(causal: Any) -> bool:
    """Use Liger where it is installed and knows the architecture. Return whether it is used."""
    if not next(causal.parameters()).is_cuda or importlib.util.find_spec("liger_kernel") is None:
        return False
    if causal.config.model_type not in ROTATED:
        return False
    for module in causal.modules():
        if type(module).__name__ in NORMS:
            module.forward = functools.partial(_normalise, module)
    modeling: Any = sys.modules[type(causal).__module__]
    if not isinstance(modeling.apply_rotary_pos_emb, _Rotary):
        modeling.apply_rotary_pos_emb = _Rotary(modeling.apply_rotary_pos_emb)
    return True


def _normalise(module: Any, states: Any) -> Any:
    from liger_kernel.ops.rms_norm import LigerRMSNormFunction

    return LigerRMSNormFunction.apply(states, module.weight, module.variance_epsilon, 0.0, "llama", False)


class _Rotary:
    """Rotates queries and keys by Liger on a GPU, and as before elsewhere."""

    def __init__(self, plain: Any) -> None:
        self._plain = plain

    def __call__(self, q: Any, k: Any, cos: Any, sin: Any, *more: Any, **named: Any) -> Any:
        if not q.is_cuda or more or named:
            return self._plain(q, k, cos, sin, *more, **named)
        from liger_kernel.ops.rope import LigerRopeFunction

        return LigerRopeFunction.apply(q, k, cos, sin)
