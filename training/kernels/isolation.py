"""Proof that packed documents are kept apart, for the model, the attention and the device at hand."""

from typing import Any

import torch

from curation.errors import PackingLeakError
from training.kernels.varlen_attention import boundaries

NUM_TOKENS = 12


def check_isolation(model: Any, attention: str) -> None:
    """Change the first of two packed documents and raise PackingLeakError if the model reads the second differently.

    Two forward passes over 24 tokens in evaluation mode; weights and random state stay as they are.

    Args:
        model: a causal language model, with or without adapters.
        attention: name of its attention, for the message.
    """
    device = model.get_input_embeddings().weight.device
    vocabulary = model.get_input_embeddings().weight.shape[0]
    ids = torch.arange(2 * NUM_TOKENS, device=device)[None] % vocabulary
    changed = ids.clone()
    changed[:, :NUM_TOKENS] = (changed[:, :NUM_TOKENS] + vocabulary // 2 + 1) % vocabulary
    positions = torch.arange(NUM_TOKENS, device=device).repeat(2)[None]
    where = boundaries([NUM_TOKENS] * 2, device)
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            before, after = (
                model(input_ids=tokens, position_ids=positions, use_cache=False, **where).logits[0].float()
                for tokens in (ids, changed)
            )
    finally:
        model.train(was_training)
    leak = (before[NUM_TOKENS:] - after[NUM_TOKENS:]).abs().max().item()
    moved = (before[:NUM_TOKENS] - after[:NUM_TOKENS]).abs().max().item()
    if not leak <= 1e-3 * max(moved, 1e-3):
        raise PackingLeakError(attention=attention, difference=f"{leak:.2g}")
