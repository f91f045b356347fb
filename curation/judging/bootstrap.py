"""Intervals for statistics of agreement: a bootstrap over items, as one matrix product.

Every statistic here is a function of sums over items. So an item is a row of numbers, a resample is a row of weights, and all
resamples together are `weights @ rows` (Efron 1979; whole clusters are drawn, Field and Welsh 2007). Equal rows are counted
together: how often they are drawn is multinomial as well, so that a million items cost as much as their few kinds of row. They
stand in order, so that the order of the items does not matter.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.judging.interval import Estimate

Array = npt.NDArray[np.float64]
Statistic = Callable[[Array], Array]
"""Sums of item rows, one row for each resample -> one value each; NaN where it is undefined."""

NUM_RESAMPLES = 2_000
_CHUNK_CELLS = 4_000_000


def estimate(
    rows: Array,
    statistic: Statistic,
    *,
    clusters: Sequence[Hashable] | None = None,
    repeats: Array | None = None,
    seed: int = 0,
    undefined: str = "",
) -> Estimate:
    """Return a statistic of the summed rows with a percentile interval.

    Args:
        rows: one row of numbers for each item, shape (items, features).
        statistic: what to make of their sum.
        clusters: what each row belongs to (an item with several verdicts, a source); whole clusters are drawn.
        repeats: how many items each row stands for, without clusters; None: one.
        seed: seed of the draw.
        undefined: why the statistic may be undefined, in words.
    """
    if not len(rows):
        return Estimate(value=None, reason="there is no item with two ratings")
    sums = _sum_clusters(rows, clusters)
    num_items = len(rows) if repeats is None else int(repeats.sum())
    num = len(sums) if repeats is None else num_items
    distinct, place = np.unique(sums, axis=0, return_inverse=True)
    counts = np.bincount(place.ravel(), weights=repeats).astype(np.float64)
    value = float(statistic(counts[None] @ distinct)[0])
    if np.isnan(value):
        return Estimate(value=None, num_items=num_items, num_clusters=num, reason=undefined)
    drawn = _resample(distinct, counts / num, num, statistic, seed)
    low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (value, value)
    return Estimate(value=value, low=float(low), high=float(high), num_items=num_items, num_clusters=num)


def _sum_clusters(rows: Array, clusters: Sequence[Hashable] | None) -> Array:
    if clusters is not None:
        assert len(clusters) == len(rows)
        places: dict[Any, int] = {}
        at = [places.setdefault(cluster, len(places)) for cluster in clusters]
        sums = np.zeros((len(places), rows.shape[1]))
        np.add.at(sums, at, rows)
        rows = sums
    return rows


def _resample(distinct: Array, shares: Array, num: int, statistic: Statistic, seed: int) -> Array:
    """Return the defined values of the statistic over resamples of `num` rows, each drawn as often as its share says."""
    generator = np.random.default_rng(seed)
    step = max(1, _CHUNK_CELLS // len(distinct))
    values = []
    for start in range(0, NUM_RESAMPLES, step):
        size = min(step, NUM_RESAMPLES - start)
        weights = generator.multinomial(num, shares, size=size)
        values.append(statistic(weights.astype(np.float64) @ distinct))
    found = np.concatenate(values)
    return found[~np.isnan(found)]
