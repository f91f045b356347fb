"""What the collapse guard asks of a training set before money is spent on it.

collapse: {min_real_share: 0.3, max_generation_depth: 2, slice_by: task}
"""

from typing import Literal

from curation.config import check, config


@config
class CollapseConfig:
    """Limits of the collapse guard (arXiv 2404.01413, 2410.16713: accumulate real data, never replace it)."""

    is_on: bool = True
    """Assess the training set at all."""

    slice_by: Literal["task", "source", "task_and_source", "all"] = "task"
    """What a slice is; real and synthetic rows of one task usually come from different sources."""

    min_real_share: float = 0.3
    """Least share of human rows, by weight, in every slice that has any, 0 to 1."""

    max_generation_depth: int = 2
    """Most model-made generations between a row and what people wrote (1: made from source text)."""

    min_seed_kept: float = 0.9
    """Share of the seed rows that must still be among the rows, or a warning says that they were replaced; 0 for none."""

    min_slice_rows: int = 50
    """Diversity is measured where the slice has at least so many synthetic rows, and compared where as many are human."""

    sample_rows: int = 2_000
    """Most rows of a slice whose words are counted, a seeded sample."""

    neighbour_rows: int = 500
    """Most rows of a slice that are compared with each other, a seeded sample."""

    seed: str = "collapse"
    """Draws the samples."""

    warn_below: float = 0.8
    """A measure warns if the synthetic rows of a slice keep less than this share of the diversity of its human rows."""

    fail_below: float = 0.6
    """A measure fails if they keep less than this share."""

    min_distinct_3: float = 0.05
    """Without human rows to compare with: least share of word trigrams that are distinct."""

    max_self_similarity: float = 0.9
    """Without human rows to compare with: highest mean Jaccard similarity of a row and its nearest neighbour."""

    def __post_init__(self) -> None:
        for name in ("min_real_share", "min_seed_kept", "warn_below", "fail_below", "min_distinct_3", "max_self_similarity"):
            value = getattr(self, name)
            check(0 <= value <= 1, name, "must lie in [0, 1]", value)
        check(self.fail_below <= self.warn_below, "fail_below", "must not be above warn_below", self.fail_below)
        check(self.max_generation_depth >= 0, "max_generation_depth", "must not be negative", self.max_generation_depth)
        check(self.min_slice_rows >= 10, "min_slice_rows", "must be at least 10", self.min_slice_rows)
        fits = self.sample_rows >= self.min_slice_rows
        check(fits, "sample_rows", "is below min_slice_rows", self.sample_rows)
        fits = self.min_slice_rows <= self.neighbour_rows <= 5_000
        check(fits, "neighbour_rows", "must lie between min_slice_rows and 5000", self.neighbour_rows)
