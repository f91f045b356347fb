from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import ConfigError
from training.memory import ModelShape, RunShape, estimate_peak
from training.memory.estimate import GIB
from training.memory.weights import cast_bytes

LLAMA_8B = ModelShape.from_config(
    {"model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
     "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256}
)  # fmt: skip
LLAMA_70B = ModelShape.from_config(
    {"model_type": "llama", "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80,
     "num_attention_heads": 64, "num_key_value_heads": 8, "vocab_size": 128256}
)  # fmt: skip
QLORA: dict[str, Any] = {"tuning": "qlora", "optimizer": "adamw_8bit", "is_liger": True, "is_checkpointed": True}
FULL: dict[str, Any] = {**QLORA, "tuning": "full", "is_optimizer_in_backward": True}

MEASURED = [  # torch.cuda.max_memory_allocated on one H100, torch 2.11, transformers 5.17; the first three in whole GiB
    ("LoRA without fused kernels", LLAMA_8B, 8192, {"is_head_fused": False}, 77.0, 0.5),
    ("LoRA", LLAMA_8B, 8192, {"is_liger": True}, 53.0, 0.5),
    ("LoRA checkpointed", LLAMA_8B, 16384, {"is_liger": True, "is_checkpointed": True}, 23.0, 0.5),
    ("QLoRA", LLAMA_8B, 8192, QLORA, 9.1, 0.05),
    ("QLoRA 70B", LLAMA_70B, 2048, QLORA, 41.3, 0.05),
    ("QLoRA 70B", LLAMA_70B, 4096, QLORA, 44.5, 0.05),
    ("QLoRA 70B", LLAMA_70B, 8192, QLORA, 50.8, 0.05),
    ("full", LLAMA_8B, 8192, FULL, 33.7, 0.05),
    ("full", LLAMA_8B, 16384, FULL, 37.1, 0.05),
]


def run_shape(tokens: int = 8192, **changes: Any) -> RunShape:
    return RunShape(**{"tokens_per_micro_batch": tokens, "longest_row": min(tokens, 4096), **changes})


def peak(shape: ModelShape, **changes: Any) -> int:
    return estimate_peak(shape, run_shape(**changes)).allocated


@pytest.mark.parametrize(("name", "shape", "tokens", "settings", "measured", "rounding"), MEASURED)
def test_measured_peaks(
    name: str, shape: ModelShape, tokens: int, settings: dict[str, Any], measured: float, rounding: float
) -> None:
    """At most 2 % too low and 10 % too high: what is too low ends in an out-of-memory error."""
    predicted = estimate_peak(shape, run_shape(tokens, **settings)).allocated / GIB
    assert 0.98 * (measured - rounding) <= predicted <= 1.10 * (measured + rounding), name


def test_the_parts_are_the_peak() -> None:
    estimate = estimate_peak(LLAMA_8B, run_shape(**QLORA))
    assert estimate.allocated == sum(estimate.parts.values())
    assert estimate.moment == "backward"
    assert round(estimate.parts["weights"] / GIB, 2) == 5.31  # 6.98e9 weights in NF4, embeddings and head in bf16
    assert estimate.parts["adapters"] == 41_943_040 * 2
    assert estimate.device > estimate.allocated


def test_full_fine_tuning_in_mixed_precision_is_sixteen_bytes_a_parameter() -> None:
    parts = estimate_peak(LLAMA_8B, run_shape(64, tuning="full", precision="mixed", accumulation=2)).parts
    assert parts["weights"] + parts["gradients"] + parts["optimizer"] == 16 * LLAMA_8B.num_parameters


@pytest.mark.slow
def test_autograd_keeps_the_copies_that_autocast_makes_of_weights() -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 112}  # fmt: skip
    shape = ModelShape.from_config({"model_type": "llama", **sizes})
    model = LlamaForCausalLM(LlamaConfig(**sizes, tie_word_embeddings=False)).train()
    kept: dict[int, Any] = {}

    def keep(tensor: Any) -> Any:
        is_copy = tensor.dtype == torch.bfloat16 and tensor.dim() == 2 and 7 not in tensor.shape
        kept.update({tensor.untyped_storage().data_ptr(): tensor} if is_copy else {})
        return tensor

    ids = torch.arange(7)[None]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), torch.autocast("cpu", torch.bfloat16):
        model(input_ids=ids, labels=ids)
    found = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    assert found == cast_bytes(shape, run_shape(7, tuning="full", precision="mixed"), is_forward=True)


