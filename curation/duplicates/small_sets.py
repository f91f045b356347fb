"""Every pair of a small set of texts, exactly: no sampling, nothing to compile.

Also the oracle in the tests of the fast way (`near_pairs`).
"""

import numpy as np

from curation.duplicates.folding import SHINGLE_CHARS, Array, FoldedTexts

MAX_TEXTS = 2_000
MAX_CHARS = 500_000
"""Above either, sampling is quicker than comparing all (about two seconds at both limits)."""
_BLOCK = 256


def is_small(folded: FoldedTexts) -> bool:
    """Tell whether comparing every pair is quick."""
    return len(folded) <= MAX_TEXTS and len(folded.codes) <= MAX_CHARS


def compare_all(folded: FoldedTexts, threshold: float) -> tuple[Array, Array, Array]:
    """Return (left, right, similarity) of all classes at least as similar as the threshold, left < right, in order."""
    from scipy.sparse import csr_array

    rows, columns = _shingles(folded)
    counts = np.bincount(rows, minlength=len(folded)).astype(np.int64)
    matrix = csr_array((np.ones(len(rows), dtype=np.int32), (rows, columns)), shape=(len(folded), columns.max(initial=0) + 1))
    across, found = matrix.T.tocsr(), []
    for start in range(0, len(folded), _BLOCK):
        shared = (matrix[start : start + _BLOCK] @ across).tocoo()
        right, left = shared.row.astype(np.int64) + start, shared.col.astype(np.int64)
        similarity = shared.data / (counts[left] + counts[right] - shared.data)
        chosen = (left < right) & (similarity >= threshold)
        found.append((left[chosen], right[chosen], similarity[chosen]))
    left, right, similarity = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((right, left))
    return left[order], right[order], similarity[order]


def _shingles(folded: FoldedTexts) -> tuple[Array, Array]:
    """Return (row, number of the 5-gram) for each distinct 5-gram of each text."""
    codes, num_grams = folded.codes.astype(np.uint64), len(folded.codes) - SHINGLE_CHARS + 1
    hashes = np.zeros(num_grams, dtype=np.uint64)
    for offset in range(SHINGLE_CHARS):
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + codes[offset : offset + num_grams] + np.uint64(1)
    rows = np.repeat(np.arange(len(folded)), np.diff(folded.offsets))[:num_grams]
    inside = np.arange(num_grams) + SHINGLE_CHARS <= folded.offsets[rows + 1]
    numbers = np.unique(hashes[inside], return_inverse=True)[1]
    keys = np.unique(rows[inside] * np.int64(numbers.max(initial=0) + 1) + numbers)
    return np.divmod(keys, np.int64(numbers.max(initial=0) + 1))
