"""Near duplicates agree with comparing every pair, and siblings are told apart."""

import functools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.filters.near_duplicates import Candidate, find_near_duplicates
from curation.filters.siblings import sibling_signature


@functools.cache
def _grams(text: str) -> frozenset[str]:
    text = text.ljust(5)
    return frozenset(text[start : start + 5] for start in range(len(text) - 4))


def _jaccard(one: str, two: str) -> float:
    return len(_grams(one) & _grams(two)) / len(_grams(one) | _grams(two))


def _find(texts: list[str], threshold: float) -> dict[int, int]:
    found = find_near_duplicates([Candidate(text, ("all",), ("all",)) for text in texts], threshold)
    return {position: match.of for position, match in found.items()}


def _brute_force(texts: list[str], threshold: float) -> dict[int, int]:
    kept: list[int] = []
    found: dict[int, int] = {}
    for position, text in enumerate(texts):
        rival = next((at for at in kept if _jaccard(texts[at], text) >= threshold), None)
        if rival is None:
            kept.append(position)
        else:
            found[position] = rival
    return found


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9])
def test_the_result_is_that_of_comparing_every_pair(threshold: float) -> None:
    choose = random.Random(7)
    words = ["".join(choose.choices("abcdefgh", k=5)) for _ in range(60)]
    texts = []
    for _ in range(150):
        row = choose.choices(words, k=12)
        texts.append(" ".join(row))
        for _ in range(choose.randrange(3)):
            row[choose.randrange(12)] = choose.choice(words)
            texts.append(" ".join(row))
    expected = _brute_force(texts, threshold)
    assert len(expected) > 5
    assert _find(texts, threshold) == expected


def test_the_similarity_is_the_exact_jaccard() -> None:
    one, two = "how do i sort the rows of a frame?", "how do i sort the rows of a frame"
    found = find_near_duplicates([Candidate(text, ("x",), ("x",)) for text in (one, two)], 0.8)
    assert found[1].similarity == pytest.approx(_jaccard(one, two))


def test_only_matching_labels_are_compared() -> None:
    first = Candidate("the same text here", ("a",), ("a",))
    assert find_near_duplicates([first, Candidate("the same text here", ("b",), ("b",))], 0.9) == {}
    assert 1 in find_near_duplicates([first, Candidate("the same text here", ("b",), ("a",))], 0.9)


def test_a_threshold_of_one_and_short_lists_drop_nothing() -> None:
    assert _find(["a", "a"], 1.0) == {}
    assert _find([], 0.9) == {}
    assert _find(["", "", "ab"], 0.9) == {1: 0}


@given(st.text())
def test_any_text_equals_itself(text: str) -> None:
    assert _find([text, text], 0.9) == {1: 0}


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("What is 7 times 8?", "What is 8 times 7?"),
        ("Which rows are null?", "Which rows are not null?"),
        ("Can I sort?", "Can't I sort?"),
        ("What does `head` do?", "What does `tail` do?"),
        ("What does read_csv do?", "What does read_ipc do?"),
        ("What does Expr.str do?", "What does Expr.dt do?"),
        ("What does groupBy do?", "What does orderBy do?"),
        ("What does head() do?", "What does tail() do?"),
        ('Rename "a" to b', 'Rename "c" to b'),
        ("Write CSV files", "Write IPC files"),
    ],
)
def test_siblings_differ(one: str, two: str) -> None:
    assert sibling_signature(one) != sibling_signature(two)


def test_rephrasings_are_no_siblings() -> None:
    assert sibling_signature("How do I sort the rows?") == sibling_signature("how can I sort rows, please")
