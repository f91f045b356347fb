"""Agreement of raters beyond chance, with intervals: Cohen's kappa, Gwet's AC1, Fleiss' kappa, Krippendorff's alpha.

    cohen_kappa(["a", "b", "a"], ["a", "b", "b"])                 Estimate(value=0.4, low=..., high=...)
    krippendorff_alpha([[1, 1], [2, 3], [3, None]], level="ordinal")

Sources: Cohen 1960; Fleiss 1971; Gwet 2008 ("Computing inter-rater reliability and its variance in the presence of high
agreement"); Krippendorff 2011 ("Computing Krippendorff's alpha-reliability"). Kappa falls when nearly all items are of one
category, even if raters agree on nearly all of them; AC1 does not, which is why both are reported. Where raters used only one
category kappa and alpha are undefined, and say so.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Literal

import numpy as np

from curation.judging.bootstrap import Array, estimate
from curation.judging.interval import Estimate

Level = Literal["nominal", "ordinal", "interval"]
Rating = Hashable | None
"""A category or a number; None where a rater did not rate an item."""

ONE_CATEGORY = "all ratings are of one category, so that agreement by chance is certain"


def cohen_kappa(
    one: Sequence[Rating],
    two: Sequence[Rating],
    *,
    level: Level = "nominal",
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Estimate:
    """Return Cohen's kappa of two raters over the items that both rated.

    Args:
        one: ratings of the first rater, one an item.
        two: ratings of the second.
        level: `nominal` counts every disagreement alike; `interval` by the squared distance of numbers (weighted kappa, Cohen
            1968); `ordinal` by the distance of ranks.
        clusters: items that belong together are drawn together for the interval.
        seed: seed of the interval.
    """
    pairs = [(left, right) for left, right in zip(one, two, strict=True) if left is not None and right is not None]
    if clusters is not None:
        both = zip(one, two, clusters, strict=True)
        clusters = [cluster for left, right, cluster in both if left is not None and right is not None]
    pairs, repeats = _merge(pairs) if clusters is None else (pairs, None)
    values = _categories(pairs)
    codes = {value: at for at, value in enumerate(values)}
    table = np.zeros((len(pairs), len(values), len(values)))
    for at, (left, right) in enumerate(pairs):
        table[at, codes[left], codes[right]] = 1.0
    distance = _distances(values, level)
    rows = table.reshape(len(pairs), len(values) ** 2)
    return estimate(
        rows, lambda sums: _kappa(sums, distance), clusters=clusters, repeats=repeats, seed=seed, undefined=ONE_CATEGORY
    )


def percent_agreement(
    ratings: Sequence[Sequence[Rating]], *, clusters: Sequence[Hashable] | None = None, seed: int = 0
) -> Estimate:
    """Return the share of pairs of ratings of an item that agree, averaged over items; chance is not taken out."""
    counts, clusters, repeats = _counts(ratings, clusters)
    rows = _agreement_rows(counts)
    return estimate(rows, lambda sums: sums[:, 1] / sums[:, 0], clusters=clusters, repeats=repeats, seed=seed)


def gwet_ac1(
    ratings: Sequence[Sequence[Rating]],
    *,
    num_categories: int = 0,
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Estimate:
    """Return Gwet's AC1 of two or more raters; `ratings` holds one sequence an item, with None for a missing rating.

    Args:
        ratings: one sequence of ratings for each item.
        num_categories: categories that raters could choose from; 0 takes those that were used, at least 2.
        clusters: as in `cohen_kappa`.
        seed: as in `cohen_kappa`.
    """
    counts, clusters, repeats = _counts(ratings, clusters)
    num, rows = max(num_categories, counts.shape[1], 2), _agreement_rows(counts)
    return estimate(rows, lambda sums: _ac1(sums, num), clusters=clusters, repeats=repeats, seed=seed, undefined=ONE_CATEGORY)


def fleiss_kappa(ratings: Sequence[Sequence[Rating]], *, clusters: Sequence[Hashable] | None = None, seed: int = 0) -> Estimate:
    """Return Fleiss' kappa of several raters; with missing ratings an item's share of each category counts."""
    counts, clusters, repeats = _counts(ratings, clusters)
    return estimate(_agreement_rows(counts), _fleiss, clusters=clusters, repeats=repeats, seed=seed, undefined=ONE_CATEGORY)


def krippendorff_alpha(
    ratings: Sequence[Sequence[Rating]],
    *,
    level: Level = "nominal",
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Estimate:
    """Return Krippendorff's alpha of any number of raters, with ratings missing anywhere."""
    counts, clusters, repeats = _counts(ratings, clusters)
    values = _categories([row for row in set(map(tuple, ratings)) if _num_given(row) >= 2])
    totals = counts.sum(axis=1)
    pairs = counts[:, :, None] * counts[:, None, :]
    diagonal = np.arange(counts.shape[1])
    pairs[:, diagonal, diagonal] -= counts
    rows = (pairs / np.maximum(totals - 1, 1)[:, None, None]).reshape(len(counts), counts.shape[1] ** 2)
    return estimate(
        rows, lambda sums: _alpha(sums, values, level), clusters=clusters, repeats=repeats, seed=seed, undefined=ONE_CATEGORY
    )


