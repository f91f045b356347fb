"""Acceptance sampling by attributes: look at n items of a lot, accept the lot if at most c of them are bad.

    plan = AcceptancePlan(n=59, c=0)
    accept_probability(plan, 0.05)                 0.0485: a lot with 5 % bad items gets through once in twenty times
    decide(plan, 12, 1, lot_size=4_000)            "reject": no need to look at the other 47
    plan_for(0.05, 0.05, 0.01, 0.05)               AcceptancePlan(n=181, c=4)

Source: single sampling plans as in ISO 2859-2 (limiting quality); exact probabilities, no Poisson approximation.
"""

import functools
import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

from curation.config import check

LotDecision = Literal["accept", "reject", "undecided"]

MAX_C = 200
"""Highest number of bad items that `plan_for` tries."""
_STEPS = 60
"""Halvings of an interval until its width is below what a float can tell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceptancePlan:
    """How many items of a lot are inspected, and how many of them may be bad. Raises ValueError for an impossible plan."""

    n: int
    c: int

    def __post_init__(self) -> None:
        if not 0 <= self.c < self.n:
            raise ValueError(f"a plan needs 0 <= c < n, not n={self.n}, c={self.c}")


class Interval(NamedTuple):
    """A confidence interval of a share, both ends in [0, 1]."""

    low: float
    high: float


def decide(plan: AcceptancePlan, num_inspected: int, num_bad: int, lot_size: int) -> LotDecision:
    """Return what is known about a lot after part of its sample, as soon as nothing that follows can change it.

    A lot of at most n items is inspected in full: it is accepted only when every item was looked at.

    Raises:
        ValueError: if the counts do not fit each other or the sample.
    """
    if not 0 <= num_bad <= num_inspected <= min(plan.n, lot_size):
        raise ValueError(f"{num_bad} bad of {num_inspected} inspected does not fit a sample of {min(plan.n, lot_size)}")
    if num_bad > plan.c:
        return "reject"
    if lot_size <= plan.n:
        return "accept" if num_inspected == lot_size else "undecided"
    return "accept" if num_bad + plan.n - num_inspected <= plan.c else "undecided"


def accept_probability(plan: AcceptancePlan, share_bad: float, lot_size: int | None = None) -> float:
    """Return the probability that a lot with this share of bad items is accepted (the operating curve).

    With a lot size it is exact for that lot, whose number of bad items is the share rounded to a whole one
    (hypergeometric); without one, for lots so large that drawing changes nothing (binomial).
    """
    if not 0 <= share_bad <= 1:
        raise ValueError(f"a share lies in [0, 1], not {share_bad}")
    if lot_size is None:
        return _binomial(plan.c, plan.n, share_bad)
    return _hypergeometric(plan.c, min(plan.n, lot_size), math.floor(share_bad * lot_size + 0.5), lot_size)


def _binomial(c: int, n: int, share: float) -> float:
    """P(at most c successes in n independent draws)."""
    if c >= n or share == 0:
        return 1.0
    if share == 1:
        return 0.0
    good, bad = math.log1p(-share), math.log(share)
    whole = math.lgamma(n + 1)
    terms = (whole - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * bad + (n - k) * good for k in range(c + 1))
    return min(1.0, math.fsum(math.exp(term) for term in terms))


@functools.lru_cache(maxsize=4096)
def _hypergeometric(c: int, n: int, num_bad: int, size: int) -> float:
    """P(at most c bad ones among n drawn from `size` with `num_bad` bad ones); whole numbers until the last division."""
    possible = range(max(0, n - (size - num_bad)), min(c, n, num_bad) + 1)
    return sum(math.comb(num_bad, k) * math.comb(size - num_bad, n - k) for k in possible) / math.comb(size, n)


def quality_at(plan: AcceptancePlan, probability: float) -> float:
    """Return the share of bad items at which a large lot is accepted with this probability, in (0, 1)."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _binomial(plan.c, plan.n, middle) > probability else (low, middle)
    return (low + high) / 2


def smallest_sample(c: int, quality_level: float, consumer_risk: float) -> int:
    """Return the smallest n such that lots of the quality level are accepted with at most the consumer's risk."""
    high = c + 1
    while _binomial(c, high, quality_level) > consumer_risk:
        high *= 2
    low = c
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _binomial(c, middle, quality_level) > consumer_risk else (low, middle)
    return high


def plan_for(quality_level: float, consumer_risk: float, producer_quality: float, producer_risk: float) -> AcceptancePlan:
    """Return the smallest plan that keeps both promises about large lots.

    Args:
        quality_level: share of bad items that must not get through.
        consumer_risk: at most this probability that such a lot is accepted.
        producer_quality: share of bad items that is good enough, below the quality level.
        producer_risk: at most this probability that such a lot is rejected.

    Raises:
        ConfigError: if no plan with up to `MAX_C` bad items does it.
    """
    for name, value in (("quality_level", quality_level), ("consumer_risk", consumer_risk), ("producer_risk", producer_risk)):
        check(0 < value < 1, name, "must lie in (0, 1)", value)
    check(0 <= producer_quality < quality_level, "producer_quality", "must be below quality_level", producer_quality)
    for c in range(MAX_C + 1):
        plan = AcceptancePlan(n=smallest_sample(c, quality_level, consumer_risk), c=c)
        if _binomial(c, plan.n, producer_quality) >= 1 - producer_risk:
            return plan
    check(False, "producer_quality", f"is too near to quality_level for a plan with c up to {MAX_C}", producer_quality)
    raise AssertionError("check raises")


def clopper_pearson(num_bad: int, num_inspected: int, confidence: float = 0.95) -> Interval:
    """Return the exact interval of the share of bad items (Clopper and Pearson, 1934); (0, 1) when nothing was inspected.

    It covers the true share at least as often as it says, also where inspection stopped early because the plan was
    decided (see the test, which counts every way in which that can happen) and where the lot is finite.
    """
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    num_good = num_inspected - num_bad
    low = float(betaincinv(num_bad, num_good + 1, tail)) if num_bad else 0.0
    high = float(betaincinv(num_bad + 1, num_good, 1 - tail)) if num_good else 1.0
    return Interval(low=low, high=high)
