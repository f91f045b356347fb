"""The decision against one opponent: pass, fail or undecided, and one plain sentence why.

measured = measure(ours, theirs, groups, config)
judge("base", measured, required=0.05, release=release)      ("pass", "The candidate is 67.2 points ahead of the base ...")
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evaluation.config import EvaluationConfig, ReleaseConfig
from evaluation.statistics import (
    Interval,
    design_effect,
    detectable_effect,
    group_sign_test,
    items_needed,
    mcnemar,
    paired_bootstrap,
)

Verdict = Literal["pass", "fail", "undecided"]
NAMES = {
    "base": "base",
    "base_few_shot": "base with examples",
    "majority": "majority answer",
    "dapt": "pre-trained model",
    "sft": "fine-tuned model",
    "candidate": "candidate",
    "champion": "champion",
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

    @property
    def discordant(self) -> float:
        """Share of the items on which the two differ."""
        return (self.num_better + self.num_worse) / self.num_items

    @property
    def largest_p(self) -> float:
        """The p-value that has to be small: the larger of the item and the group test."""
        return max(self.p_value, self.group_p_value)

    def detectable(self, alpha: float) -> float:
        """Return the smallest true difference that these items find with power 0.8."""
        return detectable_effect(self.num_items / self.inflation, self.discordant, alpha=alpha)

    def needed(self, effect: float, alpha: float) -> int:
        """Return how many items, grouped like these, would find an effect with power 0.8."""
        return round(items_needed(min(1.0, effect), self.discordant, alpha=alpha) * self.inflation)


def measure(ours: Sequence[float], theirs: Sequence[float], groups: Sequence[str], config: EvaluationConfig) -> Measured:
    """Compare two rows of scores, item by item."""
    values = [left - right for left, right in zip(ours, theirs, strict=True)]
    num_better, num_worse = sum(value > 0 for value in values), sum(value < 0 for value in values)
    samples, seed = config.bootstrap_samples, config.seed
    return Measured(
        difference=sum(values) / len(values),
        interval=paired_bootstrap(values, groups, samples=samples, confidence=config.confidence, seed=seed),
        p_value=mcnemar(num_better, num_worse),
        group_p_value=group_sign_test(values, groups, samples=samples, seed=seed),
        num_better=num_better,
        num_worse=num_worse,
        num_items=len(values),
        inflation=design_effect(values, groups),
    )


def judge(opponent: str, seen: Measured, required: float, release: ReleaseConfig) -> tuple[Verdict, str]:
    """Return the verdict against one opponent with its reason.

    The champion only has to be held (the lower bound lies above minus the margin); everyone else has to be beaten.
    """
    standing = _standing(opponent, seen)
    spread = f"interval {_signed(seen.interval.low)} to {_signed(seen.interval.high)}"
    if seen.num_items < release.minimum_items:
        return "undecided", _too_few(seen, required, release)
    if seen.interval.high <= required:
        return "fail", f"{standing} ({spread}); more than {_signed(required)} points is required."
    has_won = opponent == "champion" or seen.largest_p < release.alpha
    if seen.interval.low > required and has_won:
        return "pass", f"{standing} ({spread}, p {format_p(seen.p_value)}, {seen.num_items} items)."
    return (
        "undecided",
        f"{standing} ({spread}), too close to decide with {seen.num_items} items. {_advice(seen, required, release)}",
    )


def _too_few(seen: Measured, required: float, release: ReleaseConfig) -> str:
    effect = seen.difference - required
    needed = max(release.minimum_items, seen.needed(effect, release.alpha) if effect > 0 else 0)
    found = f"Only {seen.num_items} held-out items were answered, and {release.minimum_items} are the least to decide on."
    return (
        found if needed == release.minimum_items else f"{found} About {needed} would be needed for a difference of this size."
    )


def _advice(seen: Measured, required: float, release: ReleaseConfig) -> str:
    effect = seen.difference - required
    smallest = f"They find differences of {_points(seen.detectable(release.alpha))} or more."
    needed = seen.needed(effect, release.alpha) if effect > 0 else 0
    return f"{smallest} About {needed} items would be needed for this one." if needed > seen.num_items else smallest


def _standing(opponent: str, seen: Measured) -> str:
    side = "ahead of" if seen.difference >= 0 else "behind"
    if seen.difference == 0:
        return f"The candidate is level with the {NAMES[opponent]}"
    return f"The candidate is {_points(abs(seen.difference))} {side} the {NAMES[opponent]}"


def _points(value: float) -> str:
    return f"{value * 100:.1f} points"


def _signed(value: float) -> str:
    return f"{value * 100:+.1f}"


def format_p(value: float) -> str:
    """Return a p-value for people, with its sign: `= 0.0312`, `< 0.0001`."""
    return f"= {value:.4f}" if value >= 0.0001 else "< 0.0001"
