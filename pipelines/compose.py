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
    evaluation_judge,
    forgetting,
    ingest,
    learning_rate_check,
    models,
    quality,
    release,
    report,
    review,
    scores,
)
from assets.recipe import Recipe
from pipelines.automation import check_when_made, rebuild_when_changed
from pipelines.console import console_logger
from pipelines.pool_wait import install_patience
from pipelines.resources import build_resources
from pipelines.schedules import build_jobs, build_schedule
from pipelines.sensors import build_sensors

STAGES = (
    ingest,
    candidates,
    curated,
    review,
    costs,
    datasets,
    quality,
    audit,
    data_card,
    models,
    scores,
    evaluation_judge,
    forgetting,
    release,
    report,
)


def build_definitions(recipes: list[Recipe]) -> dg.Definitions:
    """Compose the definitions of several recipes; each has its own key prefix.

    The steps of a run share its process: a process for each would load these definitions again, which takes longer than most
    steps, and would outlive a run that is killed. What is heavy (training, answers, exports) is a child process all the same.
    """
    install_patience()
    shared = dg.Definitions(executor=dg.in_process_executor, loggers={"console": console_logger}, resources=build_resources())
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
    when_made = check_when_made()
    standalone = [*checks.build(recipe, when_made), *learning_rate_check.build_checks(recipe, when_made)]
    jobs = build_jobs(recipe, standalone)
    return dg.Definitions(
        assets=assets,
        asset_checks=standalone,
        jobs=jobs,
        schedules=[build_schedule(recipe, jobs[1])],
        sensors=build_sensors(recipe),
    )
