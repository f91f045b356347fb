"""The weekly retraining schedule: it runs what crosses sources; what did not change is found, not made again."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from assets.curated import SHARDED
from assets.recipe import Recipe


def build_jobs(recipe: Recipe, checks: list[dg.AssetChecksDefinition]) -> list[UnresolvedAssetJobDefinition]:
    """Return the jobs of a recipe: `NAME_ingest` (one shard), `NAME_train` (all that crosses shards), `NAME_checks`.

    `checks` are those that stand on their own; the others are evaluated with their asset and cannot run without it.
    """
    everything = dg.AssetSelection.key_prefixes(recipe.name)
    by_shard = dg.AssetSelection.assets(*([recipe.name, name] for name in SHARDED))
    tags = {"tunewright/recipe": recipe.name}
    return [
        dg.define_asset_job(
            f"{recipe.name}_ingest", by_shard, description="Read one source shard and let the teacher write.", tags=tags
        ),
        dg.define_asset_job(
            f"{recipe.name}_train",
            everything.materializable() - by_shard,
            description="Curate, review, train, evaluate, release.",
            tags=tags,
        ),
        dg.define_asset_job(
            f"{recipe.name}_checks",
            dg.AssetSelection.checks(*checks),
            description="All asset checks that stand on their own.",
            tags=tags,
        ),
    ]


def build_schedule(recipe: Recipe, job: UnresolvedAssetJobDefinition) -> dg.ScheduleDefinition:
    """Return the retraining schedule of a recipe, running by default."""
    return dg.ScheduleDefinition(
        name=f"{recipe.name}_retraining",
        job=job,
        cron_schedule=recipe.schedule,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Retrains when something changed since the last run; otherwise finds every stage done.",
    )
