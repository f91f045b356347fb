"""`tunewright run`: observe the sources, run what is out of date, in order, in this process; then say what came out.

The same assets as in the Dagster UI, in the same instance, so everything that runs here shows there as well.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from assets.ingest import list_source_shards, manifest_snapshot, shard_partitions
from assets.recipe import Recipe
from curation.errors import StageFailedError
from curation.home import Home
from curation.ingest.sources import SourceShard
from pipelines.instance import process_tags
from pipelines.sensors import observation
from pipelines.staleness import find_stale

SHARDED = ("documents", "demonstrations", "candidates")
WRAPPERS = ("DagsterExecutionStepExecutionError", "DagsterExecutionLoadInputError")
"""Errors that Dagster puts around the one that people want to read."""


@dataclass(kw_only=True)
class RunTally:
    """What one call of `run_recipe` did."""

    seconds: float = 0.0
    teacher_calls: int = 0
    models_trained: list[str] = field(default_factory=list)
    """Assets whose training process ran (not: found done)."""
    num_stages: int = 0
    failed_checks: list[str] = field(default_factory=list)

    @property
    def trainings(self) -> int:
        """How often a model was trained for release: a chain of stages counts once."""
        return 1 if self.models_trained else 0


def run_recipe(
    recipe: Recipe, defs: dg.Definitions, home: Home, instance: dg.DagsterInstance, say: Callable[[str], None]
) -> RunTally:
    """Bring all assets of a recipe up to date.

    Raises:
        TunewrightError: the cause of the first stage that failed; what was done before it is kept.
    """
    started, tally = time.monotonic(), RunTally()
    shards = observe_sources(recipe, home, instance)
    say(f"{recipe.name}: {len(recipe.sources)} sources, {len(shards)} shards")
    job = defs.resolve_implicit_global_asset_job_def()
    graph = defs.resolve_asset_graph()
    for shard in shards:
        stale = [target for target in find_stale(recipe, home, graph, shards) if target.partition == shard.key]
        if stale:
            say(f"shard {shard.key}")
            _execute(job, recipe, instance, [recipe.asset(name) for name in SHARDED], tally, partition=shard.key)
    rest = [
        "/".join(key.path)
        for key in graph.materializable_asset_keys
        if key.path[0] == recipe.name and key.path[-1] not in SHARDED
    ]
    if find_stale(recipe, home, graph, shards):
        _execute(job, recipe, instance, rest, tally)
    else:
        say("nothing changed: every stage is up to date")
    tally.seconds = time.monotonic() - started
    return tally


def observe_sources(recipe: Recipe, home: Home, instance: dg.DagsterInstance) -> tuple[SourceShard, ...]:
    """List the sources, record one data version a shard, and add and remove partitions."""
    shards = list_source_shards(recipe)
    manifest = manifest_snapshot(recipe, shards)
    before = home.store().find_snapshot(manifest.asset)
    known = set(instance.get_dynamic_partitions(str(shard_partitions(recipe).name)))
    listed = {shard.key: shard.fingerprint for shard in shards}
    name = str(shard_partitions(recipe).name)
    instance.add_dynamic_partitions(name, sorted(set(listed) - known))
    for key in sorted(known - set(listed)):
        instance.delete_dynamic_partition(name, key)
    old = before.values["shards"] if before else {}
    for key, version in listed.items():
        if old.get(key) != version:
            instance.report_runless_asset_event(observation(recipe, "source_shard", version, key))
    if before is None or before.version != manifest.version:
        instance.report_runless_asset_event(observation(recipe, "source_manifest", manifest.version))
    home.store().put_snapshot(manifest)
    return shards


def run_checks(recipe: Recipe, defs: dg.Definitions, instance: dg.DagsterInstance) -> list[dg.AssetCheckEvaluation]:
    """Run every check of a recipe that stands on its own, and return the evaluations in order of asset and name."""
    job = defs.resolve_job_def(f"{recipe.name}_checks")
    tags = {"tunewright/recipe": recipe.name, **process_tags()}
    result = job.execute_in_process(instance=instance, raise_on_error=False, tags=tags, run_config={"loggers": {"console": {}}})
    return sorted(result.get_asset_check_evaluations(), key=lambda item: (item.asset_key.path, item.check_name))


def _execute(
    job: dg.JobDefinition, recipe: Recipe, instance: dg.DagsterInstance, assets: list[str], tally: RunTally, partition: str = ""
) -> None:
    result = job.execute_in_process(
        asset_selection=[dg.AssetKey(asset.split("/")) for asset in assets],
        partition_key=partition or None,
        instance=instance,
        raise_on_error=False,
        tags={"tunewright/recipe": recipe.name, **process_tags()},
        run_config={"loggers": {"console": {}}},
    )
    _count(result, tally)
    if not result.success:
        raise _cause(result)


def _count(result: dg.ExecuteInProcessResult, tally: RunTally) -> None:
    for event in result.get_asset_materialization_events():
        metadata: dict[str, Any] = {name: value.value for name, value in event.materialization.metadata.items()}
        name = event.asset_key.path[-1] if event.asset_key else ""
        tally.num_stages += 1
        if not metadata.get("reused"):
            tally.teacher_calls += int(metadata.get("teacher_calls", 0))
            tally.models_trained += [name] if name.endswith("_model") else []
    tally.failed_checks += [
        f"{evaluation.asset_key.path[-1]}: {evaluation.check_name}"
        for evaluation in result.get_asset_check_evaluations()
        if not evaluation.passed
    ]


def _cause(result: dg.ExecuteInProcessResult) -> Exception:
    evaluations = {evaluation.asset_check_key: evaluation for evaluation in result.get_asset_check_evaluations()}
    for event in result.filter_events(lambda event: event.is_step_failure):
        name = event.step_key.rpartition("__")[2] if event.step_key else "run"
        error: Any = event.step_failure_data.error
        while error is not None:
            if error.cls_name == "DagsterAssetCheckFailedError":
                return _failed_check(list(evaluations.values()), name)
            if error.cls_name and error.cls_name not in WRAPPERS:
                reason = error.message.strip()
                return StageFailedError(stage=name, reason=reason.partition(": ")[2] or reason)
            error = error.cause
    return StageFailedError(stage="run", reason="see the log above")


def _failed_check(evaluations: list[dg.AssetCheckEvaluation], name: str) -> StageFailedError:
    failed = [
        f"{evaluation.description or 'a blocking check failed'} (check {evaluation.check_name})"
        for evaluation in evaluations
        if not evaluation.passed and evaluation.blocking and evaluation.severity == dg.AssetCheckSeverity.ERROR
    ]
    return StageFailedError(stage=name, reason="; ".join(failed))
