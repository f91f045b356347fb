"""BM25 by its formula, with a stable order, and in languages without spaces."""

import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from curation.bm25 import K1, B, Bm25Index, read_terms

words = st.sampled_from(["cat", "dog", "tea", "cup", "sat", "ran", "the"])
texts = st.lists(st.lists(words, max_size=12).map(" ".join), min_size=1, max_size=12)


def formula(passages: list[str], query: str, position: int) -> float:
    """The score of one passage, straight from the definition."""
    tokens = [text.split() for text in passages]
    mean = max(sum(map(len, tokens)) / len(tokens), 1)
    total = 0.0
    for term in query.split():
        df = sum(term in found for found in tokens)
        tf = tokens[position].count(term)
        idf = math.log(1 + (len(tokens) - df + 0.5) / (df + 0.5))
        total += idf * tf * (K1 + 1) / (tf + K1 * (1 - B + B * len(tokens[position]) / mean))
    return total


@hypothesis.given(texts, st.lists(words, max_size=5).map(" ".join))
def test_scores_follow_the_formula(passages: list[str], query: str) -> None:
    scores = Bm25Index(passages).score(query)
    assert np.allclose(scores, [formula(passages, query, at) for at in range(len(passages))], atol=1e-4)


@hypothesis.given(texts, st.lists(words, max_size=5).map(" ".join), st.integers(1, 5))
def test_a_limit_cuts_the_same_order_short(passages: list[str], query: str, limit: int) -> None:
    index = Bm25Index(passages)
    whole = index.rank(query)
    assert index.rank(query, limit=limit) == whole[:limit]
    assert [score for _, score in whole] == sorted((score for _, score in whole), reverse=True)
    assert {at for at, _ in whole} == {at for at, text in enumerate(passages) if set(text.split()) & set(query.split())}


def test_rare_words_count_more() -> None:
    index = Bm25Index(["the cat", "the dog", "the tea", "the ox"])
    assert index.rank("the cat")[0][0] == 0
    assert index.rank("THE CAT") == index.rank("the cat")
    assert index.rank("horse") == []


@pytest.mark.parametrize(("text", "terms"), [("\u6771\u4eac\u90fd", ["\u6771\u4eac", "\u4eac\u90fd"]), ("Don't", ["don", "t"])])
def test_terms(text: str, terms: list[str]) -> None:
    assert read_terms(text) == terms


def test_an_empty_corpus_has_nothing() -> None:
    assert Bm25Index([]).rank("cat") == []
    assert Bm25Index([""]).rank("cat") == []
