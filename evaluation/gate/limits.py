"""What a candidate may cost and how slow it may be, whatever its quality. What was not measured counts as too much.

find_excess(comparison, ReleaseConfig(max_p95_latency_s=0.5))     "The candidate takes 0.81 s for 95 of 100 answers; ..."
"""

from evaluation.gate.comparison import Comparison
from evaluation.release.config import ReleaseConfig


def find_excess(comparison: Comparison, release: ReleaseConfig) -> str:
    """Return what the candidate exceeds, as a sentence; empty if it keeps to every limit that is set."""
    found = next((summary for summary in comparison.summaries if summary.comparator == "candidate"), None)
    latency = found.latency_p95_s if found else None
    cost = found.cost_per_1000_usd if found else None
    if release.max_p95_latency_s is not None and not _keeps(latency, release.max_p95_latency_s):
        seen = "was not measured" if latency is None else f"is {latency:.3g} s"
        return f"The candidate's latency (p95) {seen}; at most {release.max_p95_latency_s:.3g} s is allowed."
    if release.max_cost_per_1000_usd is not None and not _keeps(cost, release.max_cost_per_1000_usd):
        seen = "is not known (set `evaluation.gpu_usd_per_hour`)" if cost is None else f"is {cost:.4g} USD"
        return (
            f"The price of 1,000 answers of the candidate {seen}; at most {release.max_cost_per_1000_usd:.4g} USD is allowed."
        )
    return ""


def _keeps(value: float | None, limit: float) -> bool:
    return value is not None and value <= limit  # NaN keeps to nothing
