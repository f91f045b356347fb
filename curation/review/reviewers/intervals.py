"""The interval of a share: Wilson's score interval (Wilson 1927), which stays within 0 and 1 and holds for few trials.

share_interval(18, 20)      Share(value=0.9, low=0.699, high=0.972, num=20)
"""

import math
from dataclasses import dataclass

Z_95 = 1.959963984540054
"""Standard errors of a two-sided 95 % interval."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """A share with its 95 % interval. Of no trials, the value is None and the interval everything."""

    value: float | None
    low: float
    high: float
    num: int

    def __str__(self) -> str:
        return "none yet" if self.value is None else f"{self.value:.0%} [{self.low:.0%}, {self.high:.0%}] of {self.num:,}"


def share_interval(num_hits: int, num: int) -> Share:
    """Return the share of hits with its 95 % interval."""
    if num == 0:
        return Share(value=None, low=0.0, high=1.0, num=0)
    share, square = num_hits / num, Z_95**2
    centre = (share + square / (2 * num)) / (1 + square / num)
    half = Z_95 * math.sqrt(share * (1 - share) / num + square / (4 * num**2)) / (1 + square / num)
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return Share(value=share, low=0.0 if num_hits == 0 else low, high=1.0 if num_hits == num else high, num=num)
