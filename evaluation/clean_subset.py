"""Scores on the items that no training row gives away, beside the scores on all of them.

    subset = score_clean_subset(scores, {"faq/12"}, config)
    subset.num_items, subset.num_contaminated          (399, 1)
    subset.mean("candidate", "exact_match")            0.71

When a model scores much better on all items than on the clean ones, it knows the others by heart.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from evaluation.comparison import Summary, summarise
from evaluation.config import EvaluationConfig
from evaluation.records import Score
from evaluation.verdict import NAMES


@dataclass(frozen=True, kw_only=True)
class CleanSubset:
    """What every comparator scores on the items without a counterpart in the training data."""

    num_items: int
    num_contaminated: int
    """Items left out, because a training row gives them away."""
    summaries: tuple[Summary, ...]
    """In the order of the report; empty if no item is clean."""

    def mean(self, comparator: str, metric: str) -> float | None:
        """Return a comparator's mean on the clean items, or None if it was not asked or no item is clean."""
        found = (item for summary in self.summaries if summary.comparator == comparator for item in summary.estimates)
        return next((item.mean for item in found if item.metric == metric), None)


def score_clean_subset(scores: Iterable[Score], contaminated: Collection[str], config: EvaluationConfig) -> CleanSubset:
    """Summarise the scores of the items whose keys are not among the contaminated ones."""
    clean: dict[str, list[Score]] = {}
    left_out = set()
    items = set()
    for score in sorted(scores, key=lambda score: score.key):
        if score.item_key in contaminated:
            left_out.add(score.item_key)
            continue
        items.add(score.item_key)
        clean.setdefault(score.comparator, []).append(score)
    summaries = tuple(summarise(name, clean[name], config) for name in NAMES if name in clean)
    return CleanSubset(num_items=len(items), num_contaminated=len(left_out), summaries=summaries)