def _num_given(row: Sequence[Rating]) -> int:
    return len(row) - row.count(None)


def _categories(rows: Sequence[Sequence[Rating]]) -> list[Hashable]:
    """Return the distinct ratings: numbers in order, anything else by its text."""
    found = {rating for row in rows for rating in row if rating is not None}
    if all(isinstance(value, (int, float)) for value in found):
        return sorted(found)  # type: ignore[type-var]
    return sorted(found, key=lambda value: (type(value).__name__, str(value)))


def _merge(rows: Iterable[Sequence[Rating]]) -> tuple[list[Any], Array]:
    """Return the distinct rows and how often each of them occurs."""
    found = Counter(map(tuple, rows))
    return list(found), np.array(list(found.values()), dtype=np.float64)


def _counts(
    ratings: Sequence[Sequence[Rating]], clusters: Sequence[Hashable] | None
) -> tuple[Array, Sequence[Hashable] | None, Array | None]:
    """Return how many raters chose each category, for items with two or more ratings; clusters; how often rows occur."""
    repeats = None
    if clusters is None:
        ratings, repeats = _merge(row for row in ratings if _num_given(row) >= 2)
    usable = [at for at, row in enumerate(ratings) if _num_given(row) >= 2]
    codes = {value: at for at, value in enumerate(_categories([ratings[at] for at in usable]))}
    counts = np.zeros((len(usable), len(codes)))
    for place, at in enumerate(usable):
        for rating in ratings[at]:
            if rating is not None:
                counts[place, codes[rating]] += 1
    return counts, None if clusters is None else [clusters[at] for at in usable], repeats


def _agreement_rows(counts: Array) -> Array:
    """Return for each item: 1, the share of its pairs of ratings that agree, and its share of each category."""
    totals = counts.sum(axis=1, keepdims=True)
    agreeing = (counts * (counts - 1)).sum(axis=1, keepdims=True) / np.maximum(totals * (totals - 1), 1)
    return np.hstack([np.ones_like(totals), agreeing, counts / np.maximum(totals, 1)])


def _ac1(sums: Array, num_categories: int) -> Array:
    observed, shares = sums[:, 1] / sums[:, 0], sums[:, 2:] / sums[:, :1]
    by_chance = (shares * (1 - shares)).sum(axis=1) / (num_categories - 1)
    return _beyond_chance(observed, by_chance)


def _fleiss(sums: Array) -> Array:
    observed, shares = sums[:, 1] / sums[:, 0], sums[:, 2:] / sums[:, :1]
    return _beyond_chance(observed, (shares**2).sum(axis=1))


def _beyond_chance(observed: Array, by_chance: Array) -> Array:
    left = np.where(np.isclose(by_chance, 1.0, rtol=0, atol=1e-12), np.nan, 1 - by_chance)
    return np.asarray((observed - by_chance) / left)


def _kappa(sums: Array, distance: Array) -> Array:
    """Return weighted kappa of tables, flattened one a row: 1 - observed / expected disagreement."""
    size = len(distance)
    table = sums.reshape(-1, size, size)
    total = table.sum(axis=(1, 2))
    observed = (table * distance).sum(axis=(1, 2)) / total
    rows, columns = table.sum(axis=2) / total[:, None], table.sum(axis=1) / total[:, None]
    expected = np.einsum("bi,ij,bj->b", rows, distance, columns)
    return _one_less(observed, expected)


def _alpha(sums: Array, values: Sequence[Hashable], level: Level) -> Array:
    """Return alpha of matrices of coincidences, flattened one a row."""
    size = len(values)
    table = sums.reshape(-1, size, size)
    margins = table.sum(axis=2)
    total = margins.sum(axis=1)
    distance = _rank_distances(margins) if level == "ordinal" else _distances(values, level)[None]
    observed = (table * distance).sum(axis=(1, 2))
    expected = (margins[:, :, None] * margins[:, None, :] * distance).sum(axis=(1, 2)) / np.maximum(total - 1, 1)
    return _one_less(observed, expected)


def _one_less(observed: Array, expected: Array) -> Array:
    return np.asarray(1 - observed / np.where(expected <= 1e-12, np.nan, expected))


def _rank_distances(margins: Array) -> Array:
    """Return the squared ordinal distance of categories: how many ratings lie between them."""
    below = np.cumsum(margins, axis=1) - margins / 2
    return np.asarray((below[:, :, None] - below[:, None, :]) ** 2)


def _distances(values: Sequence[Hashable], level: Level) -> Array:
    """Return how far apart categories are, in squares; ranks for `ordinal`."""
    if level == "nominal":
        return 1.0 - np.eye(len(values))
    numbers = np.arange(len(values)) if level == "ordinal" else np.array([float(value) for value in values])  # type: ignore[arg-type]
    return np.asarray((numbers[:, None] - numbers[None, :]) ** 2, dtype=np.float64)
