"""An embedder without a model: hashed words and character n-grams. It sees shared wording, not shared meaning.

    HashingEmbedder().embed(["sort a list", "list sorting"])          (2, 1024) float32, cosine about 0.4

For tests, and where no model is installed. Each word, pair of neighbouring words and run of 3 to 5 characters in a word falls
into one of `dimension` buckets with a sign (feature hashing, Weinberger et al. 2009); counts are damped (1 + log) and short
words weigh less. There is no corpus-wide inverse document frequency: a text's vector depends on the text alone.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from curation.embedding.embedder import Vectors
from curation.ids import content_hash

MAX_CHARS = 8_000
_WORD = re.compile(r"[^\W_]{1,64}")
_WORD_WEIGHT, _PAIR_WEIGHT, _CHARS_WEIGHT = 1.0, 0.5, 0.3


class HashingEmbedder:
    """Deterministic bag of hashed features; needs numpy only."""

    def __init__(self, dimension: int = 1024) -> None:
        if dimension < 16:
            raise ValueError(f"dimension must be at least 16 (received {dimension})")
        self._dimension = dimension
        self._buckets: dict[str, tuple[int, float]] = {}

    @property
    def name(self) -> str:
        """The name says what it is: no model of meaning."""
        return "hashing (wording only)"

    @property
    def revision(self) -> str:
        """Hash of the recipe of the features."""
        return content_hash(["hashing", 1, self._dimension, _WORD_WEIGHT, _PAIR_WEIGHT, _CHARS_WEIGHT])

    @property
    def dimension(self) -> int:
        """Number of buckets."""
        return self._dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return (num_texts, dimension) float32 rows of length 1; a text without words is all zeros."""
        vectors = np.zeros((len(texts), self._dimension), dtype=np.float32)
        for position, text in enumerate(texts):
            self._add(vectors[position], text)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.where(lengths > 0, lengths, 1)
        return vectors

    def close(self) -> None:
        """Nothing to free."""

    def _add(self, vector: Vectors, text: str) -> None:
        words = [word.casefold() for word in _WORD.findall(text[:MAX_CHARS])]
        for (feature, weight), count in Counter(_features(words)).items():
            bucket, sign = self._bucket(feature)
            vector[bucket] += sign * weight * (1 + math.log(count))

    def _bucket(self, feature: str) -> tuple[int, float]:
        known = self._buckets.get(feature)
        if known is None:
            digest = hashlib.blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            known = (int.from_bytes(digest[:7]) % self._dimension, 1.0 if digest[7] & 1 else -1.0)
            if len(self._buckets) < 1_000_000:
                self._buckets[feature] = known
        return known


def _features(words: Sequence[str]) -> Iterator[tuple[str, float]]:
    for word in words:
        yield word, _WORD_WEIGHT * min(1.0, len(word) / 5)
        padded = f"<{word}>"
        for size in (3, 4, 5):
            for start in range(len(padded) - size + 1):
                yield f"#{padded[start : start + size]}", _CHARS_WEIGHT
    for pair in zip(words, words[1:], strict=False):
        yield " ".join(pair), _PAIR_WEIGHT
