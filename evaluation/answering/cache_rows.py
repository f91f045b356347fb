"""Rows of a key-value cache: chosen, joined, cut. Only of plain caches, in which every layer keeps all keys and values.

    cache = model(input_ids=ids, attention_mask=mask, use_cache=True).past_key_values
    if has_plain_cache(model):
        four_copies_of_the_first = select_rows(cache, torch.tensor([0, 0, 0, 0]))

Rows of different lengths lie flush right; what stands to the left of a shorter one is masked, and counts for nothing.
"""

import inspect
from typing import Any


def is_plain(cache: Any) -> bool:
    """Tell whether a cache is nothing but keys and values for each token, which rows can be taken out of."""
    from transformers.cache_utils import DynamicCache, DynamicLayer

    return type(cache) is DynamicCache and all(type(layer) is DynamicLayer for layer in cache.layers)


def has_plain_cache(model: Any) -> bool:
    """Tell whether the cache of a model is plain, and positions can be given to it; found out by one token."""
    import torch

    known = inspect.signature(model.forward).parameters
    if not {"position_ids", "logits_to_keep", "past_key_values"} <= known.keys():
        return False
    with torch.inference_mode():
        output = model(input_ids=torch.zeros((1, 1), dtype=torch.long, device=model.device), use_cache=True)
    return is_plain(output.past_key_values)


def select_rows(cache: Any, rows: Any, *, first_column: int = 0) -> Any:
    """Return a new cache of some rows, in the order given, without the columns before `first_column`."""
    from transformers.cache_utils import DynamicCache

    chosen = DynamicCache()
    for index, layer in enumerate(cache.layers):
        keys, values = layer.keys[rows, :, first_column:], layer.values[rows, :, first_column:]
        chosen.update(keys, values, index)
    return chosen


def join_rows(first: Any, second: Any) -> Any:
    """Return a new cache with the rows of both; the shorter one is filled up on the left."""
    import torch
    from transformers.cache_utils import DynamicCache

    joined = DynamicCache()
    width = max(first.get_seq_length(), second.get_seq_length())
    for index, (one, other) in enumerate(zip(first.layers, second.layers, strict=True)):
        keys = torch.cat([_filled(one.keys, width), _filled(other.keys, width)])
        values = torch.cat([_filled(one.values, width), _filled(other.values, width)])
        joined.update(keys, values, index)
    return joined


def _filled(rows: Any, width: int) -> Any:
    import torch

    return torch.nn.functional.pad(rows, (0, 0, width - rows.shape[2], 0))
