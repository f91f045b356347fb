"""The configuration of evaluation and release.

evaluation: {max_items: 400, shots: 4, comparators: [base, base_few_shot, majority, candidate]}
release: {metric: exact_match, minimum_difference: 0.05}
"""

from typing import Literal

from curation.config import check, config

Comparator = Literal["base", "base_few_shot", "majority", "dapt", "sft", "candidate", "champion"]
"""`candidate` is the last model that the recipe trains; `champion`, the model promoted last (when there is one)."""
Metric = Literal["exact_match", "json_valid", "token_f1"]

METRICS: tuple[Metric, ...] = ("exact_match", "json_valid", "token_f1")
BINARY_METRICS: frozenset[str] = frozenset({"exact_match", "json_valid"})


@config
class EvaluationConfig:
    """What is answered, by which models, and how sure the intervals are."""

    max_items: int = 400
    """Held-out items that every comparator answers; a stable subset when there are more."""
    max_new_tokens: int = 24
    """Longest answer in tokens; what is longer is cut there."""
    batch_size: int = 64
    """Prompts answered at once."""
    shots: int = 4
    """Training examples shown to `base_few_shot` before each question."""
    confidence: float = 0.95
    """Confidence of all intervals."""
    bootstrap_samples: int = 2000
    """Resamples of the paired bootstrap, and sign flips of the group test."""
    seed: int = 0
    """Seed of item choice, shots and resampling."""
    comparators: tuple[Comparator, ...] = ("base", "base_few_shot", "majority", "sft", "candidate", "champion")
    """Who answers. `champion` is left out while there is none; `base` and `candidate` are always needed."""
    metrics: tuple[Metric, ...] = METRICS
    """What the report shows; the release metric has to be among them."""

    def __post_init__(self) -> None:
        check(self.max_items >= 1, "evaluation.max_items", "must be at least 1", self.max_items)
        check(1 <= self.max_new_tokens <= 32768, "evaluation.max_new_tokens", "must lie in [1, 32768]", self.max_new_tokens)
        check(1 <= self.batch_size <= 4096, "evaluation.batch_size", "must lie in [1, 4096]", self.batch_size)
        check(0 <= self.shots <= 64, "evaluation.shots", "must lie in [0, 64]", self.shots)
        check(0.5 <= self.confidence < 1, "evaluation.confidence", "must lie in [0.5, 1)", self.confidence)
        check(
            100 <= self.bootstrap_samples <= 1_000_000,
            "evaluation.bootstrap_samples",
            "must lie in [100, 1000000]",
            self.bootstrap_samples,
        )
        check(self.seed >= 0, "evaluation.seed", "must not be negative", self.seed)
        check(_unique(self.comparators), "evaluation.comparators", "names a comparator twice", self.comparators)
        needed = {"base", "candidate"} <= set(self.comparators)
        check(needed, "evaluation.comparators", "must contain both base and candidate", self.comparators)
        check(bool(self.metrics) and _unique(self.metrics), "evaluation.metrics", "must name each metric once", self.metrics)
        few_shot = "base_few_shot" in self.comparators
        check(not few_shot or self.shots > 0, "evaluation.shots", "must be at least 1 for base_few_shot", self.shots)


@config
class ReleaseConfig:
    """When a candidate becomes the champion."""

    metric: Metric = "exact_match"
    """The metric that decides."""
    minimum_difference: float = 0.0
    """The candidate must beat the base by more than this, with the lower bound of the interval."""
    alpha: float = 0.01
    """Largest p-value of the paired tests at which the candidate passes."""
    minimum_items: int = 50
    """With fewer held-out items nothing is decided."""
    against_champion: bool = True
    """Compare with the champion as well: it must not be worse by `champion_margin` or more."""
    champion_margin: float = 0.05
    """How far the lower bound of candidate minus champion may lie below 0."""

    def __post_init__(self) -> None:
        check(-1 < self.minimum_difference < 1, "release.minimum_difference", "must lie in (-1, 1)", self.minimum_difference)
        check(0 < self.alpha <= 0.2, "release.alpha", "must lie in (0, 0.2]", self.alpha)
        check(self.minimum_items >= 2, "release.minimum_items", "must be at least 2", self.minimum_items)
        check(0 <= self.champion_margin < 1, "release.champion_margin", "must lie in [0, 1)", self.champion_margin)


def _unique(values: tuple[str, ...]) -> bool:
    return len(set(values)) == len(values)
