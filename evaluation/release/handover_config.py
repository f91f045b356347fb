"""The configuration of the hand-over: how much of the evaluation each exported artefact repeats, and how well it must agree.

release:
  handover: {max_items: 200, score_tolerance: 0.02, minimum_same: 0.8}
"""

from curation.config import check, config


@config
class HandoverConfig:
    """The gate's scores, measured again on what ships. Greedy answers of the same weights differ by rounding only."""

    max_items: int = 200
    """Held-out items that each exported form answers again; a stable subset when there are more."""
    score_tolerance: float = 0.02
    """How far the mean of a metric may lie from that of the candidate's stored answers to the same items."""
    minimum_same: float = 0.8
    """Share of answers that must be those of the candidate, word for word. Long answers in 16 bits part sooner: lower it."""

    def __post_init__(self) -> None:
        check(self.max_items >= 1, "release.handover.max_items", "must be at least 1", self.max_items)
        check(0 <= self.score_tolerance < 1, "release.handover.score_tolerance", "must lie in [0, 1)", self.score_tolerance)
        check(0 <= self.minimum_same <= 1, "release.handover.minimum_same", "must lie in [0, 1]", self.minimum_same)
