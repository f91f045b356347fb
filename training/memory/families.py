"""The model families that can be planned: their defaults, which a config.json leaves out, and what their layers have.

A config.json that `save_pretrained` wrote holds only what differs from the defaults of its class, so these stand here; a
test compares them with the installed transformers.
"""

from typing import NamedTuple


class Family(NamedTuple):
    """What `model_type` says about a model before any other key is read."""

    defaults: dict[str, int | None]
    """Our name of a size -> the default of its key. None: derived from other sizes."""
    is_tied: bool = False
    query_bias: bool | None = None
    """Whether queries, keys and values have a bias, where no key decides it."""
    may_have_mlp_bias: bool = False
    has_query_key_norm: bool = False
    num_layer_norms: int = 2
    softcap: float | None = None


def _sizes(
    *, hidden: int, wide: int, layers: int, heads: int, keys: int | None, head: int | None, vocab: int, context: int
) -> dict[str, int | None]:
    return {
        "hidden_size": hidden,
        "intermediate_size": wide,
        "num_layers": layers,
        "num_heads": heads,
        "num_key_value_heads": keys,
        "head_dim": head,
        "vocab_size": vocab,
        "context_length": context,
    }


FAMILIES: dict[str, Family] = {
    "llama": Family(
        _sizes(hidden=4096, wide=11008, layers=32, heads=32, keys=None, head=None, vocab=32000, context=2048),
        may_have_mlp_bias=True,
    ),
    "mistral": Family(
        _sizes(hidden=4096, wide=14336, layers=32, heads=32, keys=8, head=None, vocab=32000, context=131072),
        query_bias=False,
    ),
    "qwen2": Family(
        _sizes(hidden=4096, wide=22016, layers=32, heads=32, keys=32, head=None, vocab=151936, context=32768),
        query_bias=True,
    ),
    "qwen3": Family(
        _sizes(hidden=4096, wide=22016, layers=32, heads=32, keys=32, head=128, vocab=151936, context=32768),
        has_query_key_norm=True,
    ),
    "gemma": Family(
        _sizes(hidden=3072, wide=24576, layers=28, heads=16, keys=16, head=256, vocab=256000, context=8192), is_tied=True
    ),
    "gemma2": Family(
        _sizes(hidden=2304, wide=9216, layers=26, heads=8, keys=4, head=256, vocab=256000, context=8192),
        is_tied=True,
        num_layer_norms=4,
        softcap=50.0,
    ),
    "gemma3_text": Family(
        _sizes(hidden=2304, wide=9216, layers=26, heads=8, keys=4, head=256, vocab=262208, context=131072),
        is_tied=True,
        has_query_key_norm=True,
        num_layer_norms=4,
    ),
}
