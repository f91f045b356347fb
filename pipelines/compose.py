"""Composes recipes into Dagster definitions: the assets of every stage, their checks, jobs, schedule and sensors."""

from itertools import chain

import dagster as dg

from assets import (
    audit,
    candidates,
    checks,
    costs,
    curated,
    data_card,
    datasets,
    ingest,
    models,
    quality,
    release,
    review,
    scores,
)
from assets.recipe import Recipe
from pipelines.automation import rebuild_when_changed
from pipelines.console import console_logger
from pipelines.resources import build_resources
from pipelines.schedules import build_jobs, build_schedule
from pipelines.sensors import build_sensors

STAGES = (ingest, candidates, curated, review, costs, datasets, quality, audit, data_card, models, scores, release)


def build_definitions(recipes: list[Recipe]) -> dg.Definitions:
    """Compose the definitions of several recipes; each has its own key prefix."""
    shared = dg.Definitions(loggers={"console": console_logger}, resources=build_resources())
    return dg.Definitions.merge(shared, *map(_of_recipe, recipes))


def _of_recipe(recipe: Recipe) -> dg.Definitions:
    found = list(chain.from_iterable(stage.build(recipe) for stage in STAGES))
    condition = rebuild_when_changed()
    assets = [
        asset.map_asset_specs(lambda spec: spec.replace_attributes(automation_condition=condition))
        if isinstance(asset, dg.AssetsDefinition)
        else asset
        for asset in found
    ]
    standalone = checks.build(recipe)
    jobs = build_jobs(recipe, standalone)
    return dg.Definitions(
        assets=assets,
        asset_checks=standalone,
        jobs=jobs,
        schedules=[build_schedule(recipe, jobs[1])],
        sensors=build_sensors(recipe),
    )
