"""Rows that break an expectation whose `on_failure` is `reject` or `review`.

routed = route_by_quality(rows, suite, languages)
routed.kept, routed.rejections, routed.review_keys
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from curation.curate.row_checks import STAGE, Row
from curation.quality.expectation import ExpectationConfig
from curation.quality.flatten import flatten_table
from curation.quality.routing import reject_routed, route_failing_rows
from curation.records import Example, Rejection
from curation.tables import to_arrow


@dataclass(frozen=True, kw_only=True)
class QualityRouted:
    """What a suite does with rows."""

    kept: tuple[Row, ...]
    """In the order given."""
    rejections: tuple[Rejection, ...] = ()
    review_keys: Mapping[str, str] = field(default_factory=dict)
    """Record key -> expectation, for rows that people have to look at."""


def route_by_quality(rows: Sequence[Row], suite: Sequence[ExpectationConfig], languages: Mapping[str, str]) -> QualityRouted:
    """Reject, or mark for review, the examples that break an expectation which says so; pairs pass.

    Great Expectations, which takes seconds to load, is asked only if an expectation routes rows at all.
    """
    routing = [item for item in suite if item.on_failure != "report"]
    examples = [row for row in rows if isinstance(row, Example)]
    if not routing or not examples:
        return QualityRouted(kept=tuple(rows))
    table = to_arrow(Example, examples)
    flat = flatten_table("curated_examples", table, languages=[languages.get(row.key, "") for row in examples])
    routed = route_failing_rows(routing, flat)
    kept, rejections = reject_routed(examples, routed, stage=STAGE)
    keys = {row.key for row in kept}
    return QualityRouted(
        kept=tuple(row for row in rows if not isinstance(row, Example) or row.key in keys),
        rejections=rejections,
        review_keys=routed.review_keys,
    )
