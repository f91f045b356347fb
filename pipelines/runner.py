"""`tunewright run`: observe the sources, run what is out of date, in order, in this process; then say what came out.

The same assets as in the Dagster UI, in the same instance, so everything that runs here shows there as well.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster._core.definitions.dependency import NodeHandle

from assets.curated import SHARDED
from assets.ingest import list_source_shards, manifest_snapshot, shard_partitions
from assets.recipe import Recipe
from curation.errors import StageFailedError
from curation.home import Home
from curation.ingest.sources import SourceShard
from pipelines.instance import process_tags
from pipelines.sensors import observation
from pipelines.staleness import find_stale

INTERRUPTED = "DagsterExecutionInterruptedError"
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
        KeyboardInterrupt: at Ctrl-C, likewise.
    """
    started, tally = time.monotonic(), RunTally()
    shards = observe_sources(recipe, home, instance)
    say(f"{recipe.name}: {len(recipe.sources)} sources, {len(shards)} shards")
    job = defs.resolve_implicit_global_asset_job_def()
    graph = defs.resolve_asset_graph()
    stale = {target.partition for target in find_stale(recipe, home, graph, shards)}
    for shard in shards:
        if shard.key in stale:
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


@dataclass(frozen=True, kw_only=True)
class UnevaluatedChecks:
    """Checks of one asset that could not be evaluated; they have not passed."""

    checks: tuple[dg.AssetCheckKey, ...]
    reason: str


@dataclass(frozen=True, kw_only=True)
class CheckedRecipe:
    """What became of every check that stands on its own: each is in one of the two, in order of asset and name."""

    evaluations: tuple[dg.AssetCheckEvaluation, ...]
    problems: tuple[UnevaluatedChecks, ...]


def run_checks(recipe: Recipe, defs: dg.Definitions, instance: dg.DagsterInstance) -> CheckedRecipe:
    """Run every check of a recipe that stands on its own. Raises KeyboardInterrupt at Ctrl-C."""
    job = defs.resolve_job_def(f"{recipe.name}_checks")
    tags = {"tunewright/recipe": recipe.name, **process_tags()}
    result = job.execute_in_process(instance=instance, raise_on_error=False, tags=tags, run_config={"loggers": {"console": {}}})
    _stop_if_interrupted(result)
    evaluations = sorted(result.get_asset_check_evaluations(), key=lambda item: _place(item.asset_check_key))
    reasons = {event.step_key: _reason_of(event) for event in result.filter_events(lambda event: event.is_step_failure)}
    done = {item.asset_check_key for item in evaluations}
    problems = []
    for step in job.nodes:
        keys = job.asset_layer.get_selected_entity_keys_for_node(NodeHandle(step.name, None))
        left = sorted((key for key in keys if isinstance(key, dg.AssetCheckKey) and key not in done), key=_place)
        if left:
            reason = reasons.get(step.name) or "the run ended before it was its turn"
            problems.append(UnevaluatedChecks(checks=tuple(left), reason=reason))
    return CheckedRecipe(
        evaluations=tuple(evaluations), problems=tuple(sorted(problems, key=lambda problem: _place(problem.checks[0])))
    )


def _place(key: dg.AssetCheckKey) -> tuple[Sequence[str], str]:
    return key.asset_key.path, key.name


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
    _stop_if_interrupted(result)
    if not result.success:
        raise _cause(result)


def _stop_if_interrupted(result: dg.ExecuteInProcessResult) -> None:
    """Raise KeyboardInterrupt if the run ended by Ctrl-C, which Dagster calls a failure."""
    for event in result.filter_events(lambda event: event.event_type is dg.DagsterEventType.RUN_FAILURE):
        error = event.job_failure_data.error
        if error is not None and error.cls_name == INTERRUPTED:
            raise KeyboardInterrupt


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
        error = _innermost(event)
        if error is not None and error.cls_name == "DagsterAssetCheckFailedError":
            return failed_check(list(evaluations.values()))
        if error is not None:
            return StageFailedError(stage=name, reason=_reason_of(event))
    return StageFailedError(stage="run", reason="see the log above")


def _innermost(event: dg.DagsterEvent) -> Any:
    """Return the error of a failed step that people want to read, without those that Dagster puts around it."""
    error: Any = event.step_failure_data.error
    while error is not None and (not error.cls_name or error.cls_name in WRAPPERS):
        error = error.cause
    return error


def _reason_of(event: dg.DagsterEvent) -> str:
    """Return what made a step fail, without the name of its class."""
    error = _innermost(event)
    said = error.message.strip() if error is not None else ""
    return said.partition(": ")[2] or said


def failed_check(evaluations: Sequence[dg.AssetCheckEvaluation]) -> StageFailedError:
    """Return the error that names the blocking checks that failed, and the asset that they are about."""
    failed = [
        evaluation
        for evaluation in evaluations
        if not evaluation.passed and evaluation.blocking and evaluation.severity == dg.AssetCheckSeverity.ERROR
    ]
    stages = dict.fromkeys(evaluation.asset_key.path[-1] for evaluation in failed)
    reasons = [f"{item.description or 'a blocking check failed'} (check {item.check_name})" for item in failed]
    return StageFailedError(stage=", ".join(stages), reason="; ".join(reasons))
