"""Near duplicates agree with comparing every pair, earlier texts win, and only what may meet meets."""

import functools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.duplicates.near_duplicates import Candidate, find_near_duplicates, resolve
from curation.duplicates.near_pairs import find_near_classes


@functools.cache
def _grams(text: str) -> frozenset[str]:
    text = text.ljust(5)
    return frozenset(text[start : start + 5] for start in range(len(text) - 4))


def _jaccard(one: str, two: str) -> float:
    return len(_grams(one) & _grams(two)) / len(_grams(one) | _grams(two))


def _find(texts: list[str], threshold: float) -> dict[int, int]:
    found = find_near_duplicates([Candidate(text, ("all",), ("all",)) for text in texts], threshold, guard=False)
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


def test_no_chain_joins_what_is_far_apart() -> None:
    words = [f"{letter}{letter}{letter}{letter}{letter}{letter}{letter}" for letter in "abcdefghijklmnopqrst"]
    texts = [" ".join(words[at : at + 12]) for at in range(9)]
    assert _jaccard(texts[0], texts[2]) < 0.75 < _jaccard(texts[0], texts[1])
    assert _find(texts, 0.75) == {1: 0, 3: 2, 5: 4, 7: 6}
    candidates = [Candidate(text, ("all",), ("all",)) for text in texts]
    assert resolve(candidates, find_near_classes(texts, 0.75), guard=False).clusters == [list(range(9))]


def test_short_texts_must_be_more_alike() -> None:
    one, two = "please sort my list by name", "please sort my list by date"
    assert 0.6 < _jaccard(one, two) < 0.8
    pair = [Candidate(text, ("x",), ("x",)) for text in (one, two)]
    assert find_near_duplicates(pair, 0.6) == {}
    assert find_near_duplicates(pair, 0.6, guard=False) != {}


@pytest.mark.parametrize(
    ("scope", "expected"), [("all", {1: 0, 2: 0, 3: 0}), ("within", {1: 0, 3: 2}), ("across", {2: 0, 3: 0})]
)
def test_the_scope_says_which_sources_meet(scope: str, expected: dict) -> None:
    candidates = [Candidate("the same text", ("x",), ("x",), source) for source in ("a", "a", "b", "b")]
    found = resolve(candidates, find_near_classes([item.text for item in candidates], 0.9), scope=scope).found
    assert {position: match.of for position, match in found.items()} == expected
