"""The sizes of a model, out of its config.json alone: every parameter is counted, no weight is read.

shape = ModelShape.from_config({"model_type": "llama", "hidden_size": 4096, ...})
shape.num_parameters          # 8_030_261_248, as `sum(p.numel() for p in model.parameters())` says
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from curation.config import check
from training.memory.families import FAMILIES, Family


class Linear(NamedTuple):
    """A weight matrix of one layer."""

    name: str
    num_inputs: int
    num_outputs: int
    has_bias: bool

    @property
    def num_weights(self) -> int:
        """Entries of the matrix, without the bias."""
        return self.num_inputs * self.num_outputs


LINEAR_NAMES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """A decoder-only transformer with gated feed-forward layers (Llama, Qwen 2 and 3, Mistral, Gemma 1 to 3)."""

    family: str
    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    context_length: int
    is_tied: bool
    """Whether the output head is the embedding matrix."""
    has_attention_bias: bool = False
    has_output_bias: bool = False
    has_mlp_bias: bool = False
    has_query_key_norm: bool = False
    num_layer_norms: int = 2
    """Norms over the hidden state in a layer: 2, or 4 where outputs are normed as well (Gemma 2 and 3)."""
    has_softcap: bool = False
    """Attention scores go through tanh (Gemma 2), which only the eager attention can train."""
    stored_precision: str = "bf16"
    """What the weights are stored in: `bf16` (also for fp16) or `fp32`."""

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> Self:
        """Read the dictionary of a Hugging Face config.json; keys left out have the defaults of their family.

        Raises:
            ConfigError: if the family is not known, is quantized already, or a size makes no sense.
        """
        family = _family(values)
        quantized = values.get("quantization_config")
        check(not quantized, "quantization_config", "must be absent: name the model that is not quantized", quantized)
        read = {name: values.get(key, family.defaults[name]) for name, key in SIZES.items()}
        for name, size in read.items():
            is_open = name in ("head_dim", "num_key_value_heads") and size is None
            is_size = isinstance(size, int) and not isinstance(size, bool) and 0 < size < 2**40
            check(is_open or is_size, SIZES[name], "must be a whole number above 0", size)
        head_dim = read.pop("head_dim") or read["hidden_size"] // read["num_heads"]
        num_key_value_heads = read.pop("num_key_value_heads") or read["num_heads"]
        whole = read["num_heads"] % num_key_value_heads == 0
        check(whole, "num_key_value_heads", "must divide num_attention_heads", num_key_value_heads)
        return cls(
            family=str(values["model_type"]),
            head_dim=head_dim,
            num_key_value_heads=num_key_value_heads,
            is_tied=bool(values.get("tie_word_embeddings", family.is_tied)),
            **_biases(values, family),
            has_query_key_norm=family.has_query_key_norm,
            num_layer_norms=family.num_layer_norms,
            has_softcap=bool(values.get("attn_logit_softcapping", family.softcap)),
            stored_precision="fp32" if values.get("dtype", values.get("torch_dtype")) == "float32" else "bf16",
            **read,
        )

    @property
    def query_size(self) -> int:
        """Width of all query heads together."""
        return self.num_heads * self.head_dim

    @property
    def key_size(self) -> int:
        """Width of all key heads together, which is that of the value heads."""
        return self.num_key_value_heads * self.head_dim

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The weight matrices of one layer."""
        hidden, wide, bias = self.hidden_size, self.intermediate_size, self.has_attention_bias
        return (
            Linear("q_proj", hidden, self.query_size, bias),
            Linear("k_proj", hidden, self.key_size, bias),
            Linear("v_proj", hidden, self.key_size, bias),
            Linear("o_proj", self.query_size, hidden, self.has_output_bias),
            Linear("gate_proj", hidden, wide, self.has_mlp_bias),
            Linear("up_proj", hidden, wide, self.has_mlp_bias),
            Linear("down_proj", wide, hidden, self.has_mlp_bias),
        )

    @property
    def num_linear_weights(self) -> int:
        """Entries of all weight matrices of all layers: what is quantized in QLoRA."""
        return self.num_layers * sum(linear.num_weights for linear in self.linears)

    @property
    def num_layer_parameters(self) -> int:
        """Parameters of one layer."""
        biases = sum(linear.num_outputs for linear in self.linears if linear.has_bias)
        norms = self.num_layer_norms * self.hidden_size + (2 * self.head_dim if self.has_query_key_norm else 0)
        return sum(linear.num_weights for linear in self.linears) + biases + norms

    @property
    def num_embedding_parameters(self) -> int:
        """Parameters of the embedding matrix, and of the head where it is a matrix of its own."""
        return self.vocab_size * self.hidden_size * (1 if self.is_tied else 2)

    @property
    def num_parameters(self) -> int:
        """All parameters, each counted once."""
        return self.num_layers * self.num_layer_parameters + self.num_embedding_parameters + self.hidden_size

    def num_adapter_parameters(self, rank: int, target_modules: tuple[str, ...]) -> int:
        """Parameters of LoRA matrices of this rank on these weight matrices of every layer (Hu et al. 2021)."""
        targets = [linear for linear in self.linears if linear.name in target_modules]
        return self.num_layers * sum(rank * (linear.num_inputs + linear.num_outputs) for linear in targets)


SIZES = {
    "hidden_size": "hidden_size",
    "intermediate_size": "intermediate_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "num_key_value_heads": "num_key_value_heads",
    "head_dim": "head_dim",
    "vocab_size": "vocab_size",
    "context_length": "max_position_embeddings",
}
"""Our name of a size -> its key in config.json."""


def _family(values: Mapping[str, Any]) -> Family:
    name = values.get("model_type")
    known = ", ".join(sorted(FAMILIES))
    check(isinstance(name, str) and name in FAMILIES, "model_type", f"must be one of {known} to be planned", name)
    return FAMILIES[str(name)]


def _biases(values: Mapping[str, Any], family: Family) -> dict[str, bool]:
    if family.query_bias is not None:
        return {"has_attention_bias": family.query_bias}
    has_bias = bool(values.get("attention_bias", False))
    return {
        "has_attention_bias": has_bias,
        "has_output_bias": has_bias,
        "has_mlp_bias": family.may_have_mlp_bias and bool(values.get("mlp_bias", False)),
    }
