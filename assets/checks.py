"""Asset checks that stand on their own: one a Great Expectation, and the proof that training rows are not held out."""

import json
from collections.abc import Iterable
from typing import Any

import dagster as dg
import pyarrow as pa

from assets import costs, judge, lineage, lots
from assets.curated import ROW_CLASSES, SHARDED, shard_snapshots
from assets.recipe import Recipe
from curation.errors import EvaluationError
from curation.home import Home
from curation.quality.expectation import ExpectationConfig
from curation.quality.flatten import flatten_table, record_class
from curation.quality.gallery import TABLE_NAMES, TableName
from curation.quality.suites import ExpectationOutcome, expectation_names, run_suite, with_row_count
from curation.records import Document, Example
from curation.store import Store
from curation.tables import schema_of
from evaluation.items import assert_held_out

SEVERITIES = {
    "critical": dg.AssetCheckSeverity.ERROR,
    "warning": dg.AssetCheckSeverity.WARN,
    "info": dg.AssetCheckSeverity.WARN,
}

LONGEST_LIMIT = 120
"""Characters of an argument that the description of a check shows."""
ASSET_OF = {"unpaired_preferences": "unpaired_dataset"}
TABLE_OF_RECORD: dict[type, str] = {Document: "documents", **{cls: name for name, cls in ROW_CLASSES.items()}}


def build(recipe: Recipe, condition: dg.AutomationCondition[Any] | None = None) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a recipe, and when they are evaluated without anybody asking for it."""
    suites = [_suite_checks(recipe, name, recipe.quality.suite(name), condition) for name in checked_tables(recipe)]
    return [
        *suites,
        _held_out_check(recipe, condition),
        *costs.build_checks(recipe, condition),
        *judge.build_checks(recipe, condition),
        *lineage.build_checks(recipe, condition),
        *lots.build_checks(recipe, condition),
    ]


def checked_tables(recipe: Recipe) -> tuple[TableName, ...]:
    """Return the tables of this recipe that have a suite: those that its sources and training stages fill."""
    roles = {source.role for source in recipe.sources}
    unused = set() if recipe.training.reads("preference_dataset") else {"preference_dataset"}
    unused |= {"demonstrations", "unpaired_preferences"} if "demonstrations" not in roles else set()
    unused |= {"documents", "candidates"} if "documents" not in roles else set()
    # Whether people rated answers at all is known only when they are read: such a table is checked if the recipe says how.
    unused |= {"unpaired_preferences"} if recipe.quality.is_default("unpaired_preferences") else set()
    return tuple(name for name in TABLE_NAMES if name not in unused and recipe.quality.suite(name))


def _suite_checks(
    recipe: Recipe, table: TableName, suite: tuple[ExpectationConfig, ...], condition: dg.AutomationCondition[Any] | None
) -> dg.AssetChecksDefinition:
    asset = dg.AssetKey([recipe.name, ASSET_OF.get(table, table)])
    specs = [
        dg.AssetCheckSpec(
            name=name,
            asset=asset,
            blocking=expectation.severity == "critical",
            description=describe_expectation(expectation),
            automation_condition=condition,
        )
        for name, expectation in zip(expectation_names(suite), with_row_count(suite), strict=True)
    ]

    @dg.multi_asset_check(name=f"{recipe.name}_{table}_quality", specs=specs)
    def quality(home: dg.ResourceParam[Home]) -> Iterable[dg.AssetCheckResult]:
        num_missing = _missing_shards(recipe, home.store(), table)
        if num_missing:
            waiting = f"Waits for {num_missing} shards that were not read yet."
            for spec in specs:
                yield dg.AssetCheckResult(asset_key=asset, check_name=spec.name, passed=True, description=waiting)
            return
        for outcome in run_suite(suite, _flat_table(recipe, home, table)):
            yield _as_check(asset, outcome)

    return quality


def describe_expectation(expectation: ExpectationConfig) -> str:
    """Say what is expected, of which column and how severe it is, with the limits that the recipe or its defaults set."""
    of = f" of {expectation.column}" if expectation.column else ""
    limits = ", ".join(f"{name} {_brief(value)}" for name, value in expectation.args.items())
    said = expectation.type.removeprefix("expect_").replace("_", " ")
    return f"Expected{of}: {said}{f' ({limits})' if limits else ''}. Severity: {expectation.severity}."


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_LIMIT else f"{text[:LONGEST_LIMIT]}..."


def _missing_shards(recipe: Recipe, store: Store, table: TableName) -> int:
    """Count shards of a sharded table that are not there yet: half a table is not judged."""
    if table not in SHARDED:
        return 0
    manifest = store.find_snapshot(recipe.asset("source_manifest"))
    shards = manifest.values["shards"] if manifest else {}
    return sum(store.find_snapshot(recipe.asset(table), shard) is None for shard in shards)


def _flat_table(recipe: Recipe, home: Home, table: TableName) -> Any:
    return flatten_table(table, read_checked_table(recipe, home.store(), table))


def read_checked_table(recipe: Recipe, store: Store, table: TableName) -> Any:
    """Return the table that a suite is about as Arrow; of a sharded asset, all shards that the manifest lists."""
    cls, asset = record_class(table), ASSET_OF.get(table, table)
    found = shard_snapshots(recipe, store, asset) if table in SHARDED else [store.snapshot(recipe.asset(asset))]
    roots = [item.tables[TABLE_OF_RECORD[cls]].root for item in found]
    return pa.concat_tables([schema_of(cls).empty_table(), *(store.read_arrow(cls, root) for root in roots)])


def _as_check(asset: dg.AssetKey, outcome: ExpectationOutcome) -> dg.AssetCheckResult:
    metadata: dict[str, Any] = {"num_failing": outcome.num_failing, "errored": outcome.errored}
    if outcome.observed_value is not None:
        metadata["observed"] = str(outcome.observed_value)
    if outcome.failing_ids:
        metadata["failing_ids"] = dg.MetadataValue.json(list(outcome.failing_ids))
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=outcome.name,
        passed=outcome.passed,
        severity=SEVERITIES[outcome.severity],
        description=outcome.detail,
        metadata=metadata,
    )


def _held_out_check(recipe: Recipe, condition: dg.AutomationCondition[Any] | None) -> dg.AssetChecksDefinition:
    asset = dg.AssetKey([recipe.name, "sft_dataset"])

    @dg.asset_check(
        asset=asset,
        name="no_held_out_rows",
        blocking=True,
        automation_condition=condition,
        additional_deps=[dg.AssetKey([recipe.name, "eval_set"])],
        description="No training row shares its key, prompt or split group with a held-out one.",
    )
    def no_held_out_rows(home: dg.ResourceParam[Home]) -> dg.AssetCheckResult:
        store = home.store()
        held_out, trained = (
            list(store.read_table(Example, store.snapshot(recipe.asset(name)).tables["examples"].root))
            for name in ("eval_set", "sft_dataset")
        )
        metadata = {"num_held_out": len(held_out), "num_training": len(trained)}
        try:
            assert_held_out(held_out, trained)
        except EvaluationError as leak:
            return dg.AssetCheckResult(passed=False, description=str(leak), metadata=metadata)
        return dg.AssetCheckResult(passed=True, metadata=metadata)

    return no_held_out_rows
