"""Measures of diversity, each against a count by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.collapse.diversity import (
    compression_ratio,
    cut_to_words,
    distinct_share,
    find_neighbours,
    tail_coverage,
    words_of,
)

TEXTS = st.lists(st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=8), min_size=2, max_size=12)


def test_words_are_lower_case_and_few() -> None:
    assert words_of("Is it (really) 7?") == ["is", "it", "(", "really", ")", "7", "?"]
    assert len(words_of("word " * 10_000)) == 200


@pytest.mark.parametrize(("size", "share"), [(1, 3 / 6), (2, 3 / 4), (3, 2 / 2), (4, 1.0)])
def test_distinct_shares_are_exact(size: int, share: float) -> None:
    assert distinct_share([["a", "b", "a"], ["a", "b", "c"]], size) == pytest.approx(share)


@given(TEXTS, st.integers(0, 60))
def test_samples_are_cut_to_equal_size(texts: list[list[str]], budget: int) -> None:
    cut = cut_to_words(texts, budget)
    assert sum(map(len, cut)) == min(budget, sum(map(len, texts)))
    assert [word for words in cut for word in words] == [word for words in texts for word in words][:budget]


@given(TEXTS)
def test_neighbours_are_the_nearest_by_jaccard(texts: list[list[str]]) -> None:
    grams = [{*words, *zip(words, words[1:], strict=False)} or {""} for words in texts]
    expected = [
        max(len(mine & other) / len(mine | other) for number, other in enumerate(grams) if number != position)
        for position, mine in enumerate(grams)
    ]
    found = find_neighbours(texts)
    assert found.similarities == pytest.approx(expected)
    assert 1 / len(texts) <= found.vendi + 1e-9
    assert found.vendi <= 1 + 1e-9


def test_the_vendi_score_counts_kinds() -> None:
    kinds = [["a"], ["b"], ["c"], ["d"]]
    assert find_neighbours(kinds).vendi == pytest.approx(1)
    assert find_neighbours(kinds * 5).vendi == pytest.approx(4 / 20)
    assert find_neighbours([["a"]]).vendi == 1


def test_repeated_texts_compress_better() -> None:
    assert compression_ratio([]) == 0
    assert compression_ratio(["the same line"] * 100) > 5 * compression_ratio(
        [f"{number * 7919 % 100_003}" for number in range(100)]
    )


def test_the_tail_is_what_few_texts_hold() -> None:
    seed = [["common", f"rare{number // 2}"] for number in range(40)]
    assert tail_coverage(seed, seed).share == 1
    found = tail_coverage(seed, [["common"]] * 40)
    assert found.share == 0
    assert found.missing[:2] == ("rare0", "rare1")
    assert 0.5 < found.expected <= 1
    assert tail_coverage([["a"]], [["b"]]) == (1.0, 1.0, ())
