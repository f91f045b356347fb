"""Where the loss falls fastest as the learning rate rises: the learning-rate range test (Smith 2017, arXiv:1506.01186).

rates = spread_rates(1e-7, 1.0, 100)
suggest_rate(rates, losses)      RangeResult(suggested=2e-3, steepest=2e-3, best=2e-2, diverged=0.3)
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

STOP_FACTOR = 4.0
"""The test ends where the smoothed loss is so many times its best (as fastai's finder does)."""
BETA = 0.9
"""Weight of the past in the smoothed loss, corrected for the beginning."""
MIN_POINTS = 10
STARTED = 0.1
"""The loss has begun to fall where so much of its whole fall is done."""
SLOWER = 10.0
"""A stage has many more steps at its rate than the test has, so it learns at a rate that is so many times lower as well."""


class RangeResult(NamedTuple):
    """What a range test found; nan where the curve does not show it."""

    suggested: float
    """Where the loss fell fastest, and at most a third of where it was lowest."""
    steepest: float
    best: float
    """Where the smoothed loss was lowest."""
    diverged: float
    """Where it was STOP_FACTOR times its best, or no number any more."""


def spread_rates(lowest: float, highest: float, num_steps: int) -> list[float]:
    """Return learning rates that grow by the same factor from step to step."""
    growth = (highest / lowest) ** (1 / max(1, num_steps - 1))
    return [lowest * growth**step for step in range(num_steps)]


def smooth(losses: Sequence[float]) -> list[float]:
    """Return the exponential mean of losses, up to the first that is not a number."""
    mean, smoothed = 0.0, []
    for number, loss in enumerate(losses, start=1):
        if not math.isfinite(loss):
            break
        mean = BETA * mean + (1 - BETA) * loss
        smoothed.append(mean / (1 - BETA**number))
    return smoothed


def has_diverged(losses: Sequence[float]) -> bool:
    """Tell whether the test can end."""
    smoothed = smooth(losses)
    return len(smoothed) < len(losses) or (len(smoothed) > MIN_POINTS and smoothed[-1] > STOP_FACTOR * min(smoothed))


class SafeRange(NamedTuple):
    """Learning rates between which a stage learns and does not diverge; nan where the curve does not show it."""

    lowest: float
    """A tenth of the rate at which the loss began to fall."""
    highest: float
    """The rate at which the smoothed loss was lowest: from there on it rises."""


def find_safe_range(rates: Sequence[float], losses: Sequence[float]) -> SafeRange:
    """Return the learning rates that a range test found to be safe; see `suggest_rate`."""
    result = suggest_rate(rates, losses)
    if not math.isfinite(result.suggested):
        return SafeRange(math.nan, math.nan)
    smoothed = smooth(losses)
    end = list(rates).index(result.best)
    level = smoothed[0] - STARTED * (smoothed[0] - smoothed[end])
    risen = [number for number in range(end + 1) if smoothed[number] > level]  # the last of them, for a loss has noise
    return SafeRange(min(rates[risen[-1]], result.suggested) / SLOWER, result.best)


def suggest_rate(rates: Sequence[float], losses: Sequence[float]) -> RangeResult:
    """Return the learning rate at which the smoothed loss fell fastest, over the logarithm of the rate."""
    smoothed = np.array(smooth(losses))
    end = len(smoothed)
    if end > MIN_POINTS:
        risen = np.flatnonzero(smoothed > STOP_FACTOR * np.minimum.accumulate(smoothed))
        end = int(risen[0]) if len(risen) else end
    diverged = rates[end] if end < min(len(losses), len(rates)) else math.nan
    lowest = int(np.argmin(smoothed[:end])) if end else 0
    if lowest < MIN_POINTS or smoothed[lowest] >= smoothed[0]:
        return RangeResult(math.nan, math.nan, rates[lowest] if end else math.nan, diverged)
    slope = np.gradient(smoothed[: lowest + 1], np.log(np.array(rates[: lowest + 1])))
    steepest = rates[int(np.argmin(slope))]
    return RangeResult(min(steepest, rates[lowest] / 3), steepest, rates[lowest], diverged)
