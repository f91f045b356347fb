"""Which copy stays: a declared order of criteria.

in_order_of_preference([model_row, human_row], ("origin", "newest"))       [1, 0]
"""

from collections.abc import Sequence

from curation.duplicates.comparison import Row, compare_by
from curation.duplicates.config import Criterion


def in_order_of_preference(rows: Sequence[Row], keep: Sequence[Criterion]) -> list[int]:
    """Return the positions of rows, the one that shall stay first; the smaller key decides last."""
    order = sorted(range(len(rows)), key=lambda at: rows[at].key)
    for criterion in reversed(keep):
        if criterion == "origin":
            order.sort(key=lambda at: rows[at].provenance.origin != "human")
        elif criterion == "newest":
            order.sort(key=lambda at: rows[at].provenance.created_at, reverse=True)
        else:
            order.sort(key=lambda at: -len(compare_by(rows[at]).answer))
    return order
