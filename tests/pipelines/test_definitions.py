"""The composed graph of every shipped recipe; UPDATE_GOLDEN=1 writes tests/golden/asset_graph.txt anew."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.dependency import NodeHandle

from assets import checks
from assets.declare import GROUPS
from assets.recipe import Recipe
from pipelines.compose import build_definitions
from pipelines.recipe import load_recipes
from tests.pipelines.dagster_noise import dagster_noise
from tests.pipelines.toy_recipe import toy_recipe

pytestmark = dagster_noise
GOLDEN = Path(__file__).parent.parent / "golden" / "asset_graph.txt"
OBSERVED = {"source_shard", "source_manifest", "review_verdicts"}


@pytest.fixture(scope="module")
def recipes() -> list[Recipe]:
    return load_recipes()


@pytest.fixture(scope="module")
def shipped(recipes: list[Recipe]) -> dg.Definitions:
    return build_definitions(recipes)


def assets_of(definitions: dg.Definitions) -> Iterator[tuple[dg.AssetsDefinition, dg.AssetSpec]]:
    for asset in definitions.resolve_asset_graph().assets_defs:
        if asset.is_materializable:
            for spec in asset.specs:
                yield asset, spec


def text_of_graph(definitions: dg.Definitions) -> str:
    graph = definitions.resolve_asset_graph()
    lines: list[str] = []
    for key in sorted(graph.get_all_asset_keys()):
        node: Any = graph.get(key)
        found = [
            graph.get_check_spec(check) for check in sorted(graph.get_check_keys_for_assets({key}), key=lambda item: item.name)
        ]
        lines += [
            key.to_user_string() + ("" if node.is_materializable else "  (observed)"),
            f"  group        {node.group_name}",
            f"  kinds        {', '.join(sorted(node.kinds)) or '-'}",
            f"  deps         {', '.join(sorted(parent.path[-1] for parent in node.parent_keys)) or '-'}",
            f"  partitioned  {node.partitions_def.name if node.is_partitioned else '-'}",
            f"  pool         {', '.join(sorted(node.pools or ())) or '-'}",
            *(f"  check        {check.name}{' (blocking)' * check.blocking}" for check in found),
        ]
    return "\n".join(lines) + "\n"


def test_asset_graph_is_the_golden_one(shipped: dg.Definitions) -> None:
    text = text_of_graph(shipped)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text(), "look at the difference; if it is meant, run again with UPDATE_GOLDEN=1"


def test_every_asset_says_what_it_is(shipped: dg.Definitions, recipes: list[Recipe]) -> None:
    owners = {recipe.name: recipe.owner for recipe in recipes}
    found = [spec for _, spec in assets_of(shipped)]
    assert len(found) > 15
    for spec in found:
        assert spec.description, spec.key
        assert spec.group_name in GROUPS, spec.key
        assert spec.code_version, spec.key
        assert spec.kinds, spec.key
        assert list(spec.owners) == [owners[spec.key.path[0]]], spec.key
        assert spec.automation_condition is not None, spec.key
        assert spec.automation_condition.get_label() == "rebuild_when_changed", spec.key


def test_observed_assets_have_group_and_description(shipped: dg.Definitions) -> None:
    graph = shipped.resolve_asset_graph()
    observed = [graph.get(key) for key in graph.get_all_asset_keys() if not graph.get(key).is_materializable]
    assert {node.key.path[-1] for node in observed} == OBSERVED
    assert all(node.description and node.group_name in GROUPS and node.is_observable for node in observed)


def test_what_money_gpu_or_release_depend_on_is_a_blocking_check(shipped: dg.Definitions, recipes: list[Recipe]) -> None:
    graph = shipped.resolve_asset_graph()
    blocking = {(key.asset_key.path[-1], key.name) for key in graph.asset_check_keys if graph.get_check_spec(key).blocking}
    assert ("sft_dataset", "no_held_out_rows") in blocking
    assert ("verified_examples", "review_complete") in blocking
    for name in ("documents", "demonstrations", "candidates", "curated_examples", "verified_examples"):
        assert (name, "rows_accounted_for") in blocking
    models = {node.key.path[-1] for node in graph.asset_nodes if node.key.path[-1].endswith("_model")}
    assert models
    assert {(model, "training_health") for model in models} <= blocking


def test_weekly_schedule_and_all_sensors_run_by_default(shipped: dg.Definitions, recipes: list[Recipe]) -> None:
    schedules = {schedule.name: schedule for schedule in shipped.schedules or ()}
    sensors = {sensor.name: sensor for sensor in shipped.sensors or ()}
    for recipe in recipes:
        schedule: Any = schedules[f"{recipe.name}_retraining"]
        assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
        assert schedule.cron_schedule == recipe.schedule == "0 6 * * 1"
        for name in ("sources", "verdicts", "sweep", "automation"):
            assert sensors[f"{recipe.name}_{name}"].default_status is dg.DefaultSensorStatus.RUNNING


def test_the_steps_of_a_run_share_its_process(shipped: dg.Definitions, recipes: list[Recipe]) -> None:
    for recipe in recipes:
        for name in ("ingest", "train", "checks"):
            assert shipped.resolve_job_def(f"{recipe.name}_{name}").executor_def.name == "in_process"


def test_every_check_that_stands_on_its_own_is_evaluated_when_its_asset_was_made(
    shipped: dg.Definitions, recipes: list[Recipe]
) -> None:
    for recipe in recipes:
        alone = {key for check in checks.build(recipe) for key in check.check_keys}
        graph, sensor = shipped.resolve_asset_graph(), shipped.resolve_sensor_def(f"{recipe.name}_automation")
        assert alone
        assert all(graph.get(key).automation_condition is not None for key in alone)
        assert isinstance(sensor, dg.AutomationConditionSensorDefinition)
        assert alone <= sensor.asset_selection.resolve_checks(graph)


def test_jobs_cover_the_graph(shipped: dg.Definitions, recipes: list[Recipe]) -> None:
    for recipe in recipes:
        ingest, train = (shipped.resolve_job_def(f"{recipe.name}_{name}") for name in ("ingest", "train"))
        sharded, rest = ({key.path[-1] for key in job.asset_layer.executable_asset_keys} for job in (ingest, train))
        assert sharded == {"documents", "demonstrations", "candidates"}
        everything = {spec.key.path[-1] for _, spec in assets_of(shipped) if spec.key.path[0] == recipe.name}
        assert rest == everything - sharded


def test_code_location_loads_as_a_whole(shipped: dg.Definitions, recipes: list[Recipe]) -> None:
    """The webserver resolves every job; one that cannot be resolved takes all recipes down."""
    dg.Definitions.validate_loadable(shipped)
    named = {f"{recipe.name}_{job}" for recipe in recipes for job in ("ingest", "train", "checks")}
    assert named <= {job.name for job in shipped.get_repository_def().get_all_jobs()}


def test_checks_job_runs_every_check_that_stands_on_its_own(shipped: dg.Definitions, recipes: list[Recipe]) -> None:
    for recipe in recipes:
        job = shipped.resolve_job_def(f"{recipe.name}_checks")
        alone = {key for item in checks.build(recipe) for key in item.check_keys}
        assert dg.AssetCheckKey(dg.AssetKey([recipe.name, "sft_dataset"]), "no_held_out_rows") in alone
        handles = [NodeHandle(name=name, parent=None) for name in job.graph.node_dict]
        assert {key for handle in handles for key in job.asset_layer.get_selected_entity_keys_for_node(handle)} == alone


def test_recipe_without_preference_tuning_has_no_assets_for_it(tmp_path: Path) -> None:
    small = {spec.key.path[-1] for _, spec in assets_of(build_definitions([toy_recipe(tmp_path)]))}
    assert "sft_model" in small
    assert not {"preference_model", "preference_dataset"} & small


def test_recipes_live_side_by_side(recipes: list[Recipe], tmp_path: Path) -> None:
    both = build_definitions([*recipes, toy_recipe(tmp_path)])
    prefixes = {spec.key.path[0] for _, spec in assets_of(both)}
    assert prefixes == {"toy", *(recipe.name for recipe in recipes)}
    for _, spec in assets_of(both):
        assert {dep.asset_key.path[0] for dep in spec.deps} <= {spec.key.path[0]}
    assert "toy_sweep" in {sensor.name for sensor in both.sensors or ()}
