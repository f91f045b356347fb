"""The configuration of the forgetting gate: what a model has to know still after it was tuned.

forgetting: {suite: general, margins: {facts: 0.05}, blocks: true}
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from curation.config import check, config
from evaluation.memorisation.config import MemorisationConfig

AREAS = ("grammar", "facts", "arithmetic", "reading", "common_sense", "instructions", "code", "refusal", "text")
"""The areas of the general suite, in the order of reports."""


@config
class ForgettingConfig:
    """Which items every stage of training is measured on, and how much the result may have lost against the base."""

    suite: Literal["general", "none"] = "general"
    """`general`: 344 items that come with Tunewright, in nine areas; `none`: only those of `files`."""
    files: tuple[str, ...] = ()
    """JSONL files with items of your own; their areas are judged like the others. See the guide for the fields."""
    areas: tuple[str, ...] = ()
    """Areas that count; empty for all."""
    max_items: int = 40
    """Items an area, a stable choice when there are more."""
    margin: float = 0.1
    """How much an area may lose where the base is above chance, as a share of right answers."""
    loss_margin: float = 0.1
    """How much an area may lose where right answers cannot tell, in nats a byte of the reference."""
    margins: Mapping[str, float] = field(default_factory=dict)
    """Margins of single areas, in the unit by which the area is judged."""
    alpha: float = 0.05
    """Level of the one-sided non-inferiority test of each area. All areas have to pass, so none is corrected for the others."""
    minimum_items: int = 20
    """An area with fewer items is undecided."""
    undecided: Literal["block", "pass"] = "block"
    """What becomes of a release when an area is undecided."""
    blocks: bool = True
    """Whether a model that has forgotten is kept from release; if not, the check only warns."""
    max_new_tokens: int = 64
    """Longest generated answer in tokens."""
    batch_size: int = 32
    """Prompts or continuations at once."""
    bootstrap_samples: int = 2000
    """Resamples of the interval."""
    seed: int = 0
    """Seed of the choice of items and of the resampling."""
    memorisation: MemorisationConfig | None = MemorisationConfig()
    """What is measured on training rows; null for nothing."""

    def __post_init__(self) -> None:
        check(self.suite != "none" or bool(self.files), "forgetting.files", "must name a file where suite is none", self.files)
        check(self.max_items >= 1, "forgetting.max_items", "must be at least 1", self.max_items)
        for name, value in (("margin", self.margin), ("loss_margin", self.loss_margin)):
            check(0 < value < 1, f"forgetting.{name}", "must lie in (0, 1)", value)
        for area, value in self.margins.items():
            check(0 < value < 1, f"forgetting.margins.{area}", "must lie in (0, 1)", value)
        if not self.files:
            for name, areas in (("areas", self.areas), ("margins", tuple(self.margins))):
                unknown = [area for area in areas if area not in AREAS]
                check(not unknown, f"forgetting.{name}", f"names an area that is not one of {', '.join(AREAS)}", unknown)
        check(0 < self.alpha <= 0.2, "forgetting.alpha", "must lie in (0, 0.2]", self.alpha)
        check(self.minimum_items >= 2, "forgetting.minimum_items", "must be at least 2", self.minimum_items)
        check(1 <= self.max_new_tokens <= 4096, "forgetting.max_new_tokens", "must lie in [1, 4096]", self.max_new_tokens)
        check(1 <= self.batch_size <= 4096, "forgetting.batch_size", "must lie in [1, 4096]", self.batch_size)
        samples = self.bootstrap_samples
        check(100 <= samples <= 1_000_000, "forgetting.bootstrap_samples", "must lie in [100, 1000000]", samples)
        check(self.seed >= 0, "forgetting.seed", "must not be negative", self.seed)

    def margin_of(self, area: str, *, is_loss: bool) -> float:
        """Return how much an area may lose: a share of right answers, or nats a byte."""
        return self.margins.get(area, self.loss_margin if is_loss else self.margin)
