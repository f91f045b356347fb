"""What a candidate has to show besides the release metric: further metrics to win, and losses that must not be.

release:
  requires: [{metric: macro_f1, minimum_difference: 0.02}]
  guards:
    - {metric: exact_match, slice: topic, margin: 0.05}            every value of the slice
    - {metric: accuracy, task: arithmetic, margin: 0.02}
"""

import math
from typing import Literal

from curation.config import check, config
from evaluation.tasks.metrics import Metric


@config
class RequirementConfig:
    """A metric on which the candidate has to beat the base as well."""

    metric: Metric
    """What is compared."""
    task: str = ""
    """Name of the task; empty: the main task."""
    slice: str = ""
    """`NAME=VALUE` of a slice; empty: all items."""
    minimum_difference: float = 0.0
    """The lower bound of the interval must lie above this."""

    def __post_init__(self) -> None:
        highest = math.inf if self.metric == "log_loss" else 1
        problem = "must lie in [0, 1): the base has to be beaten" if highest == 1 else "must be 0 or more nats a byte"
        within = 0 <= self.minimum_difference < highest
        check(within, "release.requires.minimum_difference", problem, self.minimum_difference)
        is_value = not self.slice or "=" in self.slice.strip("=")
        check(is_value, "release.requires.slice", "must be NAME=VALUE", self.slice)


@config
class GuardConfig:
    """A metric on which the candidate must not be worse by a margin or more."""

    metric: Metric
    """What is compared."""
    task: str = ""
    """Name of the task; empty: the main task."""
    slice: str = ""
    """`NAME` guards every value of a slice, `NAME=VALUE` one; empty: all items together."""
    margin: float = 0.05
    """The lower bound of the interval must lie above minus this; in nats a byte for `log_loss`."""
    against: Literal["base", "champion"] = "base"
    """Whom the candidate is compared with; `champion` is the base while there is none."""
    minimum_items: int = 10
    """With fewer items a value of `NAME` is shown and guards nothing; `NAME=VALUE`, which you asked for, is undecided."""
    on_undecided: Literal["block", "allow"] = "block"
    """What happens where the items are too few to tell; `allow` stops shown losses only."""

    def __post_init__(self) -> None:
        check(0 < self.margin < 1, "release.guards.margin", "must lie in (0, 1)", self.margin)
        check(self.minimum_items >= 2, "release.guards.minimum_items", "must be at least 2", self.minimum_items)
