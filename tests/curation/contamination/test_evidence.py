"""Numbers, answers and names of a question."""

import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.contamination.evidence import compare_facts, facts_of, final_answer, names_in, numbers_in


def test_numbers_in_digits_and_words() -> None:
    text = "She eats three of 16 eggs, pays $1,000.50 and 007 cents, then .5 more of 3.0 kg"
    assert numbers_in(text) == Counter({"3": 2, "16": 1, "1000.5": 1, "7": 1, "0.5": 1})


@pytest.mark.parametrize(
    ("answer", "final"),
    [
        ("9 * 2 = <<9*2=18>>18 dollars.\n#### 18", "18"),
        ("So the answer is: $1,200.00.", "1200"),
        ("Final answer: Paris", "paris"),
        ("42", "42"),
        ("(B)", "b"),
        ("It takes two steps, first this and then that, as was said before at length, and there is more to come " * 3, ""),
        ("", ""),
        ("####", ""),
        ("first #### 3\nno, #### 4", "4"),
    ],
)
def test_final_answers(answer: str, final: str) -> None:
    assert final_answer(answer) == final


def test_names_do_not_begin_a_sentence() -> None:
    assert names_in("Yesterday Odalys met Bertrand. Then she left for Paris.") == {"odalys", "bertrand", "paris"}


def test_a_sibling_contradicts() -> None:
    one = facts_of("What is 7 times 8 plus 2?", ["58"])
    other = facts_of("What is 7 times 9 plus 4?", ["67"])
    assert compare_facts(one, other).contradicts
    assert not compare_facts(one, one).contradicts


def test_kinds_of_agreement() -> None:
    item = facts_of("Yesterday Odalys gave Bertrand 12 of 40 tulips.", ["#### 28"])
    same = facts_of("Of 40 tulips, Odalys handed twelve to Bertrand.", ["It is 28. #### 28"])
    wrong = facts_of("Of 40 tulips, Odalys handed twelve to Bertrand.", ["#### 30"])
    assert compare_facts(same, item) == (3, False)
    assert compare_facts(wrong, item) == (1, False)
    assert compare_facts(facts_of("Tulips grow.", []), item) == (0, False)


@pytest.mark.parametrize("label", ["yes", "card_arrival", "positive"])
def test_labels_say_nothing(label: str) -> None:
    one = facts_of("Where is my card?", [label])
    assert compare_facts(one, one) == (0, False)


@given(st.text(max_size=200), st.text(max_size=200))
def test_comparing_is_symmetric_and_total(one: str, other: str) -> None:
    first, second = facts_of(one, [other]), facts_of(other, [one])
    assert compare_facts(first, second) == compare_facts(second, first)
    assert 0 <= compare_facts(first, second).num_kinds <= 3


@pytest.mark.parametrize(
    "text", ["1," * 10_000, "9" * 20_000, "A" * 20_000, "answer is " * 2_000, "#### " * 4_000, ". A" * 7_000]
)
def test_hostile_texts_take_little_time(text: str) -> None:
    started = time.process_time()  # what is quadratic takes minutes; how busy the machine is does not count
    compare_facts(facts_of(text, [text]), facts_of(text[1:], [text]))
    assert time.process_time() - started < 60
