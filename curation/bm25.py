"""BM25 over passages: the passages that share the rarest words with a question come first.

    index = Bm25Index(["The cat sat.", "The dog sat.", "A cat and a dog."])
    index.rank("cat")                        [(0, 0.63...), (2, 0.52...)]: position and score, best first

Okapi BM25 (Robertson and Zaragoza 2009, "The probabilistic relevance framework: BM25 and beyond") with the idf of Lucene,
which is never negative. The weight of each word in each passage is computed once, so that a query only adds up. Words are
folded by case; Chinese, Japanese and Korean, which have no spaces, are read in pairs of characters.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

K1 = 1.2
B = 0.75
_WORD = re.compile(r"\w+")
_CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")

Array = np.ndarray[Any, np.dtype[Any]]


def read_terms(text: str) -> list[str]:
    """Return the terms of a text, in order."""
    words = _WORD.findall(text.casefold())
    if text.isascii() or not _CJK.search(text):
        return words
    return [term for word in words for term in (_pairs(word) if _CJK.search(word) else [word])]


def _pairs(word: str) -> list[str]:
    return [word[at : at + 2] for at in range(len(word) - 1)] or [word]


class Bm25Index:
    """An index of passages, held in memory: 8 bytes for each distinct word of each passage."""

    def __init__(self, texts: Iterable[str], *, k1: float = K1, b: float = B) -> None:
        self._numbers: dict[str, int] = {}
        terms, passages, counts, lengths = self._count(texts)
        self.num_passages = len(lengths)
        order = np.argsort(terms, kind="stable")
        frequencies = np.bincount(terms, minlength=len(self._numbers))
        self._offsets = np.concatenate(([0], np.cumsum(frequencies)))
        idf = np.log1p((self.num_passages - frequencies + 0.5) / (frequencies + 0.5))
        mean = max(float(lengths.mean()), 1.0) if len(lengths) else 1.0
        norms = k1 * (1 - b + b * lengths[passages] / mean)
        self._passages = passages[order].astype(np.int32)
        self._weights = (idf[terms] * counts * (k1 + 1) / (counts + norms))[order].astype(np.float32)

    def _count(self, texts: Iterable[str]) -> tuple[Array, Array, Array, Array]:
        """Return (postings,) term numbers, passage numbers and counts, and (passages,) lengths in terms."""
        terms: list[int] = []
        passages: list[int] = []
        counts: list[int] = []
        lengths: list[int] = []
        for number, text in enumerate(texts):
            found = read_terms(text)
            counted = Counter(found)
            terms.extend(self._numbers.setdefault(term, len(self._numbers)) for term in counted)
            passages.extend([number] * len(counted))
            counts.extend(counted.values())
            lengths.append(len(found))
        return tuple(np.array(values, dtype=np.int64) for values in (terms, passages, counts, lengths))  # type: ignore[return-value]

    def score(self, query: str) -> Array:
        """Return float32 (passages,): the score of every passage, 0 where it shares no word with the query."""
        scores = np.zeros(self.num_passages, dtype=np.float32)
        for term, times in sorted(Counter(read_terms(query)).items()):
            number = self._numbers.get(term)
            if number is not None:
                begin, end = self._offsets[number], self._offsets[number + 1]
                scores[self._passages[begin:end]] += self._weights[begin:end] * times
        return scores

    def rank(self, query: str, *, limit: int | None = None) -> list[tuple[int, float]]:
        """Return the passages that share a word with the query, best first; equal scores in the order of the passages."""
        scores = self.score(query)
        found = np.flatnonzero(scores > 0)
        if limit is not None and limit < len(found):
            least = np.partition(scores[found], len(found) - limit)[len(found) - limit]
            found = np.flatnonzero((scores >= least) & (scores > 0))
        ordered = found[np.argsort(-scores[found], kind="stable")][:limit]
        return list(zip(ordered.tolist(), scores[ordered].tolist(), strict=True))
