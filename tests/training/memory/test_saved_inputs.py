"""What adapters that no kernel fuses keep of their inputs, counted on a real model as autograd saves it."""

from dataclasses import replace
from typing import Any

import pytest

from training.memory.activations import saved_bytes
from training.memory.model_shape import LINEAR_NAMES, ModelShape
from training.memory.run_shape import RunShape

SIZES: dict[str, int] = {
    "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
    "vocab_size": 64,
}  # fmt: skip
TOKENS, RANK = 128, 8


def count_saved(targets: tuple[str, ...]) -> int:
    """Return the bytes that a forward pass under autocast leaves for the backward pass, weights left out."""
    import peft
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    model = LlamaForCausalLM(LlamaConfig(**SIZES)).to(torch.bfloat16)
    model = peft.get_peft_model(model, peft.LoraConfig(r=RANK, target_modules=list(targets), task_type="CAUSAL_LM")).train()
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    kept: dict[int, Any] = {}

    def keep(tensor: Any) -> Any:
        kept.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), torch.autocast("cpu", torch.bfloat16):
        model(torch.randint(0, 64, (1, TOKENS)))
    return sum(tensor.untyped_storage().nbytes() for address, tensor in kept.items() if address not in weights)


@pytest.mark.filterwarnings("ignore")
def test_each_adapter_keeps_a_copy_of_its_input_in_bf16() -> None:
    """PEFT casts the input to fp32 for each reader, autocast back to bf16: not one copy for all, and not in fp32."""
    shape = ModelShape.from_config({"model_type": "llama", **SIZES})
    run = RunShape(
        tokens_per_micro_batch=TOKENS, longest_row=TOKENS, rank=RANK, attention="sdpa", is_head_fused=False,
        is_adapter_fp32=True,
    )  # fmt: skip
    few = ("q_proj",)
    expected = saved_bytes(shape, run) - saved_bytes(shape, replace(run, target_modules=few))
    assert count_saved(LINEAR_NAMES) - count_saved(few) == pytest.approx(expected, rel=0.15)
