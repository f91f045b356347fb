"""Layers that are computed again give the gradients of layers that keep what they computed."""

from typing import Any

import pytest

from tests.training.conftest import Bench
from training.config import StageConfig
from training.methods.checkpointing import checkpointed_modules, narrow_checkpointing

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]

SIZES: dict[str, Any] = {
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "vocab_size": 96,
}
IDS = [[5, 9, 7, 3, 2, 11, 60, 41], [1, 4, 4, 8, 90, 33, 2, 0]]


def build(share: bool | float, *, is_adapter: bool) -> Any:
    import peft
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    stage = StageConfig(method="sft", gradient_checkpointing=share)
    model = narrow_checkpointing(LlamaForCausalLM(LlamaConfig(**SIZES)), stage)
    if is_adapter:
        model = peft.get_peft_model(
            model, peft.LoraConfig(r=4, target_modules="all-linear", lora_dropout=0.1, init_lora_weights=False)
        )
    if share:
        model.activation_checkpointing_enable()
    return model.train()


def gradients(model: Any) -> dict[str, Any]:
    import torch

    torch.manual_seed(1)  # dropout
    ids = torch.tensor(IDS)
    model(input_ids=ids, labels=ids).loss.backward()
    return {name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad}


def which(model: Any) -> list[bool]:
    return [layer.gradient_checkpointing for layer in checkpointed_modules(model)]


@pytest.mark.parametrize("is_adapter", [False, True])
def test_gradients_are_the_same_bit_for_bit(is_adapter: bool) -> None:
    import torch

    none, *others = (gradients(build(share, is_adapter=is_adapter)) for share in (False, 0.25, 0.5, 0.75, True))
    for other in others:
        assert other.keys() == none.keys()
        assert all(torch.equal(other[name], none[name]) for name in none)
    assert any(gradient.abs().max() > 0 for gradient in none.values())


@pytest.mark.parametrize(("share", "num"), [(0.25, 1), (0.5, 2), (True, 4)])
def test_the_first_layers_are_computed_again(share: bool | float, num: int) -> None:
    model = build(share, is_adapter=True)
    calls = [0] * 4
    for number, layer in enumerate(checkpointed_modules(model)):
        layer.mlp.register_forward_pre_hook(lambda *_, number=number: calls.__setitem__(number, calls[number] + 1))
    gradients(model)
    assert calls == [2] * num + [1] * (4 - num)


def test_what_was_switched_off_to_write_answers_comes_back_as_it_was() -> None:
    model = build(0.5, is_adapter=True)
    assert which(model) == [True, True, False, False]
    model.gradient_checkpointing_disable()
    assert not any(which(model))
    model.gradient_checkpointing_enable({"use_reentrant": False})
    assert which(model) == [True, True, False, False]


@pytest.mark.parametrize(("method", "changes"), [("sft", {"packing": True, "tokens_per_batch": 512}), ("sft", {}), ("dpo", {})])
@pytest.mark.parametrize("keeps", [0.5, "auto"])
def test_a_run_with_a_share_or_auto_ends_as_without(bench: Bench, method: Any, changes: dict[str, Any], keeps: Any) -> None:
    shape: dict[str, Any] = {"tuning": "lora", "max_steps": 2, "batch_size": 4, "gradient_accumulation": 1, "max_length": 128,
                             "learning_rate": 0.01, "checkpoint_every_steps": 0, **changes}  # fmt: skip
    plain, ours = (
        bench.run(
            bench.spec(
                StageConfig(method=method, gradient_checkpointing=value, **shape), name=f"{method}{len(changes)}-{value}"
            )
        )
        for value in (False, keeps)
    )
    assert (ours / "model.safetensors").read_bytes() == (plain / "model.safetensors").read_bytes()
