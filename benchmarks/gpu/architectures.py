"""Models of real architectures with random weights, made on the device: speed and memory do not depend on the values."""

from typing import Any

from training.memory.model_shape import ModelShape

LLAMA = {"num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 8192, "model_type": "llama"}
CONFIGS: dict[str, dict[str, Any]] = {
    "tiny": {
        **LLAMA, "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 1024,
    },
    "1b": {
        **LLAMA, "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
        "tie_word_embeddings": True,
    },
    "3b": {
        **LLAMA, "hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 28, "num_attention_heads": 24,
        "tie_word_embeddings": True,
    },
    "7b": {
        **LLAMA, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 32, "vocab_size": 32000, "max_position_embeddings": 4096,
    },
    "8b": {**LLAMA, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32},
    "70b": {**LLAMA, "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80, "num_attention_heads": 64},
}  # fmt: skip
"""Sizes of Llama 3.2 1B and 3B, Llama 2 7B, Llama 3.1 8B and 70B."""


def shape_of(size: str) -> ModelShape:
    """Return the sizes of an architecture."""
    return ModelShape.from_config(CONFIGS[size])


def build_config(size: str) -> Any:
    """Return transformers' configuration of an architecture."""
    from transformers import LlamaConfig

    values = {name: value for name, value in CONFIGS[size].items() if name != "model_type"}
    return LlamaConfig(**values, rope_parameters={"rope_type": "default", "rope_theta": 500000.0})


def build_model(size: str, device: str, dtype: Any) -> Any:
    """Return a model of random weights in one precision."""
    import torch
    from transformers import LlamaForCausalLM

    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            return LlamaForCausalLM(build_config(size))
    finally:
        torch.set_default_dtype(before)


def build_nf4(size: str) -> Any:
    """Return a model whose linear layers are NF4 with double quantization (Dettmers et al. 2023), quantized one by one."""
    import bitsandbytes as bnb
    import torch
    from transformers import LlamaForCausalLM
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    with torch.device("meta"):
        model = LlamaForCausalLM(build_config(size)).to(torch.bfloat16)
    for name, module in list(model.named_modules()):
        if isinstance(module, torch.nn.Linear) and name != "lm_head":
            packed = bnb.nn.Linear4bit(
                module.in_features, module.out_features, bias=False, compute_dtype=torch.bfloat16,
                compress_statistics=True, quant_type="nf4", device="meta",
            )  # fmt: skip
            plain = _random(module.weight.shape)
            weight = bnb.nn.Params4bit(plain, requires_grad=False, compress_statistics=True, quant_type="nf4")
            packed.weight = weight._quantize(torch.device("cuda")) if hasattr(weight, "_quantize") else weight.cuda()
            del plain
            _set(model, name, packed)
    for name, weight in list(model.named_parameters()):
        if weight.is_meta:
            values = torch.ones(weight.shape, dtype=torch.bfloat16, device="cuda") if "norm" in name else _random(weight.shape)
            _set(model, name, torch.nn.Parameter(values, requires_grad=False))
    model.tie_weights()
    model.model.rotary_emb = LlamaRotaryEmbedding(model.config).to("cuda")
    return model


def _random(shape: Any) -> Any:
    import torch

    return torch.empty(shape, dtype=torch.bfloat16, device="cuda").normal_(0, 0.02)


def _set(model: Any, name: str, value: Any) -> None:
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, value)
