"""What turns texts into vectors.

    embedder = HashingEmbedder()
    embedder.embed(["How do I sort?", "How do I order rows?"])          (2, dimension) float32, rows of length 1

A model's `revision` names its weights: vectors of two revisions are never compared or mixed in a cache.
"""

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

Vectors: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]


class Embedder(Protocol):
    """A model that maps each text to a vector; equal texts get equal vectors, whatever stands beside them."""

    @property
    def name(self) -> str:
        """How people call the model."""

    @property
    def revision(self) -> str:
        """Hash of everything that determines a vector."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return (num_texts, dimension) float32, rows L2-normalised (a text without any word may be all zeros)."""

    def close(self) -> None:
        """Free what the model holds; the next call to `embed` starts it again."""
