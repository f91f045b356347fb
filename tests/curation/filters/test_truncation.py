"""Answers that stop too early, seen in the answer itself or beside the rest of its slice."""

import random

from hypothesis import given
from hypothesis import strategies as st

from curation.filters.rule_config import RuleConfig
from curation.filters.rule_table import check_rows, find_problem, find_problems
from curation.filters.truncation import MIN_SLICE_ROWS, profile_corpus
from tests.curation.filters.rule_rows import example

SENTENCE = "The lid opens to the left once the small screw beside the hinge has been taken out with care"
CONFIG = RuleConfig()


def _corpus(num_rows: int, end: str) -> list:
    return [example("How does it open?", f"{SENTENCE} {number}{end}", key=f"faq/{number}") for number in range(num_rows)]


def test_an_answer_that_ends_unlike_all_others_of_its_slice_is_cut() -> None:
    rows = _corpus(MIN_SLICE_ROWS + 50, ".")
    cut = example("How does it open?", SENTENCE, key="faq/cut")
    profile = profile_corpus([*rows, cut])
    problem = find_problem(cut, CONFIG, profile)
    assert problem is not None
    assert problem.reason == "truncated_answer"
    assert find_problems(cut, CONFIG, profile) == [problem]
    assert find_problem(cut, CONFIG) is None
    assert find_problem(cut, RuleConfig(off=("truncated_answer",)), profile) is None
    assert check_rows([*rows, cut], CONFIG, profile) == [None] * len(rows) + [problem]


def test_small_slices_and_slices_without_full_stops_prove_nothing() -> None:
    cut = example("How does it open?", SENTENCE, key="faq/cut")
    assert find_problem(cut, CONFIG, profile_corpus(_corpus(MIN_SLICE_ROWS - 1, "."))) is None
    assert find_problem(cut, CONFIG, profile_corpus([*_corpus(300, "."), *_corpus(10, "")])) is None
    elsewhere = example("How does it open?", SENTENCE, key="other/cut")
    assert find_problem(elsewhere, CONFIG, profile_corpus(_corpus(300, "."))) is None


@given(st.randoms(use_true_random=False))
def test_the_profile_does_not_depend_on_order(rng: random.Random) -> None:
    rows = [*_corpus(20, "."), *_corpus(5, ""), example("a", "b", key="other/1")]
    shuffled = list(rows)
    rng.shuffle(shuffled)
    assert profile_corpus(shuffled) == profile_corpus(rows)
