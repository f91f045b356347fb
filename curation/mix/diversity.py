"""Orders in which rows are taken so that they are good and different. Each is lazy: what is not asked for is not computed.

for row in walk_deita(vectors, min_distance=0.1):     rows sorted by score, best first
    row.position, row.is_new, row.nearest, row.similarity      0, True, -1, 0.0

Every order is one sequence that does not depend on how many rows are taken, so the first 1,000 are part of the first 2,000.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from curation.mix.vectors import Vectors

_BLOCK = 512
_SLAB = 8192


class Placed(NamedTuple):
    """A row in the order of taking."""

    position: int
    """Where it stands in the arrays given."""
    is_new: bool
    """False if it is too near to a row before it."""
    nearest: int
    """Position of the nearest row before it; -1 if there is none."""
    similarity: float
    """Cosine similarity to that row."""


def walk_scores(num_rows: int) -> Iterator[Placed]:
    """Yield the rows as they stand."""
    return (Placed(position, True, -1, 0.0) for position in range(num_rows))


def walk_deita(vectors: Vectors, *, min_distance: float) -> Iterator[Placed]:
    """Walk down rows sorted by score; a row is new if all new rows above are more than `min_distance` away.

    Score first, then diversity: arXiv:2312.15685 (DEITA), section 2.4. Cost: rows walked * new rows * dimensions.
    """
    kept = np.empty((1024, vectors.shape[1]), dtype=np.float32)
    names: list[int] = []
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK]
        best, who = _nearest(block, kept[: len(names)])
        inside = block @ block.T
        local: list[int] = []
        for row in range(len(block)):
            near, similarity = (names[who[row]], float(best[row])) if names else (-1, 0.0)
            if local:
                chosen = int(np.argmax(inside[row, local]))
                if near < 0 or inside[row, local[chosen]] > similarity:
                    near, similarity = start + local[chosen], float(inside[row, local[chosen]])
            is_new = near < 0 or 1 - similarity > min_distance
            if is_new:
                local.append(row)
            yield Placed(start + row, is_new, near, similarity)
        kept = _append(kept, len(names), block[local])
        names += [start + row for row in local]


def _nearest(block: Vectors, kept: Vectors) -> tuple[Vectors, NDArray[np.int64]]:
    best = np.full(len(block), -np.inf, dtype=np.float32)
    who = np.zeros(len(block), dtype=np.int64)
    for start in range(0, len(kept), _SLAB):
        similarities = block @ kept[start : start + _SLAB].T
        found = similarities.argmax(axis=1)
        values = similarities[np.arange(len(block)), found]
        better = values > best
        best[better], who[better] = values[better], start + found[better]
    return best, who


def _append(kept: Vectors, used: int, more: Vectors) -> Vectors:
    if used + len(more) > len(kept):
        larger = np.empty((2 * (used + len(more)), kept.shape[1]), dtype=np.float32)
        larger[:used] = kept[:used]
        kept = larger
    kept[used : used + len(more)] = more
    return kept


def walk_mmr(vectors: Vectors, scores: NDArray[np.float64], *, relevance: float) -> Iterator[Placed]:
    """Take next the row of the largest relevance * score - (1 - relevance) * similarity to what is taken.

    Maximal marginal relevance (Carbonell and Goldstein 1998); scores count as shares of the largest. Cost: rows taken * rows *
    dimensions.
    """
    shares = scores / max(float(scores.max(initial=0.0)), 1e-12)
    return _walk_greedily(vectors, lambda similarity: relevance * shares - (1 - relevance) * similarity)


def walk_k_center(vectors: Vectors, scores: NDArray[np.float64]) -> Iterator[Placed]:
    """Take next the row of the largest score * distance to what is taken (greedy k-centre, weighted by the score)."""
    return _walk_greedily(vectors, lambda similarity: scores * (1 - similarity))


def _walk_greedily(vectors: Vectors, value_of: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Iterator[Placed]:
    similarity = np.zeros(len(vectors))
    nearest = np.full(len(vectors), -1, dtype=np.int64)
    taken = np.zeros(len(vectors), dtype=bool)
    for _ in range(len(vectors)):
        values = value_of(similarity)
        values[taken] = -np.inf
        position = int(np.argmax(values))
        yield Placed(position, True, int(nearest[position]), float(similarity[position]))
        taken[position] = True
        found = vectors @ vectors[position]
        nearer = found > similarity
        nearest[nearer] = position
        np.maximum(similarity, found, out=similarity)
