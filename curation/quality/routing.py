"""What happens to the rows that break an expectation: they are rejected or sent to review, as the suite says.

routed = route_failing_rows(suite, flatten_examples(table))
routed.reject_keys                        {"faq/a.csv#7": "expect_column_values_to_not_match_regex__answer"}
kept, rejections = reject_routed(examples, routed, stage="curated_examples")
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa

from curation.quality.expectation import ExpectationConfig
from curation.quality.suites import ExpectationOutcome, ids_at, run_suite_fully
from curation.records import Record, Rejection, reject

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, kw_only=True, slots=True)
class Routed:
    """Where the failing rows go. No key stands on both sides: a rejected row is not reviewed as well."""

    reject_keys: dict[str, str]
    """All keys of rows to reject, with the name of the first expectation (in suite order) that they break."""
    review_keys: dict[str, str]
    """All keys of rows for people to look at, likewise."""
    outcomes: tuple[ExpectationOutcome, ...]
    """As `run_suite` returns them, for rows that are still all there."""


def route_failing_rows(suite: Sequence[ExpectationConfig], table: pa.Table, *, id_column: str = "key") -> Routed:
    """Run a suite and say which rows its `on_failure` sends where; an expectation that could not be evaluated sends none.

    Raises:
        ConfigError: if Great Expectations refuses an expectation's arguments.
    """
    found = run_suite_fully(suite, table, id_column=id_column)
    keys: dict[str, dict[str, str]] = {"reject": {}, "review": {}, "report": {}}
    for outcome, positions in found:
        if outcome.on_failure != "report" and not outcome.errored:
            for key in ids_at(table, positions, id_column):
                keys[outcome.on_failure].setdefault(key, outcome.name)
    review = {key: name for key, name in keys["review"].items() if key not in keys["reject"]}
    return Routed(reject_keys=keys["reject"], review_keys=review, outcomes=tuple(outcome for outcome, _ in found))


def reject_routed(rows: Iterable[R], routed: Routed, *, stage: str) -> tuple[tuple[R, ...], tuple[Rejection, ...]]:
    """Split rows into those that stay, in order, and rejections with the reason `quality:NAME`."""
    in_words = {item.name: f"{item.expectation} ({item.arguments})" for item in routed.outcomes}
    kept: list[R] = []
    rejections: list[Rejection] = []
    for row in rows:
        name = routed.reject_keys.get(row.key)
        if name is None:
            kept.append(row)
        else:
            detail = f"The row breaks an expectation of its suite: {in_words[name]}."
            rejections.append(reject(row, stage=stage, reason=f"quality:{name}", detail=detail))
    return tuple(kept), tuple(rejections)
