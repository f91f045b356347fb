"""Vectors of texts without a model: hashed TF-IDF of words and word pairs, projected to a few hundred dimensions.

vectors = text_vectors(["How do I sort?", "How do I filter?"], seed=0)      shape (2, 256), rows of length 1
vectors @ vectors.T                                                          cosine similarities

The projection keeps cosines near 1 to about 0.01 and those near 0 to about 0.06 (Johnson and Lindenstrauss), enough to tell
near copies from new rows. It does not know synonyms: pass the vectors of an embedding model where there is one.
"""

import re
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
NUM_DIMENSIONS = 256
NUM_BUCKETS = 1 << 16
MAX_CHARS = 4000
"""Characters of a text that are looked at."""
_WORD = re.compile(r"\w+")


def text_vectors(texts: Sequence[str], *, seed: int, num_dimensions: int = NUM_DIMENSIONS) -> Vectors:
    """Return one vector of length 1 a text, float32, shape (len(texts), num_dimensions); all zeros for a text without words."""
    if not texts:
        return np.zeros((0, num_dimensions), dtype=np.float32)
    counts, buckets = _count_features(texts)
    counts.data = 1 + np.log(counts.data)
    frequencies = np.bincount(counts.indices, minlength=len(buckets))
    weights = (np.log((1 + len(texts)) / (1 + frequencies)) + 1).astype(np.float32)
    counts.data *= weights[counts.indices]
    return unit_rows(counts @ _signs(buckets, seed, num_dimensions))


def unit_rows(vectors: NDArray[Any]) -> Vectors:
    """Return the rows scaled to length 1; rows of zeros stay."""
    found = np.ascontiguousarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    scaled: Vectors = np.divide(found, lengths, out=np.zeros_like(found), where=lengths > 0)
    return scaled


def _signs(buckets: NDArray[np.int64], seed: int, num_dimensions: int) -> Vectors:
    """Return +1 or -1 for each bucket and dimension, the same for a bucket whatever the others are (SplitMix64)."""
    words = -(-num_dimensions // 64)
    numbers = buckets.astype(np.uint64)[:, None] * np.uint64(words) + np.arange(words, dtype=np.uint64)
    state = np.asarray(
        (numbers + np.uint64(seed) * np.uint64(1 << 32) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15), dtype=np.uint64
    )
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    state ^= state >> np.uint64(31)
    bits = np.unpackbits(state.astype("<u8").view(np.uint8), axis=1)[:, :num_dimensions]
    return bits.astype(np.float32) * 2 - 1


def _count_features(texts: Sequence[str]) -> tuple[Any, NDArray[np.int64]]:
    """Return a sparse matrix of counts, one column for each bucket in use, and the buckets."""
    from scipy.sparse import csr_matrix

    buckets: dict[str, int] = {}
    words: list[int] = []
    ends = [0]
    for text in texts:
        for word in _WORD.findall(text[:MAX_CHARS].lower()):
            if word not in buckets:
                buckets[word] = zlib.crc32(word.encode("utf-8", "surrogatepass"))
            words.append(buckets[word])
        ends.append(len(words))
    ids, stops = np.array(words, dtype=np.int64), np.array(ends, dtype=np.int64)
    rows = np.repeat(np.arange(len(texts)), np.diff(stops))
    follows = rows[1:] == rows[:-1]
    pairs = (ids[:-1] * 31 + ids[1:] * 17 + 1)[follows]
    columns = np.concatenate([ids, pairs]) % NUM_BUCKETS
    where = np.concatenate([rows, rows[1:][follows]])
    used = np.flatnonzero(np.bincount(columns, minlength=NUM_BUCKETS))
    number = np.zeros(NUM_BUCKETS, dtype=np.int64)
    number[used] = np.arange(len(used))
    ones = np.ones(len(columns), dtype=np.float32)
    counts = csr_matrix((ones, (where, number[columns])), shape=(len(texts), len(used)))
    counts.sum_duplicates()
    return counts, used
