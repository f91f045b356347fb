"""Suites of expectations run by Great Expectations on flat Arrow tables, one outcome an expectation.

suite = QualityConfig().suite("sft_dataset")
for outcome in run_suite(suite, flatten_examples(table)):
    outcome.name, outcome.passed, outcome.detail
    # "expect_column_values_to_be_unique__key", False, "2 of 1,200 values in 'key' fail."
"""

import json
import os
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from curation.config import as_plain
from curation.errors import ConfigError
from curation.ids import content_hash
from curation.quality.config import ExpectationConfig, Severity

MAX_FAILING_IDS = 20
ROW_COUNT = ExpectationConfig(type="expect_table_row_count_to_be_between", args={"min_value": 1})
"""Added to every suite without a row count: an empty table passes everything else."""
_ONE_AT_A_TIME = threading.Lock()
"""Great Expectations keeps its context in a global."""


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


def with_row_count(suite: Sequence[ExpectationConfig]) -> tuple[ExpectationConfig, ...]:
    """Return the expectations that really run: the suite, headed by a row count unless it has one. Empty stays empty."""
    counted = any(item.type.startswith("expect_table_row_count_") for item in suite)
    return tuple(suite) if counted or not suite else (ROW_COUNT, *suite)


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
    items = with_row_count(suite)
    if not items:
        return ()
    results = _validate(items, _needed_columns(items, table, id_column), id_column)
    named = zip(expectation_names(suite), items, results, strict=True)
    return tuple(_outcome(name, item, result, table.num_rows, id_column) for name, item, result in named)


def _needed_columns(items: Sequence[ExpectationConfig], table: pa.Table, id_column: str) -> pa.Table:
    """Narrow the table to what the suite reads; a column that is not there shows up as an errored expectation."""
    if any(item.type.startswith("expect_table_column") for item in items):
        return table
    wanted = {id_column, *(name for item in items for name in item.columns())}
    return table.select([name for name in table.column_names if name in wanted])


def _validate(items: Sequence[ExpectationConfig], table: pa.Table, id_column: str) -> list[dict[str, Any]]:
    """Return the raw result of each expectation, in order. Nothing is printed, written or sent."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx
        import pandas as pd
        from great_expectations.data_context.types.base import ProgressBarsConfig

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        asset = context.data_sources.add_pandas("rows").add_dataframe_asset("rows")
        frame = table.to_pandas(types_mapper=pd.ArrowDtype)
        batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
        expectations = [_build(item, position) for position, item in enumerate(items)]
        wanted = {"result_format": "COMPLETE", "unexpected_index_column_names": [id_column]}
        found = batch.validate(gx.ExpectationSuite(name="suite", expectations=expectations), result_format=wanted)
        by_position = {result.expectation_config.meta["position"]: result.to_json_dict() for result in found.results}
    return [by_position[position] for position in range(len(items))]


def _build(item: ExpectationConfig, position: int) -> Any:
    from great_expectations.expectations.registry import get_expectation_impl

    column = {} if item.column is None else {"column": item.column}
    try:
        return get_expectation_impl(item.type)(**column, **item.args, severity=item.severity, meta={"position": position})
    except (ValueError, TypeError) as error:
        problem = " ".join(str(error).split())
        raise ConfigError(path=f"quality: {item.type}", problem=problem, value=item.args) from error


def _outcome(name: str, item: ExpectationConfig, result: dict[str, Any], num_rows: int, id_column: str) -> ExpectationOutcome:
    error = _error_message(result.get("exception_info") or {})
    facts = result.get("result") or {}
    passed = bool(result.get("success")) and not error
    num_failing = int(facts.get("unexpected_count") or 0)
    rows = facts.get("unexpected_index_list") or []
    return ExpectationOutcome(
        name=name,
        passed=passed,
        errored=bool(error),
        severity=item.severity,
        detail=_detail(item, facts, num_rows, passed=passed, error=error),
        observed_value=json.loads(json.dumps(facts.get("observed_value"), default=str)),
        num_failing=num_failing,
        failing_ids=tuple(str(row[id_column]) for row in rows[:MAX_FAILING_IDS] if id_column in row),
    )


def _error_message(info: dict[str, Any]) -> str:
    """Return the first exception: Great Expectations nests them by metric when there are several."""
    entries = [info] if "raised_exception" in info else [entry for entry in info.values() if isinstance(entry, dict)]
    messages = [str(entry.get("exception_message") or "unknown error") for entry in entries if entry.get("raised_exception")]
    return " ".join(messages[0].split())[:500] if messages else ""


def _detail(item: ExpectationConfig, facts: dict[str, Any], num_rows: int, *, passed: bool, error: str) -> str:
    where = "the table" if item.column is None else f"'{item.column}'"
    if error:
        return f"It could not be evaluated on {where}: {error}"
    if "unexpected_count" in facts:
        return f"{int(facts['unexpected_count'] or 0):,} of {num_rows:,} rows fail in {where}."
    wanted = ", ".join(f"{name} {value}" for name, value in sorted(item.args.items()))
    return f"Observed {facts.get('observed_value')} in {where}; {'as' if passed else 'not as'} wanted ({wanted})."
