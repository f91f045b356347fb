"""Suites of expectations run by Great Expectations on flat Arrow tables, one outcome an expectation.

suite = QualityConfig().suite("sft_dataset")
for outcome in run_suite(suite, flatten_examples(table)):
    outcome.name, outcome.passed, outcome.detail
    # "expect_column_values_to_be_unique__key", False, "2 of 1,200 rows fail in 'key'."
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from curation.config import as_plain
from curation.ids import content_hash
from curation.quality.engine import Finding, evaluate
from curation.quality.expectation import ExpectationConfig, OnFailure, Severity

MAX_FAILING_IDS = 20
ROW_COUNT = ExpectationConfig(type="expect_table_row_count_to_be_between", args={"min_value": 1})
"""Added to every suite without a row count of its own that an empty table fails: an empty table passes everything else."""

Status = Literal["passed", "violated", "errored"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpectationOutcome:
    """What one expectation found on one table."""

    name: str
    """As in `expectation_names`; letters, digits and underscores only."""
    passed: bool
    errored: bool
    """It could not be evaluated, which is not the same as a violation (`passed` is False too)."""
    severity: Severity
    detail: str
    """One sentence for people."""
    observed_value: Any
    """What was measured, as JSON-ready data; None for row-wise expectations."""
    num_failing: int
    """Number of failing rows; 0 for table-wide expectations."""
    failing_ids: tuple[str, ...]
    """Ids of at most MAX_FAILING_IDS failing rows, in table order."""
    num_rows: int = 0
    """Number of rows of the table."""
    on_failure: OnFailure = "report"
    expectation: str = ""
    """The expectation in words, such as `answer: values to match regex`."""
    arguments: str = ""
    """Its arguments, such as `mostly 0.9; regex ^x`."""

    @property
    def status(self) -> Status:
        """`passed`, `violated`, or `errored` if it could not be evaluated."""
        return "errored" if self.errored else "passed" if self.passed else "violated"


def with_row_count(suite: Sequence[ExpectationConfig]) -> tuple[ExpectationConfig, ...]:
    """Return the expectations that really run: the suite, headed by ROW_COUNT unless it has one that an empty table fails.

    An empty suite stays empty.
    """
    counted = any(_fails_on_empty(item) for item in suite)
    return tuple(suite) if counted or not suite else (ROW_COUNT, *suite)


def _fails_on_empty(item: ExpectationConfig) -> bool:
    smallest = item.args.get("min_value", item.args.get("value", 0))
    is_count = item.type in ("expect_table_row_count_to_be_between", "expect_table_row_count_to_equal")
    return is_count and isinstance(smallest, (int, float)) and smallest > 0


def expectation_names(suite: Sequence[ExpectationConfig]) -> tuple[str, ...]:
    """Return one unique name for each expectation that `run_suite` will run, in its order; names survive reordering.

    Where type and column are not enough, the first characters of a hash of the arguments follow.
    """
    items = with_row_count(suite)
    short = [item.type if item.column is None else f"{item.type}__{item.column}" for item in items]
    return tuple(
        name if short.count(name) == 1 else f"{name}__{content_hash(as_plain(item))[:6]}"
        for name, item in zip(short, items, strict=True)
    )


def run_suite(suite: Sequence[ExpectationConfig], table: pa.Table, *, id_column: str = "key") -> tuple[ExpectationOutcome, ...]:
    """Evaluate a suite on a flat table, in the order of `expectation_names`.

    Raises:
        ConfigError: if Great Expectations refuses an expectation's arguments.
    """
    return tuple(outcome for outcome, _ in run_suite_fully(suite, table, id_column=id_column))


def run_suite_fully(
    suite: Sequence[ExpectationConfig], table: pa.Table, *, id_column: str = "key"
) -> tuple[tuple[ExpectationOutcome, tuple[int, ...]], ...]:
    """Do as `run_suite`, with the positions of ALL failing rows beside each outcome."""
    items = with_row_count(suite)
    if not items:
        return ()
    findings = evaluate(items, _needed_columns(items, table))
    named = zip(expectation_names(suite), items, findings, strict=True)
    return tuple((_outcome(name, item, found, table, id_column), found.positions) for name, item, found in named)


def ids_at(table: pa.Table, positions: Sequence[int], id_column: str) -> list[str]:
    """Return the ids of the rows at these positions; an id that is null is an empty text."""
    if id_column not in table.column_names or not positions:
        return []
    return [str(value or "") for value in table[id_column].take(pa.array(positions, pa.int64())).to_pylist()]


def _needed_columns(items: Sequence[ExpectationConfig], table: pa.Table) -> pa.Table:
    """Narrow the table to what the suite reads; a column that is not there shows up as an errored expectation."""
    if any(item.type.startswith("expect_table_column") for item in items):
        return table
    wanted = {name for item in items for name in item.columns()}
    names = [name for name in table.column_names if name in wanted]
    return table.select(names or table.column_names[:1])


def _outcome(name: str, item: ExpectationConfig, found: Finding, table: pa.Table, id_column: str) -> ExpectationOutcome:
    passed = found.success and not found.error
    return ExpectationOutcome(
        name=name,
        passed=passed,
        errored=bool(found.error),
        severity=item.severity,
        detail=_detail(item, found, table.num_rows, passed=passed),
        observed_value=_as_json(found.facts.get("observed_value")),
        num_failing=int(found.facts.get("unexpected_count") or 0),
        failing_ids=tuple(ids_at(table, found.positions[:MAX_FAILING_IDS], id_column)),
        num_rows=table.num_rows,
        on_failure=item.on_failure,
        expectation=_in_words(item),
        arguments="; ".join(f"{name} {value}" for name, value in sorted(item.args.items())),
    )


def _as_json(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return json.loads(json.dumps(value, default=str))


def _in_words(item: ExpectationConfig) -> str:
    rule = item.type.removeprefix("expect_").replace("_", " ")
    return rule if item.column is None else f"{item.column}: {rule.removeprefix('column ')}"


def _detail(item: ExpectationConfig, found: Finding, num_rows: int, *, passed: bool) -> str:
    where = "the table" if item.column is None else f"'{item.column}'"
    if found.error:
        return f"It could not be evaluated on {where}: {found.error}"
    if "unexpected_count" in found.facts:
        return f"{int(found.facts['unexpected_count'] or 0):,} of {num_rows:,} rows fail in {where}."
    wanted = ", ".join(f"{name} {value}" for name, value in sorted(item.args.items()))
    return f"Observed {found.facts.get('observed_value')} in {where}; {'as' if passed else 'not as'} wanted ({wanted})."
