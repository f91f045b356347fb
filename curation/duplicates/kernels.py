"""Compiled loops of the near-duplicate finder. Imported only where many texts are compared, because Numba is slow to load.

A text is a half-open range of code points in one flat buffer. A gram is a window of code points, hashed by a polynomial
modulo 2**64 that rolls from one window to the next. Every loop releases the GIL; compiled code is kept beside this file,
or in the user's cache folder where that is read-only, or only in memory where there is neither.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from curation.duplicates.folding import SHINGLE_CHARS, Array

F = TypeVar("F", bound=Callable[..., Any])

BASE = np.uint64(0x9E3779B97F4A7C15)
SPREAD = np.uint64(0xD6E8FEB86659FD93)
ONE = np.uint64(1)
NONE = np.uint64(0xFFFFFFFFFFFFFFFF)
ROW_BITS = np.uint64(28)
ROW_MASK = np.uint64((1 << 28) - 1)
LEVEL_SHIFT = np.uint64(58)
CROWD_BIT = np.uint64(1 << 63)
CROWD_HASH = np.uint64((1 << 58) - 1)
SHORT_MASK = np.uint64((1 << 36) - 1)
RARE_SLOTS, CROWD_SLOTS = 24, 2
SLOTS = RARE_SLOTS + CROWD_SLOTS
SHORT, MEDIUM, LARGE = 16, 48, 96
"""Texts below SHORT characters, below MEDIUM, and longer ones are sampled by grams of (5, 8), (8, long), (long) characters."""


def compiled(function: F) -> F:
    """Compile on first use; keep the machine code for the next process if any folder can be written."""
    try:
        return cast(F, numba.njit(function, nogil=True, cache=True))
    except RuntimeError:
        return cast(F, numba.njit(function, nogil=True))


@compiled
def mix(value: Any) -> Any:
    """Return a hash whose order is random (the finaliser of SplitMix64)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@compiled
def power_of(width: int) -> Any:
    """Return BASE ** width modulo 2**64."""
    power = ONE
    for _ in range(width):
        power *= BASE
    return power


@compiled
def first_gram(codes: Array, start: int, width: int) -> Any:
    """Return the hash of the window that starts at `start`."""
    value = np.uint64(0)
    for at in range(start, start + width):
        value = value * BASE + np.uint64(codes[at]) + ONE
    return value


@compiled
def next_gram(value: Any, codes: Array, end: int, width: int, power: Any) -> Any:
    """Roll a window on so that it ends with (and includes) position `end`."""
    return value * BASE + np.uint64(codes[end]) + ONE - (np.uint64(codes[end - width]) + ONE) * power


@compiled
def table_bits(size: int) -> int:
    """Return how many bits index a table that `size` entries fill at most by half."""
    bits = 3
    while (1 << bits) < 2 * size:
        bits += 1
    return bits


@compiled
def slot_of(table: Array, value: Any) -> Any:
    """Return the slot where a value stands, or the free slot (NONE) where it belongs; the size is a power of two."""
    mask = len(table) - 1
    slot = np.int64((value * SPREAD) >> np.uint64(32)) & mask
    while table[slot] != NONE and table[slot] != value:
        slot = (slot + 1) & mask
    return slot


@compiled
def insert_all(codes: Array, start: int, end: int, table: Array) -> int:
    """Empty a table and put the 5-grams of a text into it; return how many are distinct."""
    table[:] = NONE
    power, value, count = power_of(SHINGLE_CHARS), first_gram(codes, start, SHINGLE_CHARS), 0
    for at in range(start + SHINGLE_CHARS - 1, end):
        if at > start + SHINGLE_CHARS - 1:
            value = next_gram(value, codes, at, SHINGLE_CHARS, power)
        slot = slot_of(table, value)
        if table[slot] == NONE:
            table[slot] = value
            count += 1
    return count


@compiled
def count_shared(codes: Array, start: int, end: int, table: Array, marks: Array, mark: int, misses: int) -> int:
    """Return how many distinct 5-grams of a text stand in a table, or -1 as soon as more than `misses` do not."""
    power, value, shared = power_of(SHINGLE_CHARS), first_gram(codes, start, SHINGLE_CHARS), 0
    for at in range(start + SHINGLE_CHARS - 1, end):
        if at > start + SHINGLE_CHARS - 1:
            value = next_gram(value, codes, at, SHINGLE_CHARS, power)
        slot = slot_of(table, value)
        if table[slot] == NONE:
            misses -= 1
            if misses < 0:
                return -1
        elif marks[slot] != mark:
            marks[slot] = mark
            shared += 1
    return shared


