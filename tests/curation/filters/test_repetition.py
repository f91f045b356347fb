"""Measures of repetition, each against a count by hand or a slow twin."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.filters.repetition import duplicate_line_share, duplicate_ngram_share, longest_run, loop_repeats
from curation.filters.rule_config import RuleConfig
from curation.filters.rule_table import RULES
from tests.curation.filters.rule_rows import example

WORDS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=24)


def _slow_loops(words: list[str]) -> int:
    best = 1
    for period in range(1, len(words) // 2 + 1):
        repeats = 1
        while words[-period:] == words[len(words) - (repeats + 1) * period : len(words) - repeats * period]:
            repeats += 1
        best = max(best, repeats)
    return best


@given(WORDS)
def test_loops_are_counted_like_by_hand(words: list[str]) -> None:
    assert loop_repeats(words) == _slow_loops(words)


def test_a_loop_of_a_known_length() -> None:
    assert loop_repeats(["so", *["it", "goes", "and"] * 3]) == 3
    assert loop_repeats(["x"] + ["ha"] * 12) == 12
    assert loop_repeats([]) == loop_repeats(["one"]) == 1


@given(WORDS, st.integers(1, 6))
def test_the_share_of_repeated_ngrams_is_exact(words: list[str], size: int) -> None:
    grams = Counter(tuple(words[start : start + size]) for start in range(len(words) - size + 1))
    expected = 1 - len(grams) / grams.total() if grams else 0.0
    assert duplicate_ngram_share(words, size) == pytest.approx(expected)


def test_lines_that_stood_before_count_by_their_characters() -> None:
    assert duplicate_line_share("abcd\nabcd\n\nab\nefgh") == (pytest.approx(4 / 12), 3)
    assert duplicate_line_share("") == (0.0, 0)


@pytest.mark.parametrize(("text", "run"), [("", 0), ("aaa", 0), ("x" * 12 + "y" * 30, 30), ("-" * 90, 0), ("|" + "=" * 90, 0)])
def test_runs_are_measured(text: str, run: int) -> None:
    assert longest_run(text) == run


@given(st.text(alphabet="ab", max_size=80), st.integers(10, 20), st.integers(0, 60))
def test_a_run_longer_than_the_limit_is_always_found(text: str, limit: int, extra: int) -> None:
    config = RuleConfig(max_char_run=limit, off=("length",))
    problem = RULES["repetition"].check(example("What?", text + "c" * extra + text), config)
    found = problem is not None and problem.reason == "char_run"
    assert found == (longest_run(text + "c" * extra + text) > limit)
