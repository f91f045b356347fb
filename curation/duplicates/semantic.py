"""Semantic duplicates: rows whose embeddings point the same way. Exact, in blocks, in bounded memory.

pairs = find_semantic_pairs(vectors, 0.9)       vectors: float32 (rows, dimensions), of length 1
"""

import numpy as np

from curation.duplicates.folding import Array
from curation.duplicates.near_pairs import NearPairs

MAX_NEIGHBOURS = 64
_DIGITS = 6


def find_semantic_pairs(
    vectors: Array, threshold: float, *, max_neighbours: int = MAX_NEIGHBOURS, memory_mib: int = 256
) -> NearPairs:
    """Return pairs of rows with a cosine of at least the threshold, left < right, in order.

    Every row is compared with every other one (rows**2 * dimensions multiplications). Of each row the `max_neighbours`
    most similar later rows and as many earlier ones count, ties to the smaller position; products take `memory_mib` at
    most. A row of zeros has no neighbour. Raises ValueError for vectors that are not finite or not of length 1.
    """
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    _check(vectors)
    num_rows = len(vectors)
    block = max(1, min(num_rows, memory_mib * 2**20 // (12 * max(1, num_rows))))
    found: dict[tuple[int, int], float] = {}
    for start in range(0, num_rows, block):
        products = np.round(vectors[start : start + block] @ vectors.T, _DIGITS)
        for row, similarities in enumerate(products, start):
            near = np.flatnonzero(similarities >= np.float32(threshold))
            for side in (near[near < row], near[near > row]):
                best = side[np.argsort(-similarities[side], kind="stable")[:max_neighbours]]
                for other in best.tolist():
                    found[min(row, other), max(row, other)] = min(1.0, float(similarities[other]))
    pairs = np.array(sorted(found), dtype=np.int64).reshape(-1, 2)
    similarity = np.array([found[left, right] for left, right in pairs.tolist()], dtype=np.float64)
    return NearPairs(pairs[:, 0], pairs[:, 1], similarity)


def _check(vectors: Array) -> None:
    if vectors.ndim != 2:
        raise ValueError(f"vectors must have two dimensions (received shape {vectors.shape})")
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    wrong = np.flatnonzero(~((np.abs(lengths - 1) < 0.01) | (lengths == 0)))
    if len(wrong):
        raise ValueError(f"vectors must have length 1: row {wrong[0]} has length {lengths[wrong[0]]}")
