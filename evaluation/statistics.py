"""Paired statistics for two models that answered the same items. Items of one group are never treated as independent.

paired_bootstrap([1, 0, 0, -1], ["a", "a", "b", "c"], ...)   interval of the mean difference, resampled by group
mcnemar(30, 10)                                            exact two-sided p-value of 30 gains and 10 losses
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

CHUNK_CELLS = 4_000_000
"""Resamples are drawn in chunks of at most this many (sample, group) cells, so that memory stays bounded."""
POWER = 0.8
Floats = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """A closed interval."""

    low: float
    high: float


class Groups(NamedTuple):
    """Sums and sizes of the groups, in order of first appearance."""

    totals: Floats
    sizes: Floats


def sum_groups(values: Sequence[float], groups: Sequence[str]) -> Groups:
    """Add values up by group. `values` and `groups` have one entry an item."""
    assert len(values) == len(groups), "one group an item"
    index: dict[str, int] = {}
    codes = np.array([index.setdefault(group, len(index)) for group in groups], dtype=np.int64)
    totals = np.bincount(codes, weights=np.asarray(values, dtype=np.float64), minlength=len(index))
    return Groups(totals.astype(np.float64), np.bincount(codes, minlength=len(index)).astype(np.float64))


def paired_bootstrap(
    differences: Sequence[float], groups: Sequence[str], *, samples: int, confidence: float, seed: int
) -> Interval:
    """Return the percentile interval of the mean difference when whole groups are resampled.

    Args:
        differences: one difference an item (candidate minus opponent).
        groups: the group of each item.
        samples: number of resamples.
        confidence: for example 0.95.
        seed: seed of the resampling; the same seed gives the same interval.
    """
    totals, sizes = sum_groups(differences, groups)
    num_groups = len(totals)
    if num_groups == 0:
        return Interval(0.0, 0.0)
    rng = np.random.default_rng(seed)
    chunk = max(1, CHUNK_CELLS // num_groups)
    means = []
    for start in range(0, samples, chunk):
        counts = rng.multinomial(num_groups, np.full(num_groups, 1 / num_groups), size=min(chunk, samples - start))
        means.append((counts @ totals) / (counts @ sizes))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return Interval(float(low), float(high))


def group_sign_test(differences: Sequence[float], groups: Sequence[str], *, samples: int, seed: int) -> float:
    """Return the two-sided p-value of a sign-flip test over whole groups: valid also when items of a group go together.

    Under the null hypothesis candidate and opponent can be swapped in any group. Few groups are enumerated.
    """
    totals = sum_groups(differences, groups).totals
    totals = totals[totals != 0]
    if len(totals) == 0:
        return 1.0
    limit = abs(float(totals.sum())) - 1e-9
    if 2 ** len(totals) <= samples:
        signs = 1 - 2 * ((np.arange(2 ** len(totals))[:, None] >> np.arange(len(totals))) & 1)
        return float(np.mean(np.abs(signs @ totals) >= limit))
    rng = np.random.default_rng(seed)
    chunk = max(1, CHUNK_CELLS // len(totals))
    hits = 0
    for start in range(0, samples, chunk):
        signs = 1 - 2 * rng.integers(0, 2, size=(min(chunk, samples - start), len(totals)))
        hits += int(np.count_nonzero(np.abs(signs @ totals) >= limit))
    return (hits + 1) / (samples + 1)


def mcnemar(num_gains: int, num_losses: int) -> float:
    """Return the exact two-sided McNemar p-value from the numbers of discordant items."""
    from scipy.stats import binomtest

    if num_gains + num_losses == 0:
        return 1.0
    return float(binomtest(min(num_gains, num_losses), num_gains + num_losses, 0.5).pvalue)


def wilson(num_hits: float, num_items: int, confidence: float) -> Interval:
    """Return Wilson's score interval of a share."""
    if num_items == 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = num_hits / num_items
    scale = 1 + z * z / num_items
    middle = (share + z * z / (2 * num_items)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / num_items + z * z / (4 * num_items * num_items))
    return Interval(max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def design_effect(differences: Sequence[float], groups: Sequence[str]) -> float:
    """Return by how much groups inflate the variance of the mean difference: 1 or more; 1 if all items differ in group."""
    totals, sizes = sum_groups(differences, groups)
    num_items, num_groups = len(differences), len(totals)
    if num_groups < 2:
        return 1.0
    values = np.asarray(differences, dtype=np.float64)
    mean, alone = float(values.mean()), float(values.var(ddof=1)) / num_items
    residuals = totals - mean * sizes
    clustered = num_groups / (num_groups - 1) * float(residuals @ residuals) / num_items**2
    return max(1.0, clustered / alone) if alone > 0 else 1.0


def items_needed(effect: float, discordant_share: float, *, alpha: float, power: float = POWER) -> int:
    """Return how many independent items a paired test needs to find a difference.

    Args:
        effect: true difference of the means, in (0, 1].
        discordant_share: share of items on which the two models differ; at least `effect`.
        alpha: two-sided significance level.
        power: probability that the difference is found.
    """
    assert 0 < effect <= 1, "an effect lies in (0, 1]"
    share = max(discordant_share, effect)
    z_alpha, z_power = NormalDist().inv_cdf(1 - alpha / 2), NormalDist().inv_cdf(power)
    root = z_alpha * math.sqrt(share) + z_power * math.sqrt(max(0.0, share - effect**2))
    return math.ceil((root / effect) ** 2)


def detectable_effect(num_items: float, discordant_share: float, *, alpha: float, power: float = POWER) -> float:
    """Return the smallest true difference that `num_items` independent items find with this power; 1 if none is."""
    low, high = 1e-6, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        found = items_needed(middle, discordant_share, alpha=alpha, power=power) <= num_items
        low, high = (low, middle) if found else (middle, high)
    return high
