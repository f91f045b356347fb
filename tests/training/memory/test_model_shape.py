import json
import subprocess
import sys
from typing import Any

import pytest

from curation.errors import ConfigError
from training.launch import child_environment
from training.memory import ModelShape
from training.memory.families import FAMILIES
from training.memory.model_shape import SIZES

SMALL = {"hidden_size": 48, "intermediate_size": 112, "num_hidden_layers": 3, "vocab_size": 97}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2}
WIDE = {"num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 20}
SHAPES = [
    ("llama", HEADS),
    ("llama", {**HEADS, "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True}),
    ("llama", {**WIDE}),
    ("mistral", HEADS),
    ("qwen2", HEADS),
    ("qwen2", {**HEADS, "tie_word_embeddings": True}),
    ("qwen3", {**WIDE, "attention_bias": True}),
    ("gemma", WIDE),
    ("gemma2", WIDE),
    ("gemma3_text", WIDE),
    ("gemma3_text", {**WIDE, "tie_word_embeddings": False}),
]
REAL = {
    "Llama 3.1 8B": ({"model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
                      "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256}, 8_030_261_248),
    "Llama 3.3 70B": ({"model_type": "llama", "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80,
                       "num_attention_heads": 64, "num_key_value_heads": 8, "vocab_size": 128256}, 70_553_706_496),
    "Qwen 2.5 7B": ({"model_type": "qwen2", "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
                     "num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064}, 7_615_616_512),
    "Qwen 3 8B": ({"model_type": "qwen3", "hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36,
                   "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 151936}, 8_190_735_360),
    "Mistral 7B v0.3": ({"model_type": "mistral", "vocab_size": 32768}, 7_248_023_552),
    "Gemma 7B": ({"model_type": "gemma"}, 8_537_680_896),
    "Gemma 2 9B": ({"model_type": "gemma2", "hidden_size": 3584, "intermediate_size": 14336, "num_hidden_layers": 42,
                    "num_attention_heads": 16, "num_key_value_heads": 8}, 9_241_705_984),
    "Gemma 3 1B": ({"model_type": "gemma3_text", "hidden_size": 1152, "intermediate_size": 6912, "num_attention_heads": 4,
                    "num_key_value_heads": 1, "vocab_size": 262144}, 999_885_952),
}  # fmt: skip


@pytest.mark.parametrize(("family", "changes"), SHAPES)
def test_parameters_are_those_of_the_model(family: str, changes: dict[str, Any]) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(family, **SMALL, **changes)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    told = json.loads(config.to_json_string(use_diff=True))
    assert ModelShape.from_config(told).num_parameters == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", REAL)
def test_parameters_of_known_models(name: str) -> None:
    values, expected = REAL[name]
    assert ModelShape.from_config(values).num_parameters == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_known_models_on_the_meta_device(name: str) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    values, expected = REAL[name]
    family = values["model_type"]
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**values))
    assert family in FAMILIES
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


@pytest.mark.parametrize("family", FAMILIES)
def test_defaults_are_those_of_the_installed_library(family: str) -> None:
    from transformers import AutoConfig

    config, shape = AutoConfig.for_model(family), ModelShape.from_config({"model_type": family})
    for name, key in SIZES.items():
        if name != "head_dim" or hasattr(config, key):
            assert getattr(shape, name) == getattr(config, key), name
    assert shape.is_tied == config.tie_word_embeddings
    assert shape.has_softcap == bool(getattr(config, "attn_logit_softcapping", None))


def test_adapters_are_counted() -> None:
    from training.memory.model_shape import LINEAR_NAMES

    shape = ModelShape.from_config(REAL["Llama 3.1 8B"][0])
    assert shape.num_adapter_parameters(16, LINEAR_NAMES) == 41_943_040  # as PEFT prints it
    assert shape.num_adapter_parameters(8, ("q_proj", "v_proj")) == 32 * 8 * (4096 + 4096 + 4096 + 1024)


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({}, "model_type"),
        ({"model_type": "mixtral"}, "model_type"),
        ({"model_type": ["llama"]}, "model_type"),
        ({"model_type": "llama", "hidden_size": "4096"}, "hidden_size"),
        ({"model_type": "llama", "hidden_size": True}, "hidden_size"),
        ({"model_type": "llama", "num_hidden_layers": 0}, "num_hidden_layers"),
        ({"model_type": "llama", "vocab_size": 2**50}, "vocab_size"),
        ({"model_type": "llama", "num_key_value_heads": 5}, "num_key_value_heads"),
        ({"model_type": "llama", "quantization_config": {"quant_method": "gptq"}}, "quantization_config"),
    ],
)
def test_what_cannot_be_counted_is_refused(values: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError, match=path):
        ModelShape.from_config(values)


@pytest.mark.slow
def test_planning_needs_no_torch() -> None:
    code = "import sys, training.memory; print(sorted({'torch', 'transformers', 'polars', 'dagster'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=child_environment(), check=True)
    assert done.stdout == "[]\n"
