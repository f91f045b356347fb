"""Packed documents give the gradients of documents that go through the model one by one; a leak is found."""

from typing import Any

import pytest
import torch

from curation.errors import PackingLeakError
from training.kernels.attach import attach_kernels
from training.kernels.isolation import check_isolation
from training.kernels.packed_loss import packed_log_probs
from training.methods.supervised import answer_loss
from training.packing import pack_rows


def separate(model: Any, rows: list[Any], labels: list[Any]) -> tuple[float, dict[str, Any]]:
    total, num = torch.zeros(()), 0
    for row, label in zip(rows, labels, strict=True):
        logits = model(input_ids=torch.tensor(row)[None], use_cache=False).logits[0, :-1]
        target = torch.tensor(label[1:])
        total = total + torch.nn.functional.cross_entropy(logits, target, reduction="sum", ignore_index=-100)
        num += int((target != -100).sum())
    return gradients(model, total / num)


def gradients(model: Any, loss: Any) -> tuple[float, dict[str, Any]]:
    model.zero_grad(set_to_none=True)
    loss.backward()
    return loss.item(), {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}


def assert_same(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert one.keys() == two.keys()
    for name, gradient in one.items():
        torch.testing.assert_close(two[name], gradient, atol=2e-6, rtol=1e-4, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_gradients_are_those_of_separate_rows(llama: Any, rows: tuple[list[Any], list[Any]], attention: str) -> None:
    llama.set_attn_implementation(attention)
    loss, expected = separate(llama, *rows)
    attach_kernels(llama, attention=attention)
    packed, given = gradients(llama, llama(**pack_rows(*rows)))
    assert packed == pytest.approx(loss, abs=1e-5)
    assert_same(expected, given)


def test_micro_batches_add_up_to_one_step(llama: Any, rows: tuple[list[Any], list[Any]]) -> None:
    """The loss is a mean over all learnt tokens of the step, however they are spread over its packs."""
    loss, expected = separate(llama, *rows)
    attach_kernels(llama)
    packs = [pack_rows(*(column[part] for column in rows)) for part in (slice(0, 2), slice(2, 5))]
    num = sum(len(pack["targets"]) for pack in packs)
    given = gradients(llama, sum(llama(**pack, num_items=torch.tensor(num)) for pack in packs))
    assert given[0] == pytest.approx(loss, abs=1e-5)
    assert_same(expected, given[1])


def test_a_pack_without_learnt_tokens_changes_nothing(llama: Any, rows: tuple[list[Any], list[Any]]) -> None:
    attach_kernels(llama)
    loss, given = gradients(llama, llama(**pack_rows(rows[0], [row * 0 - 100 for row in rows[0]]), num_items=7))
    assert loss == 0
    assert all(not gradient.any() for gradient in given.values())


def test_the_model_still_answers(llama: Any) -> None:
    ids = torch.arange(7)[None]
    before = llama(input_ids=ids).logits
    attach_kernels(llama)
    torch.testing.assert_close(llama(input_ids=ids).logits, before)


def test_log_probs_are_those_of_the_logits(llama: Any, rows: tuple[list[Any], list[Any]]) -> None:
    pack = pack_rows(*rows)
    logits = llama(input_ids=pack["input_ids"], position_ids=pack["position_ids"], use_cache=False).logits[0]
    expected = logits.log_softmax(-1)[pack["learnt"], pack["targets"]]
    torch.testing.assert_close(packed_log_probs(llama, pack), expected)


def scaled(name: str) -> Any:
    """Return a tiny model whose logits are more than its states times a matrix, by a factor that changes the loss much."""
    import transformers

    settings = {"cohere": {"logit_scale": 4.0}, "granite": {"logits_scaling": 0.25}, "gemma2": {"final_logit_softcapping": 0.1}}
    sizes = {
        "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "vocab_size": 97, "max_position_embeddings": 128, "head_dim": 8, "initializer_range": 0.1,
        "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
    }  # fmt: skip
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(name, **sizes, **settings[name])
    return transformers.AutoModelForCausalLM.from_config(config)


@pytest.mark.parametrize("name", ["cohere", "granite", "gemma2"])
def test_a_head_that_scales_or_caps_its_logits_is_learnt_as_it_answers(name: str, rows: tuple[list[Any], list[Any]]) -> None:
    model = scaled(name)
    loss, expected = separate(model, *rows)
    pack = pack_rows(*rows)
    logits = model(input_ids=pack["input_ids"], position_ids=pack["position_ids"], use_cache=False).logits[0]
    torch.testing.assert_close(packed_log_probs(model, pack), logits.log_softmax(-1)[pack["learnt"], pack["targets"]])
    attach_kernels(model)
    packed, given = gradients(model, model(**pack))
    assert packed == pytest.approx(loss, abs=1e-5)
    assert_same(expected, given)


@pytest.mark.parametrize("name", ["cohere", "granite", "gemma2"])
def test_the_loss_of_padded_rows_is_that_of_such_a_head_too(name: str) -> None:
    model, ids = scaled(name), torch.arange(3, 33).reshape(2, 15)
    labels = ids.where(torch.arange(15) > 8, -100)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}
    assert answer_loss(model, inputs).item() == pytest.approx(model(**inputs).loss.item(), rel=1e-5)


def test_a_leak_between_documents_is_found(llama: Any) -> None:
    """A mask that covers the whole row lets the second document read the first."""
    check_isolation(llama, "sdpa")
    plain = llama.forward
    whole = torch.zeros(1, 1, 24, 24) + torch.full((24, 24), float("-inf")).triu(1)
    llama.forward = lambda **named: plain(**named, attention_mask=whole)
    with pytest.raises(PackingLeakError, match=r"'sdpa': changing one moved the other's logits by 0\.\d"):
        check_isolation(llama, "sdpa")


def test_a_broken_model_is_no_proof(llama: Any) -> None:
    llama.lm_head.weight.data.fill_(float("nan"))
    with pytest.raises(PackingLeakError):
        check_isolation(llama, "sdpa")
