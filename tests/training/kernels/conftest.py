"""A tiny Llama, and rows for it."""

from typing import Any

import numpy as np
import pytest
import torch

VOCABULARY = 97


def tiny_llama(seed: int = 0, **changes: Any) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    sizes = {
        "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "vocab_size": VOCABULARY, "max_position_embeddings": 128,
    }  # fmt: skip
    return LlamaForCausalLM(LlamaConfig(**{**sizes, **changes}))


@pytest.fixture
def llama() -> Any:
    return tiny_llama()


@pytest.fixture
def rows() -> tuple[list[Any], list[Any]]:
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, VOCABULARY, length) for length in (5, 1, 17, 9, 30)]
    return rows, [np.where(rng.random(len(row)) < 0.7, row, -100) for row in rows]
