"""Two answers that share a computed prompt get the probabilities that they get apart."""

import random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.kernels.shared_prefix import answer_log_probs, pack_pairs, prefix_mask, sigmoid_loss

VOCABULARY = 97
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))


def draw(sizes: list[tuple[int, int, int]]) -> Any:
    rng = random.Random(0)
    return [tuple([rng.randrange(VOCABULARY) for _ in range(size)] for size in three) for three in sizes]


def apart(model: Any, pairs: Any) -> Any:
    sums = []
    for part in (1, 2):
        for pair in pairs:
            ids = torch.tensor([*pair[0], *pair[part]])
            logits = model(input_ids=ids[None], use_cache=False).logits[0, len(pair[0]) - 1 : -1]
            sums.append(logits.log_softmax(-1).gather(1, ids[len(pair[0]) :, None]).sum())
    return torch.stack(sums).view(2, -1)


def test_probabilities_and_gradients_are_those_of_answers_apart(llama: Any) -> None:
    pairs = draw([(7, 3, 5), (1, 4, 1), (12, 1, 9)])
    weights = list(llama.parameters())
    signs = torch.tensor([[1.0, -2.0, 0.5], [-1.0, 0.3, 0.7]])
    expected, given = apart(llama, pairs), answer_log_probs(llama, pack_pairs(pairs))
    torch.testing.assert_close(given, expected)
    one = torch.autograd.grad((given * signs).sum(), weights)
    two = torch.autograd.grad((expected * signs).sum(), weights)
    for first, second in zip(one, two, strict=True):
        torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-3)


@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(SIZES, min_size=1, max_size=4))
def test_a_token_sees_its_prompt_and_its_own_answer_only(sizes: list[tuple[int, int, int]]) -> None:
    pairs = draw(sizes)
    pack = pack_pairs(pairs)
    seen = (prefix_mask(pack, torch.float32)[0, 0] == 0).sum(1).tolist()
    positions = pack["position_ids"][0].tolist()
    assert seen == [position + 1 for position in positions]
    assert len(positions) == sum(map(sum, sizes))
    assert sorted(pack["targets"].tolist()) == sorted(token for pair in pairs for part in (1, 2) for token in pair[part])


def test_a_pack_of_one_is_a_pack_of_many(llama: Any) -> None:
    pairs = draw([(7, 3, 5), (4, 4, 2)])
    alone = torch.cat([answer_log_probs(llama, pack_pairs([pair])) for pair in pairs], 1)
    torch.testing.assert_close(answer_log_probs(llama, pack_pairs(pairs)), alone)


def test_the_loss_at_the_reference_is_log_two() -> None:
    log_probs = torch.tensor([[-3.0, -1.0], [-2.0, -5.0]])
    loss, margin = sigmoid_loss(log_probs, log_probs, beta=0.1)
    assert loss.item() == pytest.approx(0.6931472)
    assert margin.tolist() == [0, 0]


def test_a_better_chosen_answer_lowers_the_loss() -> None:
    reference = torch.zeros(2, 1)
    loss, margin = sigmoid_loss(torch.tensor([[2.0], [-1.0]]), reference, beta=0.5)
    assert margin.item() == pytest.approx(1.5)
    assert loss.item() == pytest.approx(0.2014133)
