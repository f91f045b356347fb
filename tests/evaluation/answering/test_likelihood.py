"""Likelihoods against the definition: one row, no cache, no padding."""

import copy
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import EvaluationError
from evaluation.answering import likelihood
from evaluation.answering.likelihood import Pair, score_pairs, split_pair, split_windows

TOKENS = st.lists(st.integers(3, 59), min_size=1, max_size=9).map(tuple)


def by_definition(model: Any, pair: Pair) -> tuple[float, bool]:
    with torch.inference_mode():
        logits = model(torch.tensor([pair.context + pair.continuation])).logits[0].float()
    wanted = torch.tensor(pair.continuation)
    own = logits[len(pair.context) - 1 : -1]
    values = own.log_softmax(-1).gather(1, wanted[:, None])
    return float(values.sum()), bool((own.argmax(-1) == wanted).all())


@settings(deadline=None, max_examples=25)
@given(
    contexts=st.lists(TOKENS, min_size=1, max_size=4), choices=st.lists(TOKENS, min_size=1, max_size=4), size=st.integers(1, 9)
)
@pytest.mark.parametrize("name", ["tiny_llama", "tiny_mistral"])
def test_scores_are_those_of_the_definition(
    request: pytest.FixtureRequest, name: str, contexts: list[Any], choices: list[Any], size: int
) -> None:
    model = request.getfixturevalue(name)
    pairs = [Pair(context, choice) for context in contexts for choice in choices]
    for pair, score in zip(pairs, score_pairs(model, pairs, pad=0, context_length=64, batch_size=size), strict=True):
        value, is_greedy = by_definition(model, pair)
        assert score.log_likelihood == pytest.approx(value, abs=2e-4)
        assert score.is_greedy == is_greedy


def test_what_greedy_decoding_writes_is_greedy(tiny_llama: Any) -> None:
    context = (5, 9, 17)
    written = tiny_llama.generate(torch.tensor([context]), do_sample=False, max_new_tokens=4, pad_token_id=0)[0, 3:].tolist()
    other = (*written[:3], (written[3] + 1) % 60)
    scores = score_pairs(tiny_llama, [Pair(context, tuple(written)), Pair(context, other)], pad=0, context_length=64)
    assert [score.is_greedy for score in scores] == [True, False]


