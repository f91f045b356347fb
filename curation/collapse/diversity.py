"""Measures of how different texts are from each other: distinct-n, nearest neighbours, compression, Vendi, tail coverage.

distinct_share([["a", "b"], ["a", "c"]], 1)    0.75

All are deterministic and none depends on the order of the texts but compression, whose callers sort.
"""

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

MAX_WORDS = 200
MAX_TEXT_CHARS = 4_000
MAX_COMPRESSED_BYTES = 1_000_000
MAX_TAIL_ROWS = 5
_WORD = re.compile(r"\w+|[^\w\s]")


class Neighbours(NamedTuple):
    """How alike texts are."""

    similarities: list[float]
    """For each text the Jaccard similarity of its words and word pairs to those of its nearest neighbour."""
    vendi: float
    """Vendi score of order 2 (arXiv 2310.12952) of their cosine similarities, divided by the number of texts.

    1 if all differ, 1 / n if all are one; of order 2 since that needs no eigenvalues.
    """


def words_of(text: str) -> list[str]:
    """Return the words and marks at a text's start, in lower case; at most 200."""
    return [found[0] for found in islice(_WORD.finditer(text[:MAX_TEXT_CHARS].lower()), MAX_WORDS)]


def distinct_share(texts: Sequence[Sequence[str]], size: int) -> float:
    """Return how many of the word n-grams of texts are distinct, as a share; 1 if there are none (arXiv 1510.03055)."""
    seen: set[tuple[str, ...]] = set()
    total = 0
    for words in texts:
        grams = list(zip(*(islice(words, start, None) for start in range(size)), strict=False))
        seen.update(grams)
        total += len(grams)
    return len(seen) / total if total else 1.0


def cut_to_words(texts: Sequence[list[str]], budget: int) -> list[list[str]]:
    """Return the first texts that hold `budget` words together, the last of them cut."""
    kept: list[list[str]] = []
    for words in texts:
        if budget <= 0:
            break
        kept.append(words[:budget])
        budget -= len(words)
    return kept


def compression_ratio(texts: Sequence[str], max_bytes: int = MAX_COMPRESSED_BYTES) -> float:
    """Return how many times smaller zlib makes texts, one a line; 0 for no text."""
    data = "\n".join(texts).encode("utf-8", "surrogatepass")[:max_bytes]
    return len(data) / len(zlib.compress(data, 6)) if data else 0.0


def find_neighbours(texts: Sequence[list[str]]) -> Neighbours:
    """Compare texts, given as words, with each other; memory grows with the square of their number."""
    if len(texts) < 2:
        return Neighbours(similarities=[0.0] * len(texts), vendi=1.0)
    matrix = _gram_matrix(texts)
    shared = np.asarray((matrix @ matrix.T).todense(), dtype=np.float64)
    sizes = np.maximum(shared.diagonal(), 1.0)
    jaccard = shared / (sizes[:, None] + sizes[None, :] - shared)
    cosine = shared / np.sqrt(sizes[:, None] * sizes[None, :])
    np.fill_diagonal(cosine, 1.0)
    np.fill_diagonal(jaccard, 0.0)
    vendi = float(len(texts) / np.square(cosine).sum())
    return Neighbours(similarities=[float(value) for value in jaccard.max(axis=1)], vendi=vendi)


class TailCoverage(NamedTuple):
    """How much of what is rare in one set of texts is still there in another."""

    share: float
    """Share of the rare words that occur."""
    expected: float
    """Share that would occur if both sets were drawn alike."""
    missing: tuple[str, ...]
    """Rare words that do not occur, most frequent first."""


def tail_coverage(seed_texts: Sequence[list[str]], texts: Sequence[list[str]]) -> TailCoverage:
    """Return how many rare words of the seed (in 2 to 5 of its texts) occur in the other texts.

    A finite sample misses some of them by chance: `expected` says how many it would hold, so that the ratio of the two
    is about 1 for healthy data of any size and falls as a model forgets the tail. Words seen a few times are rarer than
    they look, so Good-Turing frequencies take the place of counts.
    """
    counts = Counter(word for words in seed_texts for word in set(words))
    tail = {word: count for word, count in counts.items() if 2 <= count <= MAX_TAIL_ROWS}
    if not tail:
        return TailCoverage(share=1.0, expected=1.0, missing=())
    present = {word for words in texts for word in words}
    adjusted = _good_turing(counts)
    chances = {count: 1 - (1 - adjusted[count] / len(seed_texts)) ** len(texts) for count in set(tail.values())}
    missing = sorted((word for word in tail if word not in present), key=lambda word: (-tail[word], word))
    return TailCoverage(
        share=1 - len(missing) / len(tail),
        expected=sum(chances[count] for count in tail.values()) / len(tail),
        missing=tuple(missing),
    )


def _good_turing(counts: Counter[str]) -> dict[int, float]:
    """Return for each count of the tail what it stands for: (count + 1) times the words one step up, over those here."""
    words = Counter(counts.values())
    tail = range(2, MAX_TAIL_ROWS + 1)
    return {count: min(count, max(count / 2, (count + 1) * words[count + 1] / words[count])) for count in tail if words[count]}


def _gram_matrix(texts: Sequence[list[str]]) -> Any:
    from scipy.sparse import csr_array

    numbers: dict[Any, int] = {}
    columns: list[int] = []
    starts = [0]
    for words in texts:
        grams = {*words, *zip(words, words[1:], strict=False)} or {""}
        columns.extend(numbers.setdefault(gram, len(numbers)) for gram in grams)
        starts.append(len(columns))
    values = np.ones(len(columns), dtype=np.float32)
    return csr_array((values, np.array(columns), np.array(starts)), shape=(len(texts), len(numbers)))
