"""Words and runs as hashes: the same as counting them in plain Python."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.contamination.word_hashes import fold, hash_ngrams, hash_texts, hash_words, words_of

TEXTS = st.lists(st.text(alphabet="ab A1,.-_\0\n\u00e9\u4f60\u597d\u200b\ud800\uff21", max_size=30), max_size=8)


@given(TEXTS)
def test_words_are_those_of_the_plain_reading(texts: list[str]) -> None:
    words = hash_words(texts)
    plain = [words_of(text) for text in texts]
    assert np.diff(words.starts).tolist() == [len(found) for found in plain]
    known: dict[str, int] = {}
    for word, hashed in zip([word for found in plain for word in found], words.hashes.tolist(), strict=True):
        assert known.setdefault(word, hashed) == hashed
    assert len(set(known.values())) == len(known)


@given(TEXTS, st.integers(1, 6))
def test_runs_stay_inside_their_text(texts: list[str], size: int) -> None:
    places, hashes = hash_ngrams(hash_words(texts), size)
    plain = [words_of(text) for text in texts]
    runs = [tuple(found[start : start + size]) for found in plain for start in range(len(found) - size + 1)]
    assert len(places) == len(runs)
    assert len(set(hashes.tolist())) == len(set(runs))
    known: dict[tuple[str, ...], int] = {}
    assert all(known.setdefault(run, hashed) == hashed for run, hashed in zip(runs, hashes.tolist(), strict=True))


@given(TEXTS)
def test_a_text_hash_is_that_of_its_words(texts: list[str]) -> None:
    hashes = hash_texts(hash_words(texts)).tolist()
    known: dict[tuple[str, ...], int] = {}
    for text, hashed in zip(texts, hashes, strict=True):
        assert known.setdefault(tuple(words_of(text)), hashed) == hashed
        assert (hashed == 0) == (not words_of(text))
    assert len(set(known.values())) == len(known)


@given(TEXTS, st.text(alphabet="ab c", max_size=20))
def test_neighbours_do_not_change_a_text(texts: list[str], text: str) -> None:
    alone = hash_texts(hash_words([text]))[0]
    assert hash_texts(hash_words([*texts, text]))[-1] == alone
    assert hash_texts(hash_words([text, *texts]))[0] == alone


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I SORT?", "how do i sort"),
        ("\uff21\uff22\uff23 rows", "abc rows"),
        ("so\u200brt the li\u00adst", "sort the list"),
        ("stra\u00dfe", "STRASSE"),
        ("snake_case", "snake case"),
        ("tab\tand\nline", "tab and line"),
    ],
)
def test_spellings_of_one_text(one: str, other: str) -> None:
    first, second = hash_texts(hash_words([one, other])).tolist()
    assert first == second


def test_scripts_without_spaces_are_cut_into_characters() -> None:
    assert words_of("\u4f60\u597d world") == ["\u4f60", "\u597d", "world"]


def test_numbers_of_words_are_no_words() -> None:
    first, second = hash_texts(hash_words(["a b", "b a"])).tolist()
    assert first != second
    assert hash_words([]).starts.tolist() == [0]


def test_long_and_hostile_texts_take_linear_time() -> None:
    started = time.perf_counter()
    hash_ngrams(hash_words(["a" * 3_000_000, "\u200b" * 500_000, " _" * 500_000, "a b " * 500_000]), 8)
    fold("\u00e9 _" * 200_000)
    assert time.perf_counter() - started < 60
