"""What makes the graph move by itself.

NAME_sources   every 2 minutes: lists the sources, adds and removes partitions, observes what changed
NAME_verdicts  every 30 seconds: observes new verdicts in the review database
NAME_sweep     every 15 minutes: repairs what the automation condition can lose, three tries a state
NAME_batches   every 3 minutes: harvests batches that a teacher has finished (recipes with a section `batch`)
NAME_automation: evaluates the shared automation condition
"""

import contextlib
import json
from typing import Any

import dagster as dg

from assets.ingest import list_source_shards, manifest_snapshot, shard_partitions
from assets.recipe import Recipe
from assets.review import review_mark, review_state
from curation.errors import TunewrightError
from curation.home import Home
from curation.ids import content_hash
from curation.synthesis.batch import open_batch_store, poll_batches
from curation.synthesis.ledger.request_ledger import open_ledger
from pipelines.instance import clear_dead_runs
from pipelines.staleness import Target, find_stale

VERSION_TAG = "dagster/data_version"
RECIPE_TAG = "tunewright/recipe"
TRIES_PER_STATE = 3
BUSY = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def build_sensors(recipe: Recipe) -> list[dg.SensorDefinition]:
    """Return the sensors of a recipe."""
    batches = [_batch_sensor(recipe)] if recipe.batch is not None else []
    return [_source_sensor(recipe), _verdict_sensor(recipe), _sweep_sensor(recipe), _automation_sensor(recipe), *batches]


def _automation_sensor(recipe: Recipe) -> dg.SensorDefinition:
    return dg.AutomationConditionSensorDefinition(
        name=f"{recipe.name}_automation",
        target=dg.AssetSelection.key_prefixes(recipe.name),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Runs what is missing, and what its code or an upstream version has changed for.",
        minimum_interval_seconds=30,
        run_tags={RECIPE_TAG: recipe.name},
    )


def _source_sensor(recipe: Recipe) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"{recipe.name}_sources",
        target=dg.AssetSelection.key_prefixes(recipe.name),
        minimum_interval_seconds=120,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Observes what the sources hold; adds and removes shard partitions.",
    )
    def sources(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        home, partitions = Home.from_environment(), shard_partitions(recipe)
        try:
            shards = list_source_shards(recipe)
        except TunewrightError as error:
            return dg.SkipReason(str(error))
        manifest = manifest_snapshot(recipe, shards)
        home.store().put_snapshot(manifest)
        before = json.loads(context.cursor or "{}")
        after = {shard.key: shard.fingerprint for shard in shards}
        known = set(context.instance.get_dynamic_partitions(str(partitions.name)))
        requests: list[Any] = []
        if set(after) - known:
            requests.append(partitions.build_add_request(sorted(set(after) - known)))
        if known - set(after):
            requests.append(partitions.build_delete_request(sorted(known - set(after))))
        events = [observation(recipe, "source_shard", after[key], key) for key in after if before.get(key) != after[key]]
        if before.keys() != after.keys():
            events.append(observation(recipe, "source_manifest", manifest.version))
        return dg.SensorResult(asset_events=events, dynamic_partitions_requests=requests, cursor=json.dumps(after))

    return sources


def observation(recipe: Recipe, name: str, version: str, partition: str | None = None) -> dg.AssetObservation:
    """Return the event that records the data version of an observed asset."""
    return dg.AssetObservation(asset_key=[recipe.name, name], partition=partition, tags={VERSION_TAG: version})


def _verdict_sensor(recipe: Recipe) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"{recipe.name}_verdicts",
        target=dg.AssetSelection.key_prefixes(recipe.name),
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Observes new verdicts in the review database.",
    )
    def verdicts(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        mark_before, _, version_before = (context.cursor or "").rpartition("|")
        try:
            mark = review_mark(recipe, Home.from_environment())
            if mark == mark_before:
                return dg.SkipReason("No new verdicts.")
            version = review_state(recipe, Home.from_environment()).version
        except TunewrightError as error:
            return dg.SkipReason(str(error))
        if version == version_before:
            context.update_cursor(f"{mark}|{version}")
            return dg.SkipReason("The verdicts that count are as they were.")
        return dg.SensorResult(asset_events=[observation(recipe, "review_verdicts", version)], cursor=f"{mark}|{version}")

    return verdicts


def _batch_sensor(recipe: Recipe) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"{recipe.name}_batches",
        target=dg.AssetSelection.key_prefixes(recipe.name),
        minimum_interval_seconds=180,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Harvests batches that a teacher has finished, row by row, also when no run waits for them.",
    )
    def batches() -> dg.SkipReason:
        home = Home.from_environment()
        try:
            with open_ledger(home, recipe=recipe.name) as ledger, contextlib.closing(open_batch_store(home)) as store:
                report = poll_batches(store, ledger)
        except TunewrightError as error:
            return dg.SkipReason(str(error))
        problems = " ".join(report.problems)
        return dg.SkipReason(
            f"{report.num_open} batches are open; {report.num_stored} replies were stored now. {problems}".strip()
        )

    return batches


def _sweep_sensor(recipe: Recipe) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"{recipe.name}_sweep",
        target=dg.AssetSelection.key_prefixes(recipe.name),
        minimum_interval_seconds=900,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Compares the roots in the store and repairs lost updates and failed runs, a bounded number of times.",
    )
    def sweep(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        clear_dead_runs(context.instance)
        if _is_busy(recipe, context.instance):
            return dg.SkipReason("Runs are in progress.")
        try:
            assert context.repository_def is not None
            graph, shards = context.repository_def.asset_graph, list_source_shards(recipe)
            targets = find_stale(recipe, Home.from_environment(), graph, shards)
        except TunewrightError as error:
            return dg.SkipReason(str(error))
        tries = json.loads(context.cursor or "{}")
        known = set(context.instance.get_dynamic_partitions(str(shard_partitions(recipe).name)))
        due = [target for target in targets if not target.partition or target.partition in known]
        requests, tries = plan_repairs(recipe, due, tries)
        return dg.SensorResult(run_requests=requests, cursor=json.dumps(tries))

    return sweep


def _is_busy(recipe: Recipe, instance: dg.DagsterInstance) -> bool:
    runs = instance.get_runs(dg.RunsFilter(statuses=BUSY))
    return any(
        run.tags.get(RECIPE_TAG) == recipe.name or any(key.path[0] == recipe.name for key in run.asset_selection or ())
        for run in runs
    )


def plan_repairs(recipe: Recipe, targets: list[Target], tries: dict[str, int]) -> tuple[list[dg.RunRequest], dict[str, int]]:
    """Return run requests for stale targets, and how often each state was tried; a state is tried three times at most.

    The requests have no run key: Dagster would refuse one that it has seen, and a state can come back after weeks.
    """
    requests, counted = [], dict[str, int]()
    for target in targets:
        state = content_hash([target.asset, target.partition, target.wanted])
        counted[state] = tries.get(state, 0)
        if counted[state] < TRIES_PER_STATE:
            counted[state] += 1
            requests.append(
                dg.RunRequest(
                    asset_selection=[dg.AssetKey(target.asset.split("/"))],
                    partition_key=target.partition or None,
                    tags={RECIPE_TAG: recipe.name},
                )
            )
    return requests, counted