def test_copies_of_weights_are_those_of_a_layer_where_it_is_computed_again() -> None:
    mixed: dict[str, Any] = {"tuning": "full", "precision": "mixed"}
    every = cast_bytes(LLAMA_8B, run_shape(**mixed), is_forward=False)
    assert every == 32 * cast_bytes(LLAMA_8B, run_shape(**mixed, is_checkpointed=True), is_forward=False)
    assert cast_bytes(LLAMA_8B, run_shape(tuning="full"), is_forward=True) == 0


def test_sharding_divides_what_it_shards() -> None:
    whole = estimate_peak(LLAMA_8B, run_shape(tuning="full", world_size=4)).parts
    two = estimate_peak(LLAMA_8B, run_shape(tuning="full", world_size=4, sharding="zero2")).parts
    three = estimate_peak(LLAMA_8B, run_shape(tuning="full", world_size=4, sharding="zero3")).parts
    assert two["optimizer"] == whole["optimizer"] // 4
    assert two["weights"] == whole["weights"]
    assert three["weights"] == whole["weights"] // 4


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({"is_checkpointed": True}, {}),
        ({"is_checkpointed": True, "is_offloaded": True}, {"is_checkpointed": True}),
        ({"is_liger": True}, {}),
        ({"is_liger": True, "is_gate_fused": True}, {"is_liger": True}),
        ({}, {"is_head_fused": False}),
        ({"tuning": "qlora"}, {}),
        ({}, {"tuning": "full"}),
        ({"attention": "varlen"}, {"attention": "sdpa"}),
        ({"attention": "sdpa"}, {"attention": "eager"}),
        ({}, {"is_adapter_fp32": True}),
        ({"tuning": "full", "optimizer": "adamw_8bit"}, {"tuning": "full"}),
        ({**FULL, "is_checkpointed": True}, {**FULL, "is_optimizer_in_backward": False}),
        ({**FULL, "optimizer": "paged_adamw_8bit"}, FULL),
        ({}, {"num_frozen_copies": 1}),
        ({"tuning": "full"}, {"tuning": "full", "has_reference": True}),
        ({"target_modules": ("q_proj", "v_proj")}, {}),
    ],
)
def test_what_saves_memory(less: dict[str, Any], more: dict[str, Any]) -> None:
    assert peak(LLAMA_8B, **less) < peak(LLAMA_8B, **more)


settings = st.fixed_dictionaries(
    {
        "tuning": st.sampled_from(["full", "lora", "qlora"]),
        "is_checkpointed": st.booleans(),
        "is_liger": st.booleans(),
        "is_head_fused": st.booleans(),
        "attention": st.sampled_from(["varlen", "flash", "sdpa", "eager"]),
        "precision": st.sampled_from(["bf16", "fp32"]),
        "optimizer": st.sampled_from(["adamw", "adamw_8bit", "paged_adamw_8bit"]),
        "accumulation": st.integers(1, 4),
    }
)


@given(settings, st.integers(1, 40_000), st.integers(1, 40_000))
def test_more_tokens_never_need_less(changes: dict[str, Any], tokens: int, further: int) -> None:
    row = {"longest_row": 1}
    assert peak(LLAMA_8B, tokens=tokens, **changes, **row) <= peak(LLAMA_8B, tokens=tokens + further, **changes, **row)


@given(settings, st.integers(1, 64))
def test_a_higher_rank_never_needs_less(changes: dict[str, Any], rank: int) -> None:
    assert peak(LLAMA_8B, rank=rank, **changes) <= peak(LLAMA_8B, rank=rank + 1, **changes)


@given(settings)
def test_no_part_is_negative(changes: dict[str, Any]) -> None:
    assert all(size >= 0 for size in estimate_peak(LLAMA_8B, run_shape(**changes)).parts.values())


@pytest.mark.parametrize(
    "changes",
    [
        {"tokens": 0},
        {"longest_row": 9000},
        {"rank": 0},
        {"target_modules": ("lm_head",)},
        {"is_offloaded": True},
        {"is_optimizer_in_backward": True, "accumulation": 2},
        {"precision": "mixed"},
        {"world_size": 0},
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        run_shape(**changes)


@pytest.mark.slow
def test_the_tile_is_that_of_the_kernel() -> None:
    from training.kernels.linear_cross_entropy import LOGITS_BYTES
    from training.memory.logits import TILE_BYTES

    assert TILE_BYTES == LOGITS_BYTES


def test_adapters_need_no_copy_of_the_reference() -> None:
    assert peak(LLAMA_8B, has_reference=True) == peak(LLAMA_8B)
