"""The decision against one opponent: pass, fail or undecided, and one plain sentence why.

measured = measure(ours, theirs, groups, config)
judge("base", measured, required=0.05, release=release)      ("pass", "The candidate is 67.2 points ahead of the base ...")
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evaluation.config import EvaluationConfig
from evaluation.release.config import ReleaseConfig
from evaluation.statistics import (
    Interval,
    design_effect,
    detectable_effect,
    detectable_shift,
    group_sign_test,
    items_needed,
    mcnemar,
    paired_bootstrap,
    standard_error,
    sum_groups,
)
from evaluation.tasks.metrics import unit_of

Verdict = Literal["pass", "fail", "undecided"]
NAMES = {
    "base": "base",
    "base_few_shot": "base with examples",
    "base_retrieval": "base with retrieval",
    "majority": "majority answer",
    "dapt": "pre-trained model",
    "sft": "fine-tuned model",
    "candidate": "candidate",
    "candidate_retrieval": "candidate with retrieval",
    "champion": "champion",
    "teacher": "teacher",
    "endpoint": "served model",
}
"""How the comparators are called in front of people, in the order of reports."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The paired statistics of candidate and opponent on one metric."""

    difference: float
    interval: Interval
    p_value: float
    group_p_value: float
    num_better: int
    num_worse: int
    num_items: int
    inflation: float
    """Design effect of the groups."""
    error: float
    """Standard error of the difference; infinite if one group is all there is."""
    is_binary: bool
    """Whether items are won or lost by one whole point: then what can be found follows from the test of discordant items."""

    @property
    def discordant(self) -> float:
        """Share of the items on which the two differ."""
        return (self.num_better + self.num_worse) / self.num_items

    @property
    def largest_p(self) -> float:
        """The p-value that has to be small: the larger of the item and the group test."""
        return max(self.p_value, self.group_p_value)

    def detectable(self, alpha: float) -> float:
        """Return the smallest true difference that these items find with power 0.8; 1 if none is."""
        if self.is_binary:
            return detectable_effect(self.num_items / self.inflation, self.discordant, alpha=alpha)
        return min(1.0, detectable_shift(self.error, alpha=alpha))

    def needed(self, effect: float, alpha: float) -> int:
        """Return how many items, grouped like these, would find an effect with power 0.8; 0 if these do not tell."""
        if self.is_binary:
            return round(items_needed(min(1.0, effect), self.discordant, alpha=alpha) * self.inflation)
        shift = detectable_shift(self.error, alpha=alpha) / effect
        return math.ceil(self.num_items * shift**2) if math.isfinite(shift) else 0


def measure(
    ours: Sequence[float],
    theirs: Sequence[float],
    groups: Sequence[str],
    config: EvaluationConfig,
    weights: Sequence[float] | None = None,
) -> Measured:
    """Compare two rows of scores, item by item; `weights` say how much each item counts (default: all the same)."""
    values = [left - right for left, right in zip(ours, theirs, strict=True)]
    num_better, num_worse = sum(value > 0 for value in values), sum(value < 0 for value in values)
    samples, seed = config.bootstrap_samples, config.seed
    totals, sizes = sum_groups(values, groups, weights)
    difference = float(totals.sum() / sizes.sum())
    interval = paired_bootstrap(values, groups, samples=samples, confidence=config.confidence, seed=seed, weights=weights)
    if len(totals) < 2:  # one group says nothing of others
        interval = Interval(min(-1.0, difference), max(1.0, difference))
    return Measured(
        difference=difference,
        interval=interval,
        p_value=mcnemar(num_better, num_worse),
        group_p_value=group_sign_test(values, groups, samples=samples, seed=seed, weights=weights),
        num_better=num_better,
        num_worse=num_worse,
        num_items=len(values),
        inflation=design_effect(values, groups, weights),
        error=standard_error(values, groups, weights),
        is_binary=weights is None and all(value in (-1, 0, 1) for value in values),
    )


def judge(
    opponent: str,
    seen: Measured,
    required: float,
    release: ReleaseConfig,
    *,
    metric: str = "",
    p_value: float | None = None,
    holds: bool = False,
) -> tuple[Verdict, str]:
    """Return the verdict against one opponent with its reason.

    The champion only has to be held (the lower bound lies above minus the margin, and so says the test for non-inferiority);
    everyone else has to be beaten.

    Args:
        opponent: name of the comparator.
        seen: candidate against opponent.
        required: what the lower bound of the difference has to exceed.
        release: alpha and the least number of items.
        metric: tells the unit of the difference.
        p_value: corrected for being one of several; None: that of `seen`.
        holds: whether the test shows that the candidate is not worse than the champion by the margin.
    """
    unit, largest_p = unit_of(metric), seen.largest_p if p_value is None else p_value
    standing = describe_standing(opponent, seen, unit)
    spread = f"interval {_signed(seen.interval.low, unit)} to {_signed(seen.interval.high, unit)}"
    if seen.num_items < release.minimum_items:
        return "undecided", _too_few(seen, required, release)
    if seen.interval.high <= required:
        return "fail", f"{standing} ({spread}); more than {_signed(required, unit)} {unit} is required."
    has_won = (seen.difference > 0 and largest_p < release.alpha) or (opponent == "champion" and holds)
    if seen.interval.low > required and has_won:
        return "pass", f"{standing} ({spread}, p {format_p(largest_p)}, {seen.num_items} items)."
    return (
        "undecided",
        f"{standing} ({spread}), too close to decide with {seen.num_items} items. {_advice(seen, required, release, unit)}",
    )


def _too_few(seen: Measured, required: float, release: ReleaseConfig) -> str:
    effect = seen.difference - required
    needed = max(release.minimum_items, seen.needed(effect, release.alpha) if effect > 0 else 0)
    found = f"Only {seen.num_items} held-out items were answered, and {release.minimum_items} are the least to decide on."
    return (
        found if needed == release.minimum_items else f"{found} About {needed} would be needed for a difference of this size."
    )


def _advice(seen: Measured, required: float, release: ReleaseConfig, unit: str) -> str:
    effect = seen.difference - required
    smallest = f"They find differences of {amount(seen.detectable(release.alpha), unit)} or more."
    needed = seen.needed(effect, release.alpha) if effect > 0 else 0
    return f"{smallest} About {needed} items would be needed for this one." if needed > seen.num_items else smallest


def describe_standing(opponent: str, seen: Measured, unit: str, *, where: str = "") -> str:
    """Return who is ahead by how much, as the beginning of a sentence; `where` names task, metric or slice."""
    side = "ahead of" if seen.difference >= 0 else "behind"
    if seen.difference == 0:
        return f"The candidate is level with the {NAMES[opponent]}{where}"
    return f"The candidate is {amount(abs(seen.difference), unit)} {side} the {NAMES[opponent]}{where}"


def amount(value: float, unit: str) -> str:
    """Return a difference for people: `4.0 points`, `0.021 nats a byte`."""
    return f"{value * 100:.1f} points" if unit == "points" else f"{value:.3f} {unit}"


def _signed(value: float, unit: str) -> str:
    return f"{value * 100:+.1f}" if unit == "points" else f"{value:+.3f}"


def format_p(value: float) -> str:
    """Return a p-value for people, with its sign: `= 0.0312`, `< 0.0001`."""
    return f"= {value:.4f}" if value >= 0.0001 else "< 0.0001"
