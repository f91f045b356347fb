"""Stage curate: all candidates and demonstrations, cleaned, de-duplicated, split; and every rejection of every stage."""

from typing import Any

import dagster as dg

from assets.declare import as_result, declared, describe, rows_check, rows_result
from assets.recipe import Recipe
from assets.stage import Outputs, run_stage
from curation.filters.curate import curate
from curation.home import Home
from curation.records import Example, PreferencePair, Rejection
from curation.store import Snapshot, Store

STAGES_THAT_REJECT = ("documents", "demonstrations", "candidates", "curated_examples", "verified_examples")
"""In the order of the graph."""


def build(recipe: Recipe) -> list[Any]:
    """Return the assets of this stage."""
    return [_curated_examples(recipe), _rejections(recipe)]


def shard_snapshots(recipe: Recipe, store: Store, *names: str) -> list[Snapshot]:
    """Return the newest snapshots of partitioned assets, only of shards that the source manifest still lists."""
    shards = store.snapshot(recipe.asset("source_manifest")).values["shards"]
    return [store.snapshot(recipe.asset(name), shard) for name in names for shard in sorted(shards)]


def _curated_examples(recipe: Recipe) -> dg.AssetsDefinition:
    arguments = describe(
        recipe,
        "curated_examples",
        group="curate",
        kinds={"python", "parquet"},
        modules=("curation.filters.curate",),
        settings=recipe.curate,
        deps=["candidates", "demonstrations", "source_manifest"],
        check_specs=[rows_check(recipe, "curated_examples")],
        description="Examples and pairs that passed the rules: no duplicates, no contradictions, one split a group.",
    )

    @declared(arguments)
    def curated_examples(home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        inputs = shard_snapshots(recipe, home.store(), "demonstrations", "candidates")
        run = run_stage(
            home,
            asset=recipe.asset("curated_examples"),
            inputs=inputs,
            code=arguments["code_version"],
            make=lambda _: _curate(recipe, home.store(), inputs),
        )
        return as_result(home, run, [rows_result(run)])

    return curated_examples


def _curate(recipe: Recipe, store: Store, inputs: list[Snapshot]) -> Outputs:
    examples = [row for item in inputs for row in store.read_table(Example, item.tables["examples"].root)]
    tables = [item.tables["pairs"] for item in inputs if "pairs" in item.tables]
    pairs = [row for table in tables for row in store.read_table(PreferencePair, table.root)]
    kept = curate(examples, pairs, recipe.curate)
    num_out = len(kept.examples) + len(kept.pairs)
    values = {"rows_in": len(examples) + len(pairs), "rows_out": num_out, "rejected": len(kept.rejections)}
    return Outputs(
        tables={
            "examples": (Example, kept.examples),
            "pairs": (PreferencePair, kept.pairs),
            "rejections": (Rejection, kept.rejections),
        },
        values=values,
    )


def _rejections(recipe: Recipe) -> dg.AssetsDefinition:
    arguments = describe(
        recipe,
        "rejections",
        group="curate",
        kinds={"parquet"},
        modules=("curation.records",),
        deps=STAGES_THAT_REJECT,
        description="Every row that any stage dropped, with the stage and the reason. Nothing vanishes.",
    )

    @declared(arguments)
    def rejections(home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        store = home.store()
        inputs = shard_snapshots(recipe, store, *STAGES_THAT_REJECT[:3])
        inputs += [store.snapshot(recipe.asset(name)) for name in STAGES_THAT_REJECT[3:]]
        roots = [item.tables["rejections"].root for item in inputs]
        run = run_stage(
            home,
            asset=recipe.asset("rejections"),
            inputs=inputs,
            code=arguments["code_version"],
            make=lambda _: Outputs(
                tables={"rejected_rows": (Rejection, [row for root in roots for row in store.read_table(Rejection, root)])}
            ),
        )
        return as_result(home, run)

    return rejections
