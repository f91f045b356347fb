"""Paired statistics for two models that answered the same items. Items of one group are never treated as independent.

paired_bootstrap([1, 0, 0, -1], ["a", "a", "b", "c"], ...)   interval of the mean difference, resampled by group
mcnemar(30, 10)                                            exact two-sided p-value of 30 gains and 10 losses
non_inferiority([0, 0, -1, 1], ["a", "b", "c", "d"], .05)  one-sided p-value of "not worse by 5 points or more"
holm([0.01, 0.04, 0.03])                                   [0.03, 0.06, 0.06]: p-values corrected for being three
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
    """Of the values, each times its weight."""
    sizes: Floats
    """Of the weights: items, where none is given."""


def sum_groups(values: Sequence[float], groups: Sequence[str], weights: Sequence[float] | None = None) -> Groups:
    """Add values and weights up by group. `values`, `groups` and `weights` (default: 1) have one entry an item."""
    assert len(values) == len(groups), "one group an item"
    index: dict[str, int] = {}
    codes = np.array([index.setdefault(group, len(index)) for group in groups], dtype=np.int64)
    counted = _weights_of(values, weights)
    totals = np.bincount(codes, weights=np.asarray(values, dtype=np.float64) * counted, minlength=len(index))
    sizes = np.bincount(codes, weights=counted, minlength=len(index))
    return Groups(totals.astype(np.float64), sizes.astype(np.float64))


def _weights_of(values: Sequence[float], weights: Sequence[float] | None) -> Floats:
    found = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    assert len(found) == len(values), "one weight an item"
    return found


def paired_bootstrap(
    differences: Sequence[float],
    groups: Sequence[str],
    *,
    samples: int,
    confidence: float,
    seed: int,
    weights: Sequence[float] | None = None,
) -> Interval:
    """Return the percentile interval of the mean difference when whole groups are resampled.

    A weighted mean is a ratio: both its sums are drawn anew, so that long texts do not make an interval wide by their length.

    Args:
        differences: one difference an item (candidate minus opponent).
        groups: the group of each item.
        samples: number of resamples.
        confidence: for example 0.95.
        seed: seed of the resampling; the same seed gives the same interval.
        weights: how much each item counts; None: all the same.
    """
    totals, sizes = sum_groups(differences, groups, weights)
    num_groups = len(totals)
    if num_groups == 0:
        return Interval(0.0, 0.0)
    kinds, num_alike = _count_alike(totals, sizes)  # groups alike are drawn together
    rng = np.random.default_rng(seed)
    chunk = max(1, CHUNK_CELLS // len(num_alike))
    means = []
    for start in range(0, samples, chunk):
        counts = rng.multinomial(num_groups, num_alike / num_groups, size=min(chunk, samples - start))
        means.append((counts @ kinds[0]) / (counts @ kinds[1]))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return Interval(float(low), float(high))


def _count_alike(totals: Floats, sizes: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return the different pairs of total and size in order of first appearance, of shape [2, pairs], and how often each is."""
    pairs, first, counts = np.unique(np.stack([totals, sizes]), axis=1, return_index=True, return_counts=True)
    order = np.argsort(first)
    return pairs[:, order], counts[order].astype(np.int64)


