"""Tiny models in memory: one with a plain cache, one with sliding windows."""

from typing import Any

import pytest


@pytest.fixture(scope="session")
def tiny_llama() -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    shape: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = LlamaConfig(vocab_size=60, max_position_embeddings=64, num_key_value_heads=2, initializer_range=0.4, **shape)
    return LlamaForCausalLM(config).eval()


@pytest.fixture(scope="session")
def tiny_mistral() -> Any:
    import torch
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    shape: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = MistralConfig(
        vocab_size=60, max_position_embeddings=64, num_key_value_heads=2, sliding_window=4, initializer_range=0.4, **shape
    )
    return MistralForCausalLM(config).eval()
