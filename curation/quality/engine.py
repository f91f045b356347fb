"""The one place that speaks to Great Expectations: a suite and a flat table in, raw results out, nothing printed or written.

evaluate(suite, flat_table)[0]      Finding(result={"success": True, ...}, positions=())

The failing rows of a result are positions in the table, because naming rows inside Great Expectations takes 0.1 ms a row and
expectation: 100,000 failing rows took 10 s by name and 0.1 s by position.
"""

import os
import threading
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from curation.errors import ConfigError
from curation.quality.expectation import ExpectationConfig

_ONE_AT_A_TIME = threading.Lock()
"""Great Expectations keeps its context in a global."""
_RESULT_FORMAT = {"result_format": "COMPLETE", "exclude_unexpected_values": True, "return_unexpected_index_query": False}


class Finding(NamedTuple):
    """What Great Expectations says of one expectation."""

    success: bool
    facts: dict[str, Any]
    """Its `result`: `observed_value`, `unexpected_count`, ..."""
    error: str
    """Why it could not be evaluated; empty if it could."""
    positions: tuple[int, ...]
    """Positions of all failing rows, ascending."""


def evaluate(items: Sequence[ExpectationConfig], table: pa.Table) -> list[Finding]:
    """Return one finding for each expectation, in order.

    Raises:
        ConfigError: if Great Expectations refuses an expectation's arguments.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx
        import pandas as pd

        context = gx.get_context(mode="ephemeral", project_config=_silent_config())
        asset = context.data_sources.add_pandas("rows").add_dataframe_asset("rows")
        frame = table.to_pandas(types_mapper=pd.ArrowDtype)
        batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
        expectations = [_build(item, position) for position, item in enumerate(items)]
        found = batch.validate(gx.ExpectationSuite(name="suite", expectations=expectations), result_format=_RESULT_FORMAT)
        by_position = {result.expectation_config.meta["position"]: _finding(result) for result in found.results}
    return [by_position[position] for position in range(len(items))]


def _silent_config() -> Any:
    """Return a configuration without progress bars, analytics or a folder for documents."""
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults, ProgressBarsConfig

    return DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )


def _build(item: ExpectationConfig, position: int) -> Any:
    from great_expectations.expectations.registry import get_expectation_impl

    column = {} if item.column is None else {"column": item.column}
    try:
        return get_expectation_impl(item.type)(**column, **item.args, severity=item.severity, meta={"position": position})
    except (ValueError, TypeError) as error:
        problem = " ".join(str(error).split())
        raise ConfigError(path=f"quality: {item.type}", problem=problem, value=item.args) from error


def _finding(result: Any) -> Finding:
    facts = dict(result.result or {})
    positions = tuple(sorted(int(position) for position in facts.pop("unexpected_index_list", None) or ()))
    return Finding(bool(result.success), facts, _error_message(result.exception_info or {}), positions)


def _error_message(info: dict[str, Any]) -> str:
    """Return the first exception: Great Expectations nests them by metric when there are several."""
    entries = [info] if "raised_exception" in info else [entry for entry in info.values() if isinstance(entry, dict)]
    messages = [str(entry.get("exception_message") or "unknown error") for entry in entries if entry.get("raised_exception")]
    return " ".join(messages[0].split())[:500] if messages else ""
