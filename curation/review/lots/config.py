"""What a recipe says about lots: how rows form them, and the sampling plan that each has to pass.

LotConfig(n=93, c=1, quality_level=0.05, by="source")     # of 93 items at most one may be bad
"""

from typing import Literal

from curation.config import check, config
from curation.review.lots.plan import AcceptancePlan, accept_probability, smallest_sample

MAX_CONSUMER_RISK = 0.1
"""The usual bound: a lot of the quality level is accepted at most once in ten times."""
MAX_SAMPLE = 100_000
MAX_BAD = 1_000


@config
class LotConfig:
    """Acceptance sampling: people look at a random sample of every lot, and at all of a lot whose sample fails."""

    n: int = 59
    """How many items of a lot are inspected; a lot that has no more is inspected in full."""

    c: int = 0
    """How many of them may be bad in a lot that is accepted. Bad is every verdict but `approve` and `prefer_a`."""

    quality_level: float = 0.05
    """Share of bad items that shall not get through. A plan that accepts such a lot more than once in ten times is refused."""

    by: Literal["task", "source", "recipe"] = "task"
    """What forms a lot: the rows of one task, of one source, or all of the recipe; examples and pairs are never mixed."""

    after_failure: Literal["inspect_all"] = "inspect_all"
    """What happens to a lot whose sample fails: every item of it needs a verdict."""

    max_lot_size: int | None = None
    """Lots with more items are halved (by the hash of the item) until none has more. Null: any size."""

    def __post_init__(self) -> None:
        check(1 <= self.n <= MAX_SAMPLE, "n", f"must be 1 to {MAX_SAMPLE:,}", self.n)
        check(0 <= self.c < min(self.n, MAX_BAD), "c", f"must be 0 or more, and less than n and {MAX_BAD:,}", self.c)
        check(0 < self.quality_level < 1, "quality_level", "must lie in (0, 1)", self.quality_level)
        risk = accept_probability(self.plan, self.quality_level)
        enough = smallest_sample(self.c, self.quality_level, MAX_CONSUMER_RISK)
        problem = (
            f"is too small: a lot with {self.quality_level:.2%} bad items would be accepted with a probability of"
            f" {risk:.0%}; with c={self.c} take at least {enough:,}"
        )
        check(risk <= MAX_CONSUMER_RISK, "n", problem, self.n)
        large_enough = self.max_lot_size is None or self.max_lot_size > self.n
        check(large_enough, "max_lot_size", "must be greater than n, or every item would be inspected", self.max_lot_size)

    @property
    def plan(self) -> AcceptancePlan:
        """The plan of every lot."""
        return AcceptancePlan(n=self.n, c=self.c)