def group_sign_test(
    differences: Sequence[float],
    groups: Sequence[str],
    *,
    samples: int,
    seed: int,
    weights: Sequence[float] | None = None,
) -> float:
    """Return the two-sided p-value of a sign-flip test over whole groups: valid also when items of a group go together.

    Under the null hypothesis candidate and opponent can be swapped in any group. Few groups are enumerated.
    """
    totals = sum_groups(differences, groups, weights).totals
    totals = totals[totals != 0]
    if len(totals) == 0:
        return 1.0
    limit = abs(float(totals.sum())) - 1e-9
    if 2 ** len(totals) <= samples:
        signs = 1 - 2 * ((np.arange(2 ** len(totals))[:, None] >> np.arange(len(totals))) & 1)
        return float(np.mean(np.abs(signs @ totals) >= limit))
    sizes, num_alike = np.unique(np.abs(totals), return_counts=True)  # of groups alike only the number flipped matters
    rng = np.random.default_rng(seed)
    chunk = max(1, CHUNK_CELLS // len(sizes))
    hits = 0
    for start in range(0, samples, chunk):
        num_flipped = rng.binomial(num_alike, 0.5, size=(min(chunk, samples - start), len(sizes)))
        hits += int(np.count_nonzero(np.abs((num_alike - 2 * num_flipped) @ sizes) >= limit))
    return (hits + 1) / (samples + 1)


def mcnemar(num_gains: int, num_losses: int) -> float:
    """Return the exact two-sided McNemar p-value from the numbers of discordant items."""
    from scipy.stats import binomtest

    if num_gains + num_losses == 0:
        return 1.0
    return float(binomtest(min(num_gains, num_losses), num_gains + num_losses, 0.5).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for being several (Holm 1979, step-down), in the order given.

    Whatever is true of the hypotheses, the chance of one false rejection or more at `corrected < alpha` is at most alpha.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected, running = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = running
    return corrected


def unpaired_z(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the two-sided p-value of a two-sample z-test that ignores which items are the same: for comparison only.

    This is what most evaluation scripts do. Models agree on most items, so it finds less than a paired test.
    """
    left, right = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if min(len(left), len(right)) < 2:
        return 1.0
    difference = float(left.mean() - right.mean())
    error = math.sqrt(float(left.var(ddof=1)) / len(left) + float(right.var(ddof=1)) / len(right))
    if error == 0:
        return float(difference == 0)
    return 2 * NormalDist().cdf(-abs(difference / error))


def tango(num_better: float, num_worse: float, num_items: float, margin: float) -> float:
    """Return the one-sided p-value of "the share is lower by `margin` or more" for paired answers that are right or wrong.

    Tango's score test (Statistics in Medicine 17, 1998). It stays honest where no item differs: a few equal answers do not
    show that two models are equal.

    Args:
        num_better: items that only the candidate has right.
        num_worse: items that only the opponent has right.
        num_items: all items. The three may be fractions: counts divided by the design effect.
        margin: in (0, 1).
    """
    assert 0 < margin < 1, "a margin lies in (0, 1)"
    if num_items <= 0:
        return 1.0
    limit = -margin
    linear = -num_better - num_worse + (2 * num_items - num_better + num_worse) * limit
    constant = -num_worse * limit * (1 - limit)
    worse = (math.sqrt(max(0.0, linear**2 - 8 * num_items * constant)) - linear) / (4 * num_items)
    variance = num_items * (2 * worse + limit * (1 - limit))
    if variance <= 0:
        return float(num_better - num_worse <= num_items * limit)
    return NormalDist().cdf(-(num_better - num_worse - num_items * limit) / math.sqrt(variance))


def non_inferiority(
    differences: Sequence[float], groups: Sequence[str], margin: float, weights: Sequence[float] | None = None
) -> float:
    """Return the one-sided p-value of "the candidate is worse by `margin` or more"; a small one says that it is not.

    Differences of -1, 0 and 1 (answers right or wrong) take Tango's test with the design effect of the groups, and where items
    share groups a t-test over groups with `groups - 1` degrees of freedom besides: few groups show little, however many items
    they have. Others take the t-test alone.

    Args:
        differences: one difference an item (candidate minus opponent), in [-1, 1]; more is better.
        groups: the group of each item.
        margin: how much worse is too much, in (0, 1).
        weights: how much each item counts; None: all the same.
    """
    num_items, num_groups = len(differences), len(set(groups))
    if not num_items:
        return 1.0
    if not any(differences):  # then nothing tells how alike the items of a group are: a group counts once
        return tango(0, 0, num_groups, margin)
    is_even = weights is None or len(set(weights)) == 1
    if not is_even or not all(value in (-1, 0, 1) for value in differences):
        return _group_t_test(differences, groups, margin, weights)
    scale = design_effect(differences, groups)
    num_better, num_worse = sum(value > 0 for value in differences), sum(value < 0 for value in differences)
    p_value = tango(num_better / scale, num_worse / scale, num_items / scale, margin)
    return p_value if num_groups == num_items else max(p_value, _group_t_test(differences, groups, margin, None))


def _group_t_test(differences: Sequence[float], groups: Sequence[str], margin: float, weights: Sequence[float] | None) -> float:
    """Return the p-value of a t-test over groups, whose error is never smaller than that of as many independent items."""
    from scipy.stats import t

    totals, sizes = sum_groups(differences, groups, weights)
    if len(totals) < 2:
        return 1.0
    mean = float(totals.sum() / sizes.sum())
    error = math.sqrt(max(_variances(differences, groups, weights)))
    if error == 0:
        return float(mean <= -margin)
    return float(t.sf((mean + margin) / error, len(totals) - 1))


def _variances(differences: Sequence[float], groups: Sequence[str], weights: Sequence[float] | None) -> tuple[float, float]:
    """Return the variance of the (weighted) mean over groups, and over items as if each were a group of its own."""
    totals, sizes = sum_groups(differences, groups, weights)
    counted, num_groups, num_items = _weights_of(differences, weights), len(totals), len(differences)
    mean = totals.sum() / sizes.sum()
    clustered = num_groups / (num_groups - 1) * float(np.square(totals - mean * sizes).sum())
    alone = num_items / (num_items - 1) * float(np.square((np.asarray(differences, dtype=np.float64) - mean) * counted).sum())
    return clustered / float(sizes.sum()) ** 2, alone / float(sizes.sum()) ** 2


def widen_for_few(interval: Interval, value: float, num_groups: int, confidence: float) -> Interval:
    """Return a resampled interval of a value as wide as few groups make it: by Student's t instead of the normal quantile.

    Percentiles over few groups are too narrow. A single group says nothing of others: the interval is then without bounds.
    """
    if num_groups < 2:
        return Interval(-math.inf, math.inf)
    from scipy.stats import t

    at = (1 + confidence) / 2
    factor = float(t.ppf(at, num_groups - 1)) / NormalDist().inv_cdf(at)
    return Interval(value - (value - interval.low) * factor, value + (interval.high - value) * factor)


def clustered_wilson(hits: Sequence[float], groups: Sequence[str], confidence: float) -> Interval:
    """Return Wilson's score interval of a share of items, as wide as the groups make it.

    Args:
        hits: 0 or 1, one an item.
        groups: the group of each item.
        confidence: for example 0.95.
    """
    if not len(hits):
        return Interval(0.0, 1.0)
    is_level = min(hits) == max(hits)  # then nothing tells how alike the items of a group are: a group counts once
    scale = len(hits) / len(set(groups)) if is_level else design_effect(hits, groups)
    return wilson(sum(hits) / scale, len(hits) / scale, confidence)


def wilson(num_hits: float, num_items: float, confidence: float) -> Interval:
    """Return Wilson's score interval of a share; the counts may be fractions: divided by the design effect."""
    if num_items == 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = num_hits / num_items
    scale = 1 + z * z / num_items
    middle = (share + z * z / (2 * num_items)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / num_items + z * z / (4 * num_items * num_items))
    return Interval(max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def design_effect(differences: Sequence[float], groups: Sequence[str], weights: Sequence[float] | None = None) -> float:
    """Return by how much groups inflate the variance of the mean difference: 1 or more.

    It is 1 if all items differ in group, and the number of items if all are of one group: that counts as one item.
    """
    if len(set(groups)) < 2:
        return float(max(1, len(differences)))
    clustered, alone = _variances(differences, groups, weights)
    return max(1.0, clustered / alone) if alone > 0 else 1.0


def standard_error(differences: Sequence[float], groups: Sequence[str], weights: Sequence[float] | None = None) -> float:
    """Return the standard error of the (weighted) mean difference, as wide as the groups make it; infinite for one group."""
    return math.sqrt(max(_variances(differences, groups, weights))) if len(set(groups)) > 1 else math.inf


def detectable_shift(error: float, *, alpha: float, power: float = POWER) -> float:
    """Return the smallest true mean difference that is found with this power, by its standard error (normal, two-sided)."""
    return (NormalDist().inv_cdf(1 - alpha / 2) + NormalDist().inv_cdf(power)) * error


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