@compiled
def level_of(frequent: Array, mixed: Any) -> Any:
    """Return how frequent a gram is (the bit length of its count in the sample), 0 if it is rare."""
    short = mixed >> ROW_BITS
    mask = len(frequent) - 1
    slot = np.int64(short) & mask
    while frequent[slot] != NONE:
        if frequent[slot] & SHORT_MASK == short:
            return frequent[slot] >> LEVEL_SHIFT
        slot = (slot + 1) & mask
    return np.uint64(0)


@compiled
def fill_frequent(frequent: Array, shorts: Array, times: Array) -> None:
    """Put shortened grams and the bit lengths of their counts into a free table (open addressing, NONE is free)."""
    mask = len(frequent) - 1
    for number in range(len(shorts)):
        level = 0
        slot = np.int64(shorts[number]) & mask
        while times[number] >> level:
            level += 1
        while frequent[slot] != NONE:
            slot = (slot + 1) & mask
        frequent[slot] = shorts[number] | (np.uint64(level) << LEVEL_SHIFT)


@compiled
def insert_sorted(smallest: Array, value: Any) -> None:
    """Put a value into an ascending array in place of its largest, if it is smaller and not there yet."""
    if value >= smallest[-1]:
        return
    at = len(smallest) - 1
    while at > 0 and smallest[at - 1] > value:
        at -= 1
    if at > 0 and smallest[at - 1] == value:
        return
    for right in range(len(smallest) - 1, at, -1):
        smallest[right] = smallest[right - 1]
    smallest[at] = value


@compiled
def sample_grams(codes: Array, start: int, end: int, width: int, frequent: Array, rare: Array, crowd: Array) -> int:
    """Keep the smallest gram hashes of a text: of rare grams in `rare`, of the least frequent others in `crowd`.

    Returns how many more of the grams looked at were frequent than rare.
    """
    surplus = 0
    if end - start < width:
        return surplus
    power, value = power_of(width), first_gram(codes, start, width)
    for at in range(start + width - 1, end):
        if at > start + width - 1:
            value = next_gram(value, codes, at, width, power)
        mixed = mix(value ^ np.uint64(width)) >> ONE
        if mixed < rare[-1]:
            level = level_of(frequent, mixed)
            if level:
                insert_sorted(crowd, CROWD_BIT | (level << LEVEL_SHIFT) | (mixed & CROWD_HASH))
                surplus += 1
            else:
                insert_sorted(rare, mixed)
                surplus -= 1
    return surplus


@compiled
def widths_of(size: int, long: int) -> tuple[int, int]:
    """Return the one or two gram widths by which a text of this size is sampled (0: none)."""
    if size < SHORT:
        return SHINGLE_CHARS, 8
    if size < MEDIUM:
        return 8, long if long > 8 else 0
    return long, 0


@compiled
def sketch_rows(
    codes: Array, offsets: Array, first: int, last: int, long: int, frequent: Array, keys: Array, counts: Array
) -> None:
    """Fill `keys` (rows, SLOTS) with gram hashes that carry the row in their low bits, `counts` with distinct 5-grams.

    Frequent grams are kept only where they make up half of a text: less cannot make two texts near copies.
    """
    table = np.empty(1 << table_bits(np.max(np.diff(offsets[first : last + 1]))), dtype=np.uint64)
    for row in range(first, last):
        start, end = offsets[row], offsets[row + 1]
        counts[row] = insert_all(codes, start, end, table[: 1 << table_bits(end - start)])
        keys[row] = NONE
        one, two = widths_of(end - start, long)
        half = RARE_SLOTS // 2 if two else RARE_SLOTS
        rare, crowd = keys[row, :RARE_SLOTS], keys[row, RARE_SLOTS:]
        surplus = sample_grams(codes, start, end, one, frequent, rare[:half], crowd[:1] if two else crowd)
        if two:
            surplus += sample_grams(codes, start, end, two, frequent, rare[half:], crowd[1:])
        if surplus < 0:
            crowd[:] = NONE
        for slot in range(SLOTS):
            if keys[row, slot] != NONE:
                keys[row, slot] = (keys[row, slot] & ~ROW_MASK) | np.uint64(row)


@compiled
def hash_rows(codes: Array, offsets: Array, hashes: Array) -> None:
    """Fill `hashes` with one hash a text, which does not depend on its position."""
    for row in range(len(hashes)):
        hashes[row] = mix(first_gram(codes, offsets[row], offsets[row + 1] - offsets[row]))


@compiled
def all_grams(codes: Array, offsets: Array, rows: Array, long: int, most: int, grams: Array) -> int:
    """Fill `grams` with every gram of some rows (at most the first `most` of each), their number in the low bits."""
    count = 0
    for number in range(len(rows)):
        start, end = offsets[rows[number]], offsets[rows[number] + 1]
        for width in widths_of(end - start, long):
            if width == 0 or end - start < width:
                continue
            power, value = power_of(width), first_gram(codes, start, width)
            for at in range(start + width - 1, min(end, start + width - 1 + most)):
                if at > start + width - 1:
                    value = next_gram(value, codes, at, width, power)
                grams[count] = ((mix(value ^ np.uint64(width)) >> ONE) & ~ROW_MASK) | np.uint64(number)
                count += 1
    return count


