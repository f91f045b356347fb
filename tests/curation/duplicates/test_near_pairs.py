"""The engine: sampling finds what comparing every pair finds, and templates and crowds cost little."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.duplicates import near_pairs, small_sets
from curation.duplicates.folding import fold_text, fold_texts
from curation.duplicates.near_pairs import compare_sampled, find_near_classes, find_near_pairs
from curation.duplicates.small_sets import compare_all


def _words(choose: random.Random, number: int) -> list[str]:
    return ["".join(choose.choices("abcdefghijklmnop", k=choose.randrange(3, 9))) for _ in range(number)]


def _edited_rows(number: int, length: int, seed: int = 3) -> list[str]:
    choose = random.Random(seed)
    words = _words(choose, 500)
    rows = []
    for _ in range(number):
        row = choose.choices(words, k=length)
        rows.append(" ".join(row))
        if choose.random() < 0.5:
            row[choose.randrange(length)] = choose.choice(words)
            rows.append(" ".join(row).upper())
    return rows


def test_texts_are_folded_and_numbered() -> None:
    folded = fold_texts(["How  do I\tsort? ", "", "how do i sort?", "Stra\u00dfe\n", "STRASSE"])
    assert folded.class_of.tolist() == [0, 1, 0, 2, 2]
    assert folded.firsts.tolist() == [0, 1, 3]
    texts = [
        "".join(map(chr, folded.codes[start:end])) for start, end in zip(folded.offsets[:-1], folded.offsets[1:], strict=True)
    ]
    assert texts == ["how do i sort?", "     ", "strasse"]


@given(st.lists(st.text(st.characters(), max_size=9), max_size=6))
def test_any_characters_survive_folding(texts: list[str]) -> None:
    texts = [*texts, "\ud800", "\x00", "\u202e"]
    folded = fold_texts(texts)
    for text, group in zip(texts, folded.class_of, strict=True):
        codes = folded.codes[folded.offsets[group] : folded.offsets[group + 1]]
        assert "".join(map(chr, codes)) == fold_text(text).ljust(5)


@pytest.mark.parametrize(
    ("threshold", "length"),
    [
        pytest.param(0.5, 12, marks=pytest.mark.slow),
        pytest.param(0.6, 20, marks=pytest.mark.slow),
        (0.7, 12),
        (0.8, 16),
        (0.9, 30),
    ],
)
def test_sampling_finds_what_comparing_every_pair_finds(threshold: float, length: int) -> None:
    folded = fold_texts(_edited_rows(300, length))
    expected = {(left, right): value for left, right, value in zip(*compare_all(folded, threshold), strict=True)}
    found = {(left, right): value for left, right, value in zip(*compare_sampled(folded, threshold, 2), strict=True)}
    assert len(expected) > 20
    assert found.items() <= expected.items()
    assert len(found) >= 0.98 * len(expected)


def test_the_number_of_threads_changes_nothing() -> None:
    folded = fold_texts(_edited_rows(200, 20))
    one, three = compare_sampled(folded, 0.6, 1), compare_sampled(folded, 0.6, 3)
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(one, three, strict=True))


@pytest.mark.parametrize("texts", [["", "a"], ["ab", "abc", "abcd", "abcdefgh"], ["\ud83d\ude00" * 9, "\ud83d\ude00" * 8]])
def test_tiny_texts_do_not_trouble_the_sampler(texts: list[str]) -> None:
    folded = fold_texts(texts)
    assert {*zip(*map(np.ndarray.tolist, compare_sampled(folded, 0.5)), strict=True)} <= {
        *zip(*map(np.ndarray.tolist, compare_all(folded, 0.5)), strict=True)
    }


def test_templates_make_no_pairs_but_their_copies_do() -> None:
    choose = random.Random(1)
    words = _words(choose, 5000)
    frame = "You are given a report about {}. Summarise the report for the board and say where {} matters most of all."
    rows = [frame.format(" ".join(choose.choices(words, k=6)), " ".join(choose.choices(words, k=6))) for _ in range(2500)]
    copies = [f"Please help me. {row.upper()}" for row in rows[::50]]
    pairs = find_near_pairs([*rows, *copies], 0.7)
    assert [*zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)] == [(50 * at, 2500 + at) for at in range(50)]


def test_a_crowd_of_copies_is_seen_though_its_words_are_frequent() -> None:
    choose = random.Random(2)
    words = _words(choose, 3000)
    text = choose.choices(words, k=30)
    crowd = [" ".join([*text[:at], choose.choice(words), *text[at + 1 :]]) for at in choose.choices(range(30), k=400)]
    others = [" ".join(choose.choices(words, k=30)) for _ in range(2000)]
    pairs = find_near_pairs([*others, *crowd], 0.7)
    assert set(pairs.left) | set(pairs.right) >= {*range(2000, 2400)}
    assert pairs.left.min() == 2000


def test_equal_texts_are_paired_with_the_first() -> None:
    pairs = find_near_pairs(
        ["Sort my rows, please", "sort  my rows, please", "x", "Sort my rows, please!", "SORT MY ROWS, PLEASE"], 0.8
    )
    assert [*zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)] == [(0, 1), (0, 3), (0, 4)]
    assert pairs.similarity[[0, 2]].tolist() == [1.0, 1.0]
    assert pairs.similarity[1] < 1


@pytest.mark.parametrize("threshold", [0.49, 1.01, float("nan")])
def test_thresholds_without_sense_are_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match=r"\[0.5, 1\]"):
        find_near_classes(["a", "b"], threshold)


def test_large_sets_are_sampled_and_small_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[str] = []
    monkeypatch.setattr(near_pairs, "compare_all", lambda *_: used.append("all") or compare_all(*_))
    monkeypatch.setattr(near_pairs, "compare_sampled", lambda *_: used.append("sampled") or compare_sampled(*_))
    find_near_pairs(["a", "b"], 0.8)
    find_near_pairs([f"text {number}" for number in range(small_sets.MAX_TEXTS + 1)], 0.8)
    find_near_pairs(["a" * small_sets.MAX_CHARS, "b"], 0.8)
    assert used == ["all", "sampled", "sampled"]


def test_hostile_texts_stay_cheap() -> None:
    texts = ["\x00" * 200_000, "ab" * 100_000, *(f"{number} " * 40 for number in range(3000)), *["same words again"] * 500]
    pairs = find_near_pairs(texts, 0.8)
    assert len(pairs.left) >= 499
