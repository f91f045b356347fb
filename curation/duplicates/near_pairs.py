"""Verified near duplicates among texts: rare character grams find the candidates, exact Jaccard of 5-grams decides.

    pairs = find_near_pairs(["How do I sort?", "how do i  sort", "Why?"], 0.7)
        pairs.left [0]   pairs.right [1]   pairs.similarity [0.9]

Each text is sampled by the smallest hashes of its grams of 12 characters (8 and 5 for short ones), a bottom-k sketch:
Broder, "On the resemblance and containment of documents", 1997. Copies share long stretches, so two of the 24 samples in
common are nearly certain, where bands of short-gram MinHash need hundreds of values. Grams that many texts share (the
fixed words of a template, found in a sample of the texts) are left out of the sketch, so templates make no candidates;
what only such grams join is compared with a few pivots, enough to see that a crowd of copies is there.
"""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from curation.duplicates.folding import Array, FoldedTexts, fold_texts
from curation.duplicates.small_sets import compare_all, is_small

CROWD = 64
"""Grams that more texts share do not join all of these texts, only each of them with the first PIVOTS."""
PIVOTS = 4
SAMPLE_ROWS = 8_192
SAMPLE_GRAMS = 2_048
_MIN_SAMPLE_COUNT = 8


class NearPairs(NamedTuple):
    """Pairs of positions, left < right, with the Jaccard similarity of their 5-grams; in order."""

    left: Array
    right: Array
    similarity: Array


class NearClasses(NamedTuple):
    """Texts that are equal once folded form a class; `pairs` joins similar classes (not a class with itself)."""

    class_of: Array
    """int64 (texts,)."""
    firsts: Array
    """int64 (classes,): the first text of each class."""
    pairs: NearPairs
    """Positions are classes."""


def find_near_pairs(texts: Iterable[str], threshold: float, *, threads: int | None = None) -> NearPairs:
    """Return the verified pairs of near duplicates, similarity >= threshold (0.5 to 1).

    Texts that are equal but for case and white space are paired with the first of them only, with similarity 1, and stand
    for each other in all other pairs. Up to 2,000 texts every pair is compared. Above, about 999 of 1,000 pairs are found,
    and in a crowd (more than CROWD texts that share their rarest words) pairs with early texts only.
    """
    classes = find_near_classes(texts, threshold, threads=threads)
    firsts = classes.firsts[classes.class_of]
    copies = np.flatnonzero(firsts != np.arange(len(firsts)))
    left = np.concatenate([firsts[copies], classes.firsts[classes.pairs.left]])
    right = np.concatenate([copies, classes.firsts[classes.pairs.right]])
    similarity = np.concatenate([np.ones(len(copies)), classes.pairs.similarity])
    order = np.lexsort((right, left))
    return NearPairs(left[order], right[order], similarity[order])


def find_near_classes(texts: Iterable[str], threshold: float, *, threads: int | None = None) -> NearClasses:
    """Return the classes of equal texts and the verified pairs of similar classes; see `find_near_pairs`."""
    if not 0.5 <= threshold <= 1:
        raise ValueError(f"threshold must lie in [0.5, 1] (received {threshold})")
    folded = fold_texts(texts)
    if len(folded) < 2 or threshold >= 1:
        none = np.zeros(0, dtype=np.int64)
        return NearClasses(folded.class_of, folded.firsts, NearPairs(none, none, np.zeros(0)))
    found = compare_all(folded, threshold) if is_small(folded) else compare_sampled(folded, threshold, threads)
    return NearClasses(folded.class_of, folded.firsts, NearPairs(*found))


def compare_sampled(folded: FoldedTexts, threshold: float, threads: int | None = None) -> tuple[Array, Array, Array]:
    """Return (left, right, similarity) as `small_sets.compare_all` does, from candidates that share rare grams."""
    from curation.duplicates import kernels  # compiled code: only where it pays

    num_threads = threads or max(1, min(4, os.cpu_count() or 1))
    long = 12 if threshold >= 0.6 else 8
    counts = np.zeros(len(folded), dtype=np.int64)
    grouped = _group(folded, counts, long, num_threads)
    with ThreadPoolExecutor(num_threads) as pool:
        parts = list(
            pool.map(
                lambda first: kernels.match_rows(
                    folded.codes, folded.offsets, counts, grouped, (first, num_threads, CROWD, PIVOTS), threshold
                ),
                range(num_threads),
            )
        )
    right, left = np.concatenate([pairs for pairs, _ in parts]).T
    similarity = np.concatenate([found for _, found in parts])
    order = np.lexsort((right, left))
    return left[order], right[order], similarity[order]


def _group(folded: FoldedTexts, counts: Array, long: int, num_threads: int) -> tuple[Array, Array, Array]:
    """Return the sorted keys that two or more texts share, and where each text's keys stand; fill `counts`."""
    from curation.duplicates import kernels

    keys = np.empty((len(folded), kernels.SLOTS), dtype=np.uint64)
    frequent = _find_frequent(folded, long)
    edges = np.linspace(0, len(folded), 4 * num_threads + 1).astype(np.int64).tolist()
    with ThreadPoolExecutor(num_threads) as pool:
        list(
            pool.map(
                lambda edge: kernels.sketch_rows(
                    folded.codes, folded.offsets, edges[edge], edges[edge + 1], long, frequent, keys, counts
                ),
                [edge for edge in range(len(edges) - 1) if edges[edge] < edges[edge + 1]],
            )
        )
    flat = keys.reshape(-1)
    flat.sort()
    flat = flat[: np.searchsorted(flat, kernels.NONE)]
    same = (flat[1:] >> kernels.ROW_BITS) == (flat[:-1] >> kernels.ROW_BITS)
    shared = flat[np.append(same, False) | np.append(False, same)]
    starts = np.zeros(len(folded) + 1, dtype=np.int64)
    return shared, starts, kernels.positions_by_row(shared, starts)


def _find_frequent(folded: FoldedTexts, long: int) -> Array:
    """Return a hash table of the grams that more than CROWD texts share, judged by a sample that no order changes."""
    from curation.duplicates import kernels

    hashes = np.empty(len(folded), dtype=np.uint64)
    kernels.hash_rows(folded.codes, folded.offsets, hashes)
    rows = np.sort(np.argsort(hashes, kind="stable")[:SAMPLE_ROWS])
    sizes = np.minimum(np.diff(folded.offsets)[rows], SAMPLE_GRAMS)
    grams = np.empty(2 * int(sizes.sum()), dtype=np.uint64)
    count = kernels.all_grams(folded.codes, folded.offsets, rows, long, SAMPLE_GRAMS, grams)
    shorts = _distinct(np.sort(grams[:count])) >> kernels.ROW_BITS
    limit = int(max(_MIN_SAMPLE_COUNT, CROWD * len(rows) / len(folded)))
    ends = np.flatnonzero(np.append(shorts[1:] != shorts[:-1], True))
    times = np.diff(ends, prepend=-1)
    chosen = times > limit
    table = np.full(1 << int(kernels.table_bits(max(int(chosen.sum()), 1))), kernels.NONE, dtype=np.uint64)
    kernels.fill_frequent(table, shorts[ends[chosen]], times[chosen])
    return table


def _distinct(ascending: Array) -> Array:
    """Return the distinct values of a sorted array (np.unique hashes, which is slower)."""
    return ascending[np.append(True, ascending[1:] != ascending[:-1])] if len(ascending) else ascending
