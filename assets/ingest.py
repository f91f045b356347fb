"""Stage ingest: what the sources hold right now, and the documents and demonstrations read from them, shard by shard.

`source_shard` and `source_manifest` are observed, never made: a sensor (or the Observe button) records one data version a
shard, and the list of shards as one more, so that a deletion is seen.
"""

from typing import Any

import dagster as dg

from assets.charts import escape, length_bins
from assets.declare import as_result, declared, describe, rows_check, rows_result
from assets.protected_items import protected_files, protected_items, protected_modules, protected_settings
from assets.recipe import Recipe
from assets.stage import Outputs, StageRun, run_stage
from assets.withdrawals import withdrawal_snapshot
from curation.curate.intake import TABLES, TABLES_OF_ROLE, take_in
from curation.errors import UnknownShardError
from curation.home import Home
from curation.ids import merkle_root
from curation.ingest.sources import SourceShard, list_shards
from curation.lineage.withdrawals import Withdrawal, standing_withdrawals
from curation.store import Snapshot, Store

MAX_FILES_SHOWN = 50
MODULES = ("curation.curate.intake",)


def shard_partitions(recipe: Recipe) -> dg.DynamicPartitionsDefinition:
    """Return the partitions of a recipe: one a source shard, added by the source sensor."""
    return dg.DynamicPartitionsDefinition(name=f"{recipe.name}_shards")


def list_source_shards(recipe: Recipe) -> tuple[SourceShard, ...]:
    """List the shards of all sources, in recipe order.

    Raises:
        SourceNotFoundError, UnknownPackageError: if a source is not there.
    """
    return tuple(shard for source in recipe.sources for shard in list_shards(source))


def manifest_version(shards: tuple[SourceShard, ...]) -> str:
    """Return the data version of `source_manifest`: which shards there are, not what they hold."""
    return merkle_root(shard.key for shard in shards)


def shard_snapshot(recipe: Recipe, shard: SourceShard) -> Snapshot:
    """Return the observed state of one shard as an input of `documents`."""
    return Snapshot(asset=recipe.asset("source_shard"), partition=shard.key, version=shard.fingerprint)


def manifest_snapshot(recipe: Recipe, shards: tuple[SourceShard, ...]) -> Snapshot:
    """Return the observed list of shards; fan-in assets read exactly these partitions."""
    values = {"shards": {shard.key: shard.fingerprint for shard in shards}}
    return Snapshot(asset=recipe.asset("source_manifest"), partition="", version=manifest_version(shards), values=values)


def build(recipe: Recipe) -> list[Any]:
    """Return the assets of this stage."""
    return [*_sources(recipe), *(_ingest_asset(recipe, name) for name in DESCRIPTIONS)]


def _sources(recipe: Recipe) -> list[Any]:
    partitions = shard_partitions(recipe)

    @dg.observable_source_asset(
        key=[recipe.name, "source_shard"],
        group_name="ingest",
        partitions_def=partitions,
        description="What each source shard holds now.",
    )
    def source_shard(home: dg.ResourceParam[Home]) -> dg.DataVersionsByPartition:
        return dg.DataVersionsByPartition({shard.key: shard.fingerprint for shard in list_source_shards(recipe)})

    @dg.observable_source_asset(
        key=[recipe.name, "source_manifest"],
        group_name="ingest",
        description="Which source shards there are; changes when one comes or goes.",
    )
    def source_manifest(home: dg.ResourceParam[Home]) -> dg.DataVersion:
        shards = list_source_shards(recipe)
        home.store().put_snapshot(manifest_snapshot(recipe, shards))
        return dg.DataVersion(manifest_version(shards))

    return [source_shard, source_manifest]


DESCRIPTIONS = {
    "documents": "Source texts with their sections and character spans, white space normalised.",
    "demonstrations": "Finished examples, pairs and rated answers, read from sources whose role is demonstrations.",
}


def _shard(recipe: Recipe, shard_key: str) -> Snapshot:
    for shard in list_shards(recipe.source_of(shard_key)):
        if shard.key == shard_key:
            return shard_snapshot(recipe, shard)
    raise UnknownShardError(recipe=recipe.name, shard=shard_key)


def _read(recipe: Recipe, store: Store, shard_key: str, role: str, standing: tuple[Withdrawal, ...]) -> Outputs:
    source = recipe.source_of(shard_key)
    if source.role != role:
        empty: dict[str, tuple[type, tuple[()]]] = {TABLES[cls]: (cls, ()) for cls in TABLES_OF_ROLE[role]}
        return Outputs(tables=dict(empty), values={"rows_in": 0, "rows_out": 0, "rejected": 0})
    items = protected_items(recipe) if role == "documents" else ()  # examples are compared with items when they are curated
    taken = take_in(store, source, shard_key, recipe.curate_settings(), items, standing)
    values = {
        "rows_in": taken.rows_in,
        "rows_out": taken.rows_out,
        "rejected": taken.tables["rejections"].num_rows,
        "files": [report.describe() for report in taken.reports],
        "charts": {"rows_by_language": taken.languages, "rows_by_characters": length_bins(taken.lengths)},
    }
    return Outputs(stored=dict(taken.tables), values=values)


def _items(recipe: Recipe, name: str) -> tuple[Snapshot, ...]:
    """Return the files of evaluation tasks and probes as an input of documents, which may not give their items away."""
    return protected_files(recipe) if name == "documents" else ()


def _ingest_asset(recipe: Recipe, name: str) -> dg.AssetsDefinition:
    arguments = describe(
        recipe,
        name,
        group="ingest",
        kinds={"python", "parquet"},
        modules=(*MODULES, *protected_modules(recipe)),
        settings=[recipe.sources, recipe.privacy, recipe.contamination, recipe.curate.rules, protected_settings(recipe)],
        deps=["source_shard"],
        description=DESCRIPTIONS[name],
        partitions_def=shard_partitions(recipe),
        check_specs=[rows_check(recipe, name)],
    )

    @declared(arguments)
    def ingested(context: dg.AssetExecutionContext, home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        key, standing = context.partition_key, standing_withdrawals(home)
        run = run_stage(
            home,
            asset=recipe.asset(name),
            partition=key,
            inputs=[_shard(recipe, key), withdrawal_snapshot(recipe, key, standing), *_items(recipe, name)],
            code=arguments["code_version"],
            make=lambda _: _read(recipe, home.store(), key, name, standing),
        )
        return as_result(home, run, [rows_result(run)], files_read=_files_read(run))

    return ingested


def _files_read(run: StageRun) -> dg.MarkdownMetadataValue:
    """Say how each file was read: format, encoding, shape, rows."""
    lines = run.snapshot.values.get("files", [])
    shown = [f"- {escape(line)}" for line in lines[:MAX_FILES_SHOWN]]
    more = len(lines) - len(shown)
    return dg.MetadataValue.md("\n".join([*shown, *([f"- and {more:,} more"] if more else [])]) or "No files.")
