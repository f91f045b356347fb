"""Near duplicates among short texts: MinHash finds candidates, exact Jaccard decides.

    find_near_duplicates([Candidate("how do i sort?", ("a",), ("a",)), Candidate("how do i sort", ("a",), ("a",))], 0.8)
        {1: NearDuplicate(of=0, similarity=0.9)}

Texts are compared by their sets of character 5-grams. Earlier candidates win, and a text is only ever compared with texts
that were kept, so no chain of small steps joins what is far apart, and no two kept texts are near duplicates.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

NUM_PERMUTATIONS = 128
SEED = 20_240
SHINGLE_CHARS = 5
MIN_RECALL = 0.999
MAX_BUCKET = 200
"""A bucket holds at most this many kept texts, so that hostile data cannot make the work quadratic."""


class Candidate(NamedTuple):
    """A text, already folded as it shall be compared. It is compared with those filed under a label that it looks under."""

    text: str
    filed_under: tuple[Hashable, ...]
    looks_under: tuple[Hashable, ...]


class NearDuplicate(NamedTuple):
    """The kept candidate that a text nearly equals, and the Jaccard similarity of their 5-grams."""

    of: int
    similarity: float


def find_near_duplicates(candidates: Sequence[Candidate], threshold: float) -> dict[int, NearDuplicate]:
    """Return for each dropped position the kept one that it nearly equals; empty if the threshold is 1."""
    if len(candidates) < 2 or threshold >= 1:
        return {}
    shingles = [_shingle(candidate.text) for candidate in candidates]
    buckets = _bucket_keys(shingles, threshold)
    labels: dict[Hashable, int] = {}
    kept: dict[tuple[int, int], list[int]] = defaultdict(list)
    sets: dict[int, set[int]] = {}
    found: dict[int, NearDuplicate] = {}
    for position, (candidate, bands) in enumerate(zip(candidates, buckets, strict=True)):
        if not bands:
            continue
        looks_under = [labels.setdefault(label, len(labels)) for label in candidate.looks_under]
        rivals = {rival for band in bands for label in looks_under for rival in kept.get((band, label), ())}
        mine = set(shingles[position].tolist())
        duplicate = _first_match(mine, sorted(rivals), sets, threshold)
        if duplicate is not None:
            found[position] = duplicate
            continue
        sets[position] = mine
        filed_under = [labels.setdefault(label, len(labels)) for label in candidate.filed_under]
        for bucket in ((band, label) for band in bands for label in filed_under):
            if len(kept[bucket]) < MAX_BUCKET:
                kept[bucket].append(position)
    return found


def _first_match(mine: set[int], rivals: list[int], sets: dict[int, set[int]], threshold: float) -> NearDuplicate | None:
    for rival in rivals:
        theirs = sets[rival]
        if min(len(mine), len(theirs)) < threshold * max(len(mine), len(theirs)):
            continue
        shared = len(mine & theirs)
        similarity = shared / (len(mine) + len(theirs) - shared)
        if similarity >= threshold:
            return NearDuplicate(rival, similarity)
    return None


def _shingle(text: str) -> "np.ndarray[Any, np.dtype[np.uint64]]":
    """Return the sorted distinct hashes of the character 5-grams of a text; a shorter text is one 5-gram."""
    codes = np.frombuffer(text.ljust(SHINGLE_CHARS).encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    hashes = np.zeros(len(codes) - SHINGLE_CHARS + 1, dtype=np.uint64)
    for offset in range(SHINGLE_CHARS):
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + codes[offset : offset + len(hashes)] + np.uint64(1)
    return np.unique(hashes ^ (hashes >> np.uint64(29)))


def _bucket_keys(shingles: "list[np.ndarray[Any, np.dtype[np.uint64]]]", threshold: float) -> list[list[int]]:
    """Return for each text the buckets that it shares with another one.

    Two texts at the threshold or above share one with a probability of at least MIN_RECALL.
    """
    from rensa import RMinHash

    flat = np.concatenate(shingles)
    offsets = np.concatenate([[0], np.cumsum([len(item) for item in shingles])]).astype(np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(flat, offsets, NUM_PERMUTATIONS, SEED)
    digests = np.asarray(matrix.to_rows(), dtype=np.uint32)
    width = _rows_per_band(threshold)
    buckets: list[list[int]] = [[] for _ in shingles]
    for start in range(0, NUM_PERMUTATIONS - width + 1, width):
        band = np.ascontiguousarray(digests[:, start : start + width]).view(f"V{4 * width}").ravel()
        _, inverse, counts = np.unique(band, return_inverse=True, return_counts=True)
        for position in np.flatnonzero(counts[inverse] > 1).tolist():
            buckets[position].append(start * len(shingles) + int(inverse[position]))
    return buckets


def _rows_per_band(threshold: float) -> int:
    """Return the widest band (the fewest false candidates) that still finds MIN_RECALL of the pairs at the threshold."""
    widths = range(16, 0, -1)
    return next((width for width in widths if 1 - (1 - threshold**width) ** (NUM_PERMUTATIONS // width) >= MIN_RECALL), 1)