@compiled
def positions_by_row(keys: Array, starts: Array) -> Array:
    """Return for each row where its keys stand; row r has `positions[starts[r]:starts[r + 1]]`. `starts` is filled too."""
    starts[:] = 0
    for key in keys:
        starts[np.int64(key & ROW_MASK) + 1] += 1
    for row in range(len(starts) - 1):
        starts[row + 1] += starts[row]
    filled = starts[:-1].copy()
    positions = np.empty(len(keys), dtype=np.int64)
    for at in range(len(keys)):
        owner = np.int64(keys[at] & ROW_MASK)
        positions[filled[owner]] = at
        filled[owner] += 1
    return positions


@compiled
def start_of_group(keys: Array, at: int) -> Any:
    """Return where the run of keys with the hash of `keys[at]` starts (by bisection)."""
    wanted, low, high = keys[at] & ~ROW_MASK, 0, at
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def gather(keys: Array, places: Array, row: int, cap: int, pivots: int, votes: Array, mates: Array) -> int:
    """Collect the earlier rows that share grams with a row; return how many there are.

    `votes[mate]` becomes the row in its high bits and the number of shared grams in its low 8 bits. Of the rows that share
    a frequent gram, and in other groups with more than `cap` earlier members, only the first `pivots` ones are taken. A
    frequent gram counts three times, which is enough: it was kept as one of the two that are least frequent.
    """
    count = 0
    for at in places:
        group, begin, end = keys[at] >> ROW_BITS, at, at
        most, weight = (pivots, 3) if keys[at] & CROWD_BIT else (cap, 1)
        while begin > 0 and at - begin <= most and keys[begin - 1] >> ROW_BITS == group:
            begin -= 1
        if at - begin > most:
            begin = start_of_group(keys, at)
            end = begin + pivots
        for other in range(begin, end):
            mate = np.int64(keys[other] & ROW_MASK)
            if votes[mate] >> 8 != row:
                votes[mate] = row << 8
                mates[count] = mate
                count += 1
            votes[mate] += weight
    return count


@compiled
def least_votes(smaller: int) -> int:
    """Return how many sampled grams two texts must share to be compared, by the 5-grams of the smaller one."""
    return 1 if smaller < MEDIUM else 2 if smaller < LARGE else 3


@compiled
def least_shared(mine: int, theirs: int, threshold: float) -> int:
    """Return a lower bound of the shared 5-grams that two texts at the threshold have."""
    return int(np.ceil(threshold / (1 + threshold) * (mine + theirs) - 1e-6))


@compiled
def match_rows(
    codes: Array,
    offsets: Array,
    counts: Array,
    grouped: tuple[Array, Array, Array],
    block: tuple[int, int, int, int],
    threshold: float,
) -> tuple[Array, Array]:
    """Verify the candidates of the rows first, first + step, ...; return (pairs, 2) of rows, later first, and similarities."""
    keys, starts, positions = grouped
    first, step, cap, pivots = block
    num_rows = len(counts)
    size = 1 << table_bits(np.max(counts))
    table, marks = np.empty(size, dtype=np.uint64), np.empty(size, dtype=np.int32)
    votes = np.full(num_rows, -1, dtype=np.int64)
    mates = np.empty(SLOTS * (cap + pivots + 1), dtype=np.int64)
    pairs, similarities, found = np.empty((1024, 2), dtype=np.int64), np.empty(1024), 0
    for row in range(first, num_rows, step):
        num_mates = gather(keys, positions[starts[row] : starts[row + 1]], row, cap, pivots, votes, mates)
        mine, mark = table[: 1 << table_bits(counts[row])], 0
        for mate in mates[:num_mates]:
            small, large = min(counts[row], counts[mate]), max(counts[row], counts[mate])
            if small < threshold * large or (votes[mate] & 255) < least_votes(small):
                continue
            if mark == 0:
                insert_all(codes, offsets[row], offsets[row + 1], mine)
                marks[: len(mine)] = 0
            mark += 1
            start, end = offsets[mate], offsets[mate + 1]
            misses = end - start - SHINGLE_CHARS + 1 - least_shared(small, large, threshold)
            shared = count_shared(codes, start, end, mine, marks, mark, misses)
            similarity = shared / (small + large - shared)
            if shared < 0 or similarity < threshold:
                continue
            if found == len(pairs):
                pairs, similarities = np.concatenate((pairs, pairs)), np.concatenate((similarities, similarities))
            pairs[found, 0], pairs[found, 1], similarities[found] = row, mate, similarity
            found += 1
    return pairs[:found], similarities[:found]
