"""Macro F1 and its statistics: no mean of items, so resamples and swaps are counted over classes, group by group.

counts = count_classes(rows, classes)      (groups, classes, 3): hits, false alarms, misses
macro_f1(counts.sum(axis=0))               0.81

Macro F1 is the mean over the classes that occur of 2 hits / (2 hits + false alarms + misses). A prediction that is none of the
classes is a miss of the right one and no false alarm of another.
"""

from collections.abc import Sequence

import numpy as np

from evaluation.records import Score
from evaluation.statistics import CHUNK_CELLS, Floats, Interval


def classes_of(*tables: Sequence[Score]) -> list[str]:
    """Return the right labels that occur, sorted."""
    return sorted({row.label for rows in tables for row in rows})


def count_classes(rows: Sequence[Score], classes: Sequence[str]) -> Floats:
    """Return float (groups, classes, 3): hits, false alarms and misses, groups in the order of their first row."""
    places = {name: at for at, name in enumerate(classes)}
    groups: dict[str, int] = {}
    for row in rows:
        groups.setdefault(row.group, len(groups))
    counts = np.zeros((len(groups), len(classes), 3))
    for row in rows:
        here = counts[groups[row.group]]
        if row.value >= 1:
            here[places[row.label], 0] += 1
            continue
        here[places[row.label], 2] += 1
        if row.predicted in places:
            here[places[row.predicted], 1] += 1
    return counts


def macro_f1(counts: Floats) -> Floats:
    """Return (...,) macro F1 of counts (..., classes, 3); classes without a right item do not count."""
    hits, alarms, misses = np.moveaxis(counts, -1, 0)
    occurs = hits + misses > 0
    scores = np.where(occurs, 2 * hits / np.maximum(2 * hits + alarms + misses, 1e-12), 0.0)
    means: Floats = scores.sum(axis=-1) / np.maximum(occurs.sum(axis=-1), 1)
    return means


def resample_macro_f1(tables: Sequence[Floats], *, samples: int, confidence: float, seed: int) -> Interval:
    """Return the percentile interval of macro F1 (one table), or of the first minus the second, over resampled groups."""
    num_groups, rng = len(tables[0]), np.random.default_rng(seed)
    if num_groups == 0:
        return Interval(0.0, 0.0)
    flat = [table.reshape(num_groups, -1) for table in tables]
    found = []
    chunk = max(1, CHUNK_CELLS // max(num_groups, flat[0].shape[1]))
    for start in range(0, samples, chunk):
        drawn = rng.multinomial(num_groups, np.full(num_groups, 1 / num_groups), size=min(chunk, samples - start))
        values = [macro_f1((drawn @ table).reshape(len(drawn), *tables[0].shape[1:])) for table in flat]
        found.append(values[0] - values[1] if len(values) > 1 else values[0])
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(found), [tail, 1 - tail])
    return Interval(float(low), float(high))


def swap_test(ours: Floats, theirs: Floats, *, samples: int, seed: int) -> float:
    """Return the two-sided p-value of a test that swaps the two in random groups: under the null nothing changes."""
    num_groups, rng = len(ours), np.random.default_rng(seed)
    observed = abs(float(macro_f1(ours.sum(axis=0)) - macro_f1(theirs.sum(axis=0)))) - 1e-12
    left, right = ours.reshape(num_groups, -1), theirs.reshape(num_groups, -1)
    total, gap = left.sum(axis=0) + right.sum(axis=0), left - right
    hits, chunk = 0, max(1, CHUNK_CELLS // max(num_groups, left.shape[1], 1))
    for start in range(0, samples, chunk):
        signs = 1 - 2 * rng.integers(0, 2, size=(min(chunk, samples - start), num_groups))
        moved = signs @ gap
        shape = (len(signs), *ours.shape[1:])
        differences = macro_f1(((total + moved) / 2).reshape(shape)) - macro_f1(((total - moved) / 2).reshape(shape))
        hits += int(np.count_nonzero(np.abs(differences) >= observed))
    return (hits + 1) / (samples + 1)
