"""What everything will cost, said after the first fifty rows and before the rest is sent.

    planned = [Planned(key="guides/intro.md#raft", stratum="raft", size=4_210), ...]      what will be asked, sizes known
    pilot = choose_pilot(planned, 50, seed=0)                                           whom to ask first
    estimate_cost(planned, spent)                                                       once these are answered
        "$41.20 (95 %: $38.00 to $44.40) for 5,000 rows, from a pilot of 50"

Prices of prompts are nearly known beforehand, since prompts are; replies are not. So the pilot is drawn with chances in
proportion to size, and the total is the generalized regression estimator: what a regression on size predicts for all, plus the
weighted residuals of the pilot (Saerndal, Swensson and Wretman, Model Assisted Survey Sampling, 1992, chapter 6). Its
variance takes into account that the pilot is a part of the whole. Pilot replies are in the ledger: nothing is paid twice.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from curation.ids import stable_fraction

MIN_PER_STRATUM = 5
CLOSE_SHARE = 0.1
PILOT_GROWTH = (1, 2, 4)
"""A pilot is enlarged so many times while its estimate is not close: its replies are wanted anyway."""
CONFIDENCE_Z = 2.3
"""Standard errors on each side of a 95 % interval. Few rows of a heavy-tailed pilot carry most of its weight, so this is
more than Student's 2.0 for 50 rows: on 300 seeded workloads 2.0 held in 91 %, 2.3 in 95 %."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """Something that will be asked for."""

    key: str
    stratum: str
    """Method, or template: things that cost alike."""
    size: int
    """What is known of its length beforehand, as bytes of the prompt or of the source; 0 if nothing is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """What one planned thing cost, corrections included."""

    tokens: int
    cost_usd: Decimal


class Total(NamedTuple):
    """A total and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class CostEstimate:
    """What is expected, in all and by stratum. What the pilot cost is included."""

    num_planned: int
    num_pilot: int
    cost_usd: Total
    tokens: Total
    by_stratum: dict[str, Total]
    """Dollars of each stratum."""
    price_versions: tuple[str, ...] = ()
    """Where the prices come from."""
    unknown_prices: tuple[str, ...] = ()
    """Teachers whose price nobody knows: their calls are missing from the cost, and not free."""

    @property
    def is_close(self) -> bool:
        """Whether the interval is within `CLOSE_SHARE` of the tokens and of the money."""
        totals = (self.cost_usd, self.tokens)
        return all(total.high - total.value <= CLOSE_SHARE * total.value for total in totals)

    def __str__(self) -> str:
        cost, tokens = self.cost_usd, self.tokens
        text = (
            f"${cost.value:.2f} (95 %: ${cost.low:.2f} to ${cost.high:.2f}) and {tokens.value:,.0f} tokens "
            f"({tokens.low:,.0f} to {tokens.high:,.0f}) for {self.num_planned:,} rows, from a pilot of {self.num_pilot}"
        )
        if self.price_versions:
            text += f"; prices: {', '.join(self.price_versions)}"
        if self.unknown_prices:
            text += f"; WITHOUT the calls to {', '.join(self.unknown_prices)}, whose price is unknown"
        return text


def choose_pilot(planned: Sequence[Planned], num_pilot: int, *, seed: int) -> list[str]:
    """Return the keys to ask for first, in the order planned.

    Drawn within each stratum by a stable hash of the key, with chances in proportion to size (Efraimidis and Spirakis,
    Weighted random sampling with a reservoir, 2006). Every stratum has a member, however small the pilot; none is wanted
    if `num_pilot` is 0.
    """
    if num_pilot == 0:
        return []
    chosen: set[str] = set()
    numbers = _allocate(planned, num_pilot)
    for stratum, items in _by_stratum(planned).items():
        weights = _weights(items)
        scores = [
            (math.log(max(stable_fraction(item.key, f"pilot {seed}"), 1e-300)) / weight, item.key)
            for item, weight in zip(items, weights, strict=True)
        ]
        chosen.update(key for _, key in sorted(scores, reverse=True)[: numbers[stratum]])
    return [item.key for item in planned if item.key in chosen]


def estimate_cost(
    planned: Sequence[Planned],
    spent: Mapping[str, Spent],
    *,
    price_versions: Sequence[str] = (),
    unknown_prices: Sequence[str] = (),
) -> CostEstimate:
    """Estimate the total from what a pilot cost.

    Args:
        planned: everything, the pilot included; keys are distinct.
        spent: what the members of the pilot cost, by key.
        price_versions: where prices come from, for the record.
        unknown_prices: teachers without a known price.

    Raises:
        ValueError: a stratum has no member in the pilot.
    """
    costs: dict[str, _Part] = {}
    tokens: list[_Part] = []
    num_pilot = 0
    for stratum, items in _by_stratum(planned).items():
        seen = [(at, spent[item.key]) for at, item in enumerate(items) if item.key in spent]
        if not seen:
            raise ValueError(f"no row of '{stratum}' is in the pilot")
        num_pilot += len(seen)
        sample = _Sample(sizes=[max(item.size, 1) for item in items], members=[at for at, _ in seen])
        costs[stratum] = sample.estimate([float(one.cost_usd) for _, one in seen])
        tokens.append(sample.estimate([float(one.tokens) for _, one in seen]))
    return CostEstimate(
        num_planned=len(planned),
        num_pilot=num_pilot,
        cost_usd=_add(list(costs.values())),
        tokens=_add(tokens),
        by_stratum={stratum: _add([part]) for stratum, part in costs.items()},
        price_versions=tuple(price_versions),
        unknown_prices=tuple(unknown_prices),
    )


