"""Stage ingest: what the sources hold right now, and the documents and demonstrations read from them, shard by shard.

`source_shard` and `source_manifest` are observed, never made: a sensor (or the Observe button) records one data version a
shard, and the list of shards as one more, so that a deletion is seen.
"""

from typing import Any

import dagster as dg

from assets.declare import as_result, declared, describe, rows_check, rows_result
from assets.recipe import Recipe
from assets.stage import Outputs, run_stage
from curation.errors import UnknownShardError
from curation.home import Home
from curation.ids import merkle_root
from curation.ingest.sources import Ingested, SourceShard, list_shards, read_shard
from curation.records import Document, Example, Rejection
from curation.store import Snapshot

MODULES = ("curation.ingest.sources",)


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
    "demonstrations": "Examples written by people, read from sources whose role is demonstrations.",
}


def _shard(recipe: Recipe, shard_key: str) -> Snapshot:
    for shard in list_shards(recipe.source_of(shard_key)):
        if shard.key == shard_key:
            return shard_snapshot(recipe, shard)
    raise UnknownShardError(recipe=recipe.name, shard=shard_key)


def _read(recipe: Recipe, shard_key: str, role: str) -> Outputs:
    source = recipe.source_of(shard_key)
    nothing = Ingested(documents=(), examples=(), rejections=(), num_records=0)
    ingested = read_shard(source, shard_key) if source.role == role else nothing
    table: tuple[type, tuple[Any, ...]] = (
        (Document, ingested.documents) if role == "documents" else (Example, ingested.examples)
    )
    values = {"rows_in": ingested.num_records, "rows_out": len(table[1]), "rejected": len(ingested.rejections)}
    name = "documents" if role == "documents" else "examples"
    return Outputs(tables={name: table, "rejections": (Rejection, ingested.rejections)}, values=values)


def _ingest_asset(recipe: Recipe, name: str) -> dg.AssetsDefinition:
    arguments = describe(
        recipe,
        name,
        group="ingest",
        kinds={"python", "parquet"},
        modules=MODULES,
        settings=recipe.sources,
        deps=["source_shard"],
        description=DESCRIPTIONS[name],
        partitions_def=shard_partitions(recipe),
        check_specs=[rows_check(recipe, name)],
    )

    @declared(arguments)
    def ingested(context: dg.AssetExecutionContext, home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        key = context.partition_key
        run = run_stage(
            home,
            asset=recipe.asset(name),
            partition=key,
            inputs=[_shard(recipe, key)],
            code=arguments["code_version"],
            make=lambda _: _read(recipe, key, name),
        )
        return as_result(home, run, [rows_result(run)])

    return ingested