def test_a_prompt_is_computed_once_for_all_its_choices(tiny_llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = 0
    forward = tiny_llama.forward

    def count(*args: Any, **kwargs: Any) -> Any:
        nonlocal seen
        seen += kwargs["input_ids"].numel()
        return forward(*args, **kwargs)

    count.__signature__ = __import__("inspect").signature(forward)  # type: ignore[attr-defined]
    monkeypatch.setattr(tiny_llama, "forward", count)
    context = tuple(range(10, 50))
    score_pairs(tiny_llama, [Pair(context, (choice, 3)) for choice in range(4, 8)], pad=0, context_length=64)
    assert seen == 1 + 40 + 4, "one token to look at the cache, the prompt, and one token a choice"
    seen = 0
    score_pairs(tiny_llama, [Pair(context, (choice,)) for choice in range(4, 8)], pad=0, context_length=64)
    assert seen == 1 + 40


def test_equal_choices_have_equal_scores_whoever_is_beside_them(tiny_llama: Any) -> None:
    pairs = [Pair((7, 8, 9), (11, 12)), Pair((4,), (5, 6, 7)), Pair((7, 8, 9), (11, 12))]
    first, _, third = score_pairs(tiny_llama, pairs, pad=0, context_length=64, batch_size=1)
    assert first == third


def test_a_prompt_that_is_too_long_loses_its_start_and_that_is_counted(tiny_llama: Any) -> None:
    context = tuple(3 + number % 50 for number in range(40))
    (score,) = score_pairs(tiny_llama, [Pair(context, (5, 6))], pad=0, context_length=16)
    assert score.num_cut == 40 - 15
    assert score.log_likelihood == pytest.approx(by_definition(tiny_llama, Pair(context[-15:], (5, 6)))[0], abs=2e-4)
    with pytest.raises(EvaluationError, match="17 tokens, and the model reads 16"):
        score_pairs(tiny_llama, [Pair((1,), (5,) * 17)], pad=0, context_length=16)
    with pytest.raises(EvaluationError, match="nothing to the tokenizer"):
        score_pairs(tiny_llama, [Pair((1,), ())], pad=0, context_length=16)


def test_logits_are_held_in_parts(tiny_llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [Pair((7, 8, 9), (11, 12, 13, number)) for number in range(3, 9)]
    whole = score_pairs(tiny_llama, pairs, pad=0, context_length=64)
    monkeypatch.setattr(likelihood, "MAX_LOGITS", 1)
    assert [score.log_likelihood for score in score_pairs(tiny_llama, pairs, pad=0, context_length=64)] == pytest.approx(
        [score.log_likelihood for score in whole], abs=1e-4
    )


def test_memory_that_runs_out_halves_the_batch(tiny_llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = likelihood._score_sharing
    sizes = []

    def small(model: Any, batch: list[Pair], pad: int) -> Any:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return real(model, batch, pad)

    monkeypatch.setattr(likelihood, "_score_sharing", small)
    pairs = [Pair((number,), (number + 1, 4)) for number in range(3, 11)]
    done: list[int] = []
    scores = score_pairs(tiny_llama, pairs, pad=0, context_length=64, batch_size=8, on_progress=done.append)
    assert sizes == [8, 4, 2, 2, 4, 2, 2]
    assert done == [2, 4, 6, 8]
    assert [round(score.log_likelihood, 3) for score in scores] == [
        round(by_definition(tiny_llama, pair)[0], 3) for pair in pairs
    ]


def test_bfloat16_is_read_in_float32(tiny_llama: Any) -> None:
    model = copy.deepcopy(tiny_llama).bfloat16()
    pairs = [Pair((7, 8, 9, 10), (11, 12)), Pair((4,), (5, 6, 7))]
    for pair, score in zip(pairs, score_pairs(model, pairs, pad=0, context_length=64), strict=True):
        assert score.log_likelihood == pytest.approx(by_definition(model, pair)[0], abs=0.15)


def test_what_is_not_a_number_is_named(tiny_llama: Any) -> None:
    model = copy.deepcopy(tiny_llama)
    with torch.no_grad():
        model.lm_head.weight[4] = math.nan
    with pytest.raises(EvaluationError, match="not numbers"):
        score_pairs(model, [Pair((7,), (8, 9))], pad=0, context_length=64)


@given(length=st.integers(0, 60), context_length=st.integers(1, 12))
def test_windows_predict_each_token_once(length: int, context_length: int) -> None:
    tokens = list(range(100, 100 + length))
    pairs = split_windows(tokens, prefix_token=1, context_length=context_length)
    assert [token for pair in pairs for token in pair.continuation] == tokens
    whole = [1, *tokens]
    start = 0
    for pair in pairs:
        assert len(pair.context) >= 1
        assert len(pair.context) + len(pair.continuation) - 1 <= context_length
        assert list(pair.context) == whole[start + 1 - len(pair.context) : start + 1]
        start += len(pair.continuation)
    if len(pairs) > 1:
        assert len(pairs[-1].context) + len(pairs[-1].continuation) - 1 == context_length, "the last one looks back"


def test_prompt_and_choice_are_tokenized_together() -> None:
    words = {"ab": 1, "a": 2, "b": 3, " ": 4, " b": 5, "c": 6}

    def tokenize(text: str, special: bool) -> list[int]:
        tokens = [0] if special else []
        while text:
            word = next(word for word in sorted(words, key=lambda word: -len(word)) if text.startswith(word))
            tokens.append(words[word])
            text = text[len(word) :]
        return tokens

    assert split_pair(tokenize, "a", " b", prefix_token=9) == Pair((0, 2), (5,))
    assert split_pair(tokenize, "a ", "b", prefix_token=9) == Pair((0, 2), (5,)), "the space belongs to the choice"
    assert split_pair(tokenize, "c", "ab", prefix_token=9) == Pair((0, 6), (1,))
    assert split_pair(tokenize, "a", "b", prefix_token=9) == Pair((0, 2), (3,)), "they merge: the choice by itself"
    assert split_pair(tokenize, "", "ab", prefix_token=9) == Pair((9,), (1,))
    with pytest.raises(EvaluationError, match="nothing to the tokenizer"):
        split_pair(tokenize, "a", "", prefix_token=9)
