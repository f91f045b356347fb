"""Asset checks that stand on their own: one a Great Expectation, and the proof that training rows are not held out."""

from collections.abc import Iterable
from typing import Any

import dagster as dg

from assets.recipe import Recipe
from curation.home import Home
from curation.quality.config import TABLE_NAMES, ExpectationConfig
from curation.quality.flatten import flatten_examples, flatten_pairs
from curation.quality.suites import ExpectationOutcome, expectation_names, run_suite
from curation.records import Example, PreferencePair
from evaluation.items import assert_held_out

SEVERITIES = {
    "critical": dg.AssetCheckSeverity.ERROR,
    "warning": dg.AssetCheckSeverity.WARN,
    "info": dg.AssetCheckSeverity.WARN,
}


def build(recipe: Recipe) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a recipe."""
    tables = [name for name in TABLE_NAMES if name != "preference_dataset" or recipe.training.preference is not None]
    suites = [_suite_checks(recipe, name, recipe.quality.suite(name)) for name in tables if recipe.quality.suite(name)]
    return [*suites, _held_out_check(recipe)]


def _suite_checks(recipe: Recipe, table: str, suite: tuple[ExpectationConfig, ...]) -> dg.AssetChecksDefinition:
    asset = dg.AssetKey([recipe.name, table])
    specs = [
        dg.AssetCheckSpec(
            name=name,
            asset=asset,
            blocking=expectation.severity == "critical",
            description=f"{expectation.type} ({expectation.severity})"
            + (f" on {expectation.column}" if expectation.column else ""),
        )
        for name, expectation in zip(expectation_names(suite), suite, strict=True)
    ]

    @dg.multi_asset_check(name=f"{recipe.name}_{table}_quality", specs=specs)
    def quality(home: dg.ResourceParam[Home]) -> Iterable[dg.AssetCheckResult]:
        for outcome in run_suite(suite, _flat_table(recipe, home, table)):
            yield _as_check(asset, outcome)

    return quality


def _flat_table(recipe: Recipe, home: Home, table: str) -> Any:
    store = home.store()
    snapshot = store.snapshot(recipe.asset(table))
    if table == "preference_dataset":
        return flatten_pairs(store.read_arrow(PreferencePair, snapshot.tables["pairs"].root))
    return flatten_examples(store.read_arrow(Example, snapshot.tables["examples"].root))


def _as_check(asset: dg.AssetKey, outcome: ExpectationOutcome) -> dg.AssetCheckResult:
    metadata: dict[str, Any] = {
        "num_failing": outcome.num_failing,
        "errored": outcome.errored,
        "observed": str(outcome.observed_value),
    }
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


def _held_out_check(recipe: Recipe) -> dg.AssetChecksDefinition:
    asset = dg.AssetKey([recipe.name, "sft_dataset"])

    @dg.asset_check(
        asset=asset,
        name="no_held_out_rows",
        blocking=True,
        additional_deps=[dg.AssetKey([recipe.name, "eval_set"])],
        description="No training row shares its key, prompt or split group with a held-out one.",
    )
    def no_held_out_rows(home: dg.ResourceParam[Home]) -> dg.AssetCheckResult:
        store = home.store()
        held_out, trained = (
            list(store.read_table(Example, store.snapshot(recipe.asset(name)).tables["examples"].root))
            for name in ("eval_set", "sft_dataset")
        )
        assert_held_out(held_out, trained)
        return dg.AssetCheckResult(passed=True, metadata={"num_held_out": len(held_out), "num_training": len(trained)})

    return no_held_out_rows
