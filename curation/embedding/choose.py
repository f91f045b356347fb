"""From a model's name in a recipe to an embedder.

embedder = open_embedder("offline-minilm", cache_url="/data/tunewright/embeddings")
"""

import contextlib
from collections.abc import Iterator

from curation.embedding.cache import CachedEmbedder, EmbeddingCache
from curation.embedding.embedder import Embedder
from curation.embedding.hashing import HashingEmbedder
from curation.embedding.process import ProcessEmbedder, Progress

HASHING = "hashing"


def open_embedder(model: str, *, cache_url: str = "", progress: Progress | None = None) -> Embedder:
    """Return the embedder called `hashing` or `offline-minilm`, or that of a folder or model name; cached if a place is given.

    Raises:
        EmbeddingModelMissingError: if the model is not on this machine.
    """
    if model == HASHING:
        return HashingEmbedder()
    embedder = ProcessEmbedder(model, progress=progress)
    return CachedEmbedder(embedder, EmbeddingCache(cache_url)) if cache_url else embedder


@contextlib.contextmanager
def opened_embedder(model: str | None, cache_url: str = "") -> Iterator[Embedder | None]:
    """Give an embedder for the length of a `with` block, or None where the recipe names no model. Raises as `open_embedder`."""
    if model is None:
        yield None
        return
    embedder = open_embedder(model, cache_url=cache_url)
    try:
        yield embedder
    finally:
        embedder.close()
