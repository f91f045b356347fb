"""Continuous batching writes what each prompt gets by itself."""

import copy
import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import EvaluationError
from evaluation.answering.batches import BatchWriter
from evaluation.answering.continuous import Ask, Writer, Written

STOP = frozenset(range(3, 12))
PROMPTS = st.lists(st.lists(st.integers(3, 59), min_size=1, max_size=9).map(tuple), min_size=1, max_size=9)


def alone(model: Any, tokens: Sequence[int], limit: int) -> tuple[int, ...]:
    """Return what greedy decoding writes, computed anew for each token."""
    written: list[int] = []
    with torch.inference_mode():
        while len(written) < limit:
            token = int(model(torch.tensor([[*tokens, *written]])).logits[0, -1].argmax())
            if token in STOP:
                break
            written.append(token)
    return tuple(written)


def write(writer: Any, asks: Sequence[Ask]) -> list[Written]:
    found = {written.index: written for written in writer.write(asks)}
    assert len(found) == len(asks)
    return [found[ask.index] for ask in asks]


@settings(deadline=None, max_examples=12)
@given(prompts=PROMPTS, slots=st.integers(1, 5), limit=st.integers(1, 12))
def test_answers_do_not_depend_on_the_company(tiny_llama: Any, prompts: list[Any], slots: int, limit: int) -> None:
    asks = [Ask(index, tokens, limit) for index, tokens in enumerate(prompts)]
    for ask, written in zip(asks, write(Writer(tiny_llama, stop_tokens=STOP, pad=0, slots=slots), asks), strict=True):
        assert written.tokens == alone(tiny_llama, ask.tokens, limit)
        assert written.has_ended == (len(written.tokens) < limit or written.has_ended)
        assert written.seconds >= 0


def test_models_with_another_cache_write_the_same_in_batches(tiny_mistral: Any, tiny_llama: Any) -> None:
    asks = [Ask(number, tuple(range(12, 14 + number * 2)), 5 + number % 2) for number in range(7)]
    for model in (tiny_mistral, tiny_llama):
        writer = BatchWriter(model, stop_tokens=STOP, pad=0, slots=3)
        for ask, written in zip(asks, write(writer, asks), strict=True):
            assert written.tokens == alone(model, ask.tokens, ask.max_new_tokens)


def log_probability(model: Any, tokens: Sequence[int], written: Written) -> float:
    """Return how likely a model finds what was written, in one pass; where a stop token ended it, the likeliest is that."""
    given = (*tokens, *written.tokens)
    with torch.inference_mode():
        rows = model(torch.tensor([given])).logits[0].float().log_softmax(dim=-1)
    ended = [float(rows[-1].max())] if written.has_ended else []
    return sum([float(rows[len(tokens) - 1 + at, token]) for at, token in enumerate(written.tokens)] + ended)


@pytest.mark.parametrize("kind", [Writer, BatchWriter])
def test_each_answer_knows_how_likely_its_tokens_were(tiny_llama: Any, kind: Any) -> None:
    asks = [Ask(number, tuple(range(12, 14 + number * 2)), 3 + 4 * (number % 3)) for number in range(9)]
    found = write(kind(tiny_llama, stop_tokens=STOP, pad=0, slots=3), asks)
    assert {written.has_ended for written in found} == {True, False}
    for ask, written in zip(asks, found, strict=True):
        assert written.log_probability == pytest.approx(log_probability(tiny_llama, ask.tokens, written), abs=1e-3)


def test_a_free_place_is_taken_at_once(tiny_llama: Any) -> None:
    asks = [Ask(number, (20 + number, 30), 40 if number == 0 else 2) for number in range(20)]
    writer = Writer(tiny_llama, stop_tokens=frozenset(), pad=0, slots=2)
    write(writer, asks)
    assert writer.num_row_steps == 40 + 19 * 2, "a row costs its own tokens only"
    assert writer.num_steps <= 40 + 21, "and the others pass by beside the long one"


def test_text_ends_an_answer(tiny_llama: Any) -> None:
    ask = Ask(0, (20, 30), 10)
    (whole,) = write(Writer(tiny_llama, stop_tokens=frozenset(), pad=0, slots=1), [ask])
    third = whole.tokens[2]
    writer = Writer(tiny_llama, stop_tokens=frozenset(), pad=0, slots=1, is_over=lambda tokens: tokens[-1] == third)
    (written,) = write(writer, [ask])
    assert written.tokens == whole.tokens[: whole.tokens.index(third) + 1]
    assert not written.has_ended


def test_nothing_is_written_where_nothing_may_be(tiny_llama: Any) -> None:
    for writer in (Writer, BatchWriter):
        asks = [Ask(0, (20,), 0), Ask(1, (20,), 1)]
        first, second = write(writer(tiny_llama, stop_tokens=frozenset(), pad=0, slots=4), asks)
        assert (first.tokens, len(second.tokens)) == ((), 1)
        assert write(writer(tiny_llama, stop_tokens=STOP, pad=0, slots=4), []) == []


def test_memory_that_runs_out_costs_places_and_no_finished_answer(tiny_llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asks = [Ask(number, (20 + number, 30), 2 + number) for number in range(8)]
    forward = tiny_llama.forward
    sizes = []

    def tight(*args: Any, **kwargs: Any) -> Any:
        sizes.append(len(kwargs["input_ids"]))
        if len(kwargs["input_ids"]) > 3:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return forward(*args, **kwargs)

    monkeypatch.setattr(tiny_llama, "forward", tight)
    writer = Writer(tiny_llama, stop_tokens=frozenset(), pad=0, slots=8)
    assert [len(written.tokens) for written in write(writer, asks)] == [2 + number for number in range(8)]
    assert writer.slots == 2
    monkeypatch.setattr(tiny_llama, "forward", lambda **_: (_ for _ in ()).throw(torch.cuda.OutOfMemoryError("none")))
    with pytest.raises(EvaluationError, match="does not fit into GPU memory with one prompt"):
        write(Writer(tiny_llama, stop_tokens=STOP, pad=0, slots=4), asks)


def test_what_is_not_a_number_is_named(tiny_llama: Any) -> None:
    model = copy.deepcopy(tiny_llama)
    with torch.no_grad():
        model.lm_head.weight[4] = math.nan
    for writer in (Writer, BatchWriter):
        with pytest.raises(EvaluationError, match="not numbers"):
            write(writer(model, stop_tokens=STOP, pad=0, slots=2), [Ask(0, (20,), 3)])
