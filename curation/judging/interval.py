"""A statistic with its interval, as it is shown and stored; how it comes about is in `bootstrap.py`.

str(Estimate(value=0.71, low=0.6, high=0.81))     "0.710 [0.600, 0.810]"
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A statistic with its 95 % interval; all three are None where it is undefined, and `reason` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    num_items: int = 0
    num_clusters: int = 0
    reason: str = ""

    def __str__(self) -> str:
        if self.value is None:
            return f"undefined ({self.reason})"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"
