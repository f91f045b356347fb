"""Signals put whole rows above broken ones, judges above signals, and ask nothing of the order of the rows."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.mix.signals import FAULT_FACTOR, complexity_signals, quality_signals
from tests.curation.mix.conftest import MakeExample

GOOD = "Sort the frame by the column first, then take the first ten rows; ties keep the order that they had before."


@pytest.mark.parametrize(
    "bad",
    [
        "I'm sorry, but I cannot help with that.",
        "As an AI language model, I have no opinion on sorting, frames, columns or rows whatever they are.",
        "Sort the frame \ufffd\ufffd by the column",
        "Why is that so?",
        " ",
        "again and again and again and again and again and again and again and again and again.",
        "Sort the frame by the column first, then take the first ten rows and then you should",
    ],
)
def test_broken_answers_rank_below_a_good_one(make_example: MakeExample, bad: str) -> None:
    good, worse = quality_signals([make_example("a", "Why is that so?", GOOD), make_example("b", "Why is that so?", bad)])
    assert worse < good - 0.1


def test_a_label_is_no_worse_than_other_labels_of_its_task(make_example: MakeExample) -> None:
    rows = [make_example(f"a{n}", f"Where does request {n} go?", "cards", task="routing") for n in range(20)]
    assert min(quality_signals(rows)) > 0.95
    assert min(quality_signals([*rows, *(make_example(f"b{n}", "Explain it.", GOOD * 5) for n in range(20))])[:20]) > 0.95


def test_votes_of_judges_replace_the_signals(make_example: MakeExample) -> None:
    rows = [make_example("a", answer=GOOD, votes=(0.1, 0.3)), make_example("b", answer=" ", votes=(1.0,)), make_example("c")]
    assert list(quality_signals(rows)[:2]) == pytest.approx([0.2, 1.0])
    of_ten = quality_signals([make_example("a", votes=(8.0,)), make_example("b", votes=(10.0, 5.0))])
    assert list(of_ten) == pytest.approx([0.8, 0.75])


def test_model_made_rows_without_a_source_are_less_grounded(make_example: MakeExample) -> None:
    human, synthetic = quality_signals([make_example("a", answer=GOOD), make_example("b", answer=GOOD, origin="synthetic")])
    assert human > synthetic > FAULT_FACTOR


def test_instructions_with_more_to_heed_are_more_complex(make_example: MakeExample) -> None:
    long = "Explain the plan in exactly three steps:\n1. first the join\n2. then the filter\n3. finally the sort. Avoid jargon."
    simple, middle, hard = complexity_signals(
        [make_example("a", "Say hello."), make_example("b", "Compare a join and a filter, why?"), make_example("c", long)]
    )
    assert simple < middle < hard


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.text(max_size=60), st.text(max_size=200)), min_size=1, max_size=12), st.randoms(use_true_random=False)
)
def test_signals_lie_in_0_to_1_for_any_text_and_in_any_order(
    make_example: MakeExample, texts: list[tuple[str, str]], chance: random.Random
) -> None:
    rows = [make_example(str(n), *pair) for n, pair in enumerate(texts)]
    shuffled = chance.sample(rows, len(rows))
    for signals in (quality_signals, complexity_signals):
        values = dict(zip((row.key for row in rows), signals(rows), strict=True))
        assert all(0 <= value <= 1 for value in values.values())
        assert dict(zip((row.key for row in shuffled), signals(shuffled), strict=True)) == values


def test_lone_surrogates_do_not_stop_it(make_example: MakeExample) -> None:
    assert len(quality_signals([make_example("a", "\ud800", "\udfff")])) == 1
    assert quality_signals([]).shape == complexity_signals([]).shape == (0,)