def _by_stratum(planned: Sequence[Planned]) -> dict[str, list[Planned]]:
    strata: dict[str, list[Planned]] = {}
    for item in planned:
        strata.setdefault(item.stratum, []).append(item)
    return strata


def _allocate(planned: Sequence[Planned], num_pilot: int) -> dict[str, int]:
    """Return how many of each stratum are in the pilot: a few each, the rest by total size."""
    strata = {stratum: sum(_weights(items)) for stratum, items in _by_stratum(planned).items()}
    sizes = {stratum: len(items) for stratum, items in _by_stratum(planned).items()}
    least = max(1, min(MIN_PER_STRATUM, num_pilot // len(strata))) if strata else 0
    left = max(0, num_pilot - least * len(strata))
    total = sum(strata.values())
    return {stratum: min(sizes[stratum], least + round(left * weight / total)) for stratum, weight in strata.items()}


def _weights(items: Sequence[Planned]) -> list[float]:
    """Return the chances: in proportion to size, but no small one is nearly impossible."""
    sizes = [max(item.size, 1) for item in items]
    mean = sum(sizes) / len(sizes)
    return [size + mean for size in sizes]


class _Part(NamedTuple):
    """The estimate of a stratum."""

    total: float
    variance: float
    paid: float


class _Line(NamedTuple):
    """A regression on size."""

    intercept: float
    slope: float
    leverages: Sequence[float]


class _Sample:
    """A pilot within its stratum: sizes of all, positions of its members."""

    def __init__(self, sizes: Sequence[int], members: Sequence[int]) -> None:
        self._sizes = sizes
        self._members = members
        mean = sum(sizes) / len(sizes)
        chances = _chances([size + mean for size in sizes], len(members))
        self._chances = [chances[at] for at in members]

    def estimate(self, values: Sequence[float]) -> "_Part":
        """Return the total over the stratum and its variance."""
        sizes = [self._sizes[at] for at in self._members]
        line = _fit(sizes, values, [1 / chance / size for chance, size in zip(self._chances, sizes, strict=True)])
        total = line.intercept * len(self._sizes) + line.slope * sum(self._sizes)
        variance = 0.0
        for size, value, chance, leverage in zip(sizes, values, self._chances, line.leverages, strict=True):
            residual = (value - line.intercept - line.slope * size) / chance
            total += residual
            # A line lies too close to the points that it was drawn through (MacKinnon and White, 1985: HC3).
            variance += (1 - chance) * (residual / max(1 - leverage, 0.1)) ** 2
        return _Part(max(total, sum(values)), variance, sum(values))


def _chances(weights: Sequence[float], number: int) -> list[float]:
    """Return the chance of each to be among so many drawn: in proportion to its weight, at most 1."""
    scale = number / sum(weights)
    for _ in range(50):
        certain = sum(weight * scale >= 1 for weight in weights)
        rest = sum(weight for weight in weights if weight * scale < 1)
        better = (number - certain) / rest if rest > 0 else scale
        if abs(better - scale) <= 1e-12 * scale:
            break
        scale = better
    return [min(1.0, weight * scale) for weight in weights]


def _fit(sizes: Sequence[int], values: Sequence[float], weights: Sequence[float]) -> _Line:
    """Return a weighted regression; a line through the origin where there is too little for two parameters."""
    total = sum(weights)
    shares = [weight / total for weight in weights]
    mean_size = sum(share * size for share, size in zip(shares, sizes, strict=True))
    mean_value = sum(share * value for share, value in zip(shares, values, strict=True))
    spread = sum(share * (size - mean_size) ** 2 for share, size in zip(shares, sizes, strict=True))
    if len(sizes) < MIN_PER_STRATUM:
        return _Line(0.0, mean_value / mean_size, shares)
    if spread <= 1e-9 * mean_size**2:
        return _Line(mean_value, 0.0, shares)
    rows = zip(shares, sizes, values, strict=True)
    slope = sum(share * (size - mean_size) * (value - mean_value) for share, size, value in rows) / spread
    leverages = [share * (1 + (size - mean_size) ** 2 / spread) for share, size in zip(shares, sizes, strict=True)]
    return _Line(mean_value - slope * mean_size, slope, leverages)


def _add(parts: Sequence[_Part]) -> Total:
    """Add up totals and variances; what is paid already is the least that it can be."""
    value = sum(part.total for part in parts)
    half = CONFIDENCE_Z * math.sqrt(sum(part.variance for part in parts))
    return Total(value, max(sum(part.paid for part in parts), value - half), value + half)
