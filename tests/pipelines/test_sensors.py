"""The sensors of a recipe, on files in a temporary folder and an instance in memory."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from curation.store import Snapshot
from curation.synthesis.batch import BatchConfig
from curation.synthesis.teachers.config import TeacherConfig
from pipelines.instance import PROCESS_TAG, process_tags
from pipelines.sensors import build_sensors
from tests.pipelines.conftest import Toy
from tests.pipelines.dagster_noise import dagster_noise

pytestmark = [dagster_noise, pytest.mark.slow]
PARTITIONS = "toy_shards"
VERSION_TAG = "dagster/data_version"
SHARD, MANIFEST = "source_shard", "source_manifest"


class Daemon:
    """Runs one sensor tick after tick as the daemon does: cursor kept, partitions and events applied."""

    def __init__(self, toy: Toy, name: str) -> None:
        self.toy, self.cursor = toy, None
        self.sensor = next(sensor for sensor in toy.definitions.sensors or () if sensor.name == f"toy_{name}")

    def tick(self) -> Any:
        repository = self.toy.definitions.get_repository_def()
        with dg.build_sensor_context(instance=self.toy.instance, cursor=self.cursor, repository_def=repository) as context:
            result = self.sensor(context)
        if isinstance(result, dg.SensorResult):
            self.cursor = result.cursor
            for request in result.dynamic_partitions_requests or ():
                if isinstance(request, dg.AddDynamicPartitionsRequest):
                    self.toy.instance.add_dynamic_partitions(PARTITIONS, list(request.partition_keys))
                else:
                    for key in request.partition_keys:
                        self.toy.instance.delete_dynamic_partition(PARTITIONS, key)
        return result

    def partitions(self) -> set[str]:
        return set(self.toy.instance.get_dynamic_partitions(PARTITIONS))


@pytest.fixture
def daemon(toy: Toy) -> Callable[[str], Daemon]:
    return lambda name: Daemon(toy, name)


def observed(result: dg.SensorResult) -> list[tuple[str, str | None]]:
    return [(event.asset_key.path[-1], event.partition) for event in result.asset_events]


def shard_keys(toy: Toy) -> set[str]:
    return {shard.key for shard in toy.shards()}


def test_first_tick_adds_all_partitions_and_observes_everything(toy: Toy, daemon: Callable[[str], Daemon]) -> None:
    sources = daemon("sources")
    result = sources.tick()
    assert sources.partitions() == shard_keys(toy) == {"docs-0of4", "docs-1of4", "docs-2of4"}
    assert set(observed(result)) == {(SHARD, key) for key in shard_keys(toy)} | {(MANIFEST, None)}
    versions = {event.partition: event.tags[VERSION_TAG] for event in result.asset_events if event.partition}
    assert versions == {shard.key: shard.fingerprint for shard in toy.shards()}
    assert set(toy.home.store().snapshot("toy/source_manifest").values["shards"]) == shard_keys(toy)


def test_nothing_changed_observes_nothing(daemon: Callable[[str], Daemon]) -> None:
    sources = daemon("sources")
    sources.tick()
    for _ in range(3):
        result = sources.tick()
        assert (observed(result), result.dynamic_partitions_requests) == ([], [])


def test_changed_document_is_one_observation(toy: Toy, daemon: Callable[[str], Daemon]) -> None:
    sources = daemon("sources")
    sources.tick()
    toy.write("two.md", "# two\n\nLonger and different.\n")
    result = sources.tick()
    assert observed(result) == [(SHARD, "docs-1of4")]
    assert result.dynamic_partitions_requests == []


def test_new_and_deleted_shards_add_and_delete_partitions(toy: Toy, daemon: Callable[[str], Daemon]) -> None:
    sources = daemon("sources")
    sources.tick()
    manifest = toy.home.store().snapshot("toy/source_manifest").version
    (toy.folder / "docs" / "two.md").unlink()
    toy.write("six.md", "# six\n\nNew.\n")
    result = sources.tick()
    assert sources.partitions() == {"docs-0of4", "docs-2of4", "docs-3of4"}
    assert observed(result) == [(SHARD, "docs-3of4"), (MANIFEST, None)]
    assert toy.home.store().snapshot("toy/source_manifest").version != manifest


def test_sources_that_are_gone_are_a_sentence_and_delete_nothing(toy: Toy, daemon: Callable[[str], Daemon]) -> None:
    sources = daemon("sources")
    sources.tick()
    before = sources.partitions()
    for file in (toy.folder / "docs").iterdir():
        file.unlink()
    result = sources.tick()
    assert isinstance(result, dg.SkipReason)
    assert "docs" in str(result.skip_message)
    assert sources.partitions() == before


def test_verdicts_are_observed_once(daemon: Callable[[str], Daemon]) -> None:
    verdicts = daemon("verdicts")
    assert observed(verdicts.tick()) == [("review_verdicts", None)]
    assert isinstance(verdicts.tick(), dg.SkipReason)


def test_sweep_repairs_what_has_a_partition_three_times(toy: Toy, daemon: Callable[[str], Daemon]) -> None:
    sweep = daemon("sweep")
    assert sweep.tick().run_requests == [], "no partition is known yet"
    daemon("sources").tick()
    asked = []
    for _ in range(5):
        result = sweep.tick()
        asked.append({(request.asset_selection[0].path[-1], request.partition_key) for request in result.run_requests})
    everything = {(asset, key) for asset in ("documents", "demonstrations") for key in shard_keys(toy)}
    assert asked == [everything] * 3 + [set()] * 2
    assert len(json.loads(sweep.cursor or "{}")) == len(everything)


@pytest.mark.parametrize("how", ["tag", "selection"])
def test_sweep_waits_for_runs_of_the_recipe(toy: Toy, daemon: Callable[[str], Daemon], how: str) -> None:
    daemon("sources").tick()
    fields: dict[str, Any] = (
        {"tags": {"tunewright/recipe": "toy"}} if how == "tag" else {"asset_selection": frozenset({dg.AssetKey(["toy", "x"])})}
    )
    run = dg.DagsterRun(job_name="x", status=dg.DagsterRunStatus.STARTED, **fields)
    toy.instance.add_run(run)
    assert isinstance(daemon("sweep").tick(), dg.SkipReason)
    toy.instance.report_run_failed(run)
    assert daemon("sweep").tick().run_requests


def test_sweep_does_not_wait_for_a_run_whose_process_is_gone(toy: Toy, daemon: Callable[[str], Daemon]) -> None:
    daemon("sources").tick()
    host, pid, _ = process_tags()[PROCESS_TAG].rsplit(":", 2)
    tags = {"tunewright/recipe": "toy", PROCESS_TAG: f"{host}:{pid}:1"}
    toy.instance.add_run(dg.DagsterRun(job_name="x", status=dg.DagsterRunStatus.STARTED, tags=tags))
    assert daemon("sweep").tick().run_requests


def test_sweep_does_not_wait_for_other_recipes(toy: Toy, daemon: Callable[[str], Daemon]) -> None:
    daemon("sources").tick()
    toy.instance.add_run(dg.DagsterRun(job_name="x", status=dg.DagsterRunStatus.STARTED, tags={"tunewright/recipe": "other"}))
    assert daemon("sweep").tick().run_requests


def test_sweep_skips_with_a_sentence_when_a_snapshot_is_damaged(toy: Toy, daemon: Callable[[str], Daemon]) -> None:
    daemon("sources").tick()
    toy.home.store().put_snapshot(Snapshot(asset="toy/documents", partition="docs-0of4", version="v"))
    for file in (toy.home.path / "store" / "snapshots" / "toy" / "documents").iterdir():
        file.write_text("{torn")
    result = daemon("sweep").tick()
    assert isinstance(result, dg.SkipReason)
    assert "damaged" in str(result.skip_message)


def test_runs_of_the_automation_sensor_carry_the_recipe(toy: Toy) -> None:
    sensor = Daemon(toy, "automation").sensor
    assert isinstance(sensor, dg.AutomationConditionSensorDefinition)
    assert sensor.run_tags["tunewright/recipe"] == "toy"


def test_recipes_that_ask_in_batches_have_a_sensor_that_harvests_them(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "toy_batches" not in {sensor.name for sensor in build_sensors(toy.recipe)}
    teacher = TeacherConfig(kind="openai", model="m", base_url="http://127.0.0.1:9/v1")
    recipe = dataclasses.replace(toy.recipe, teacher=teacher, batch=BatchConfig())
    (sensor,) = [sensor for sensor in build_sensors(recipe) if sensor.name == "toy_batches"]
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(toy.home.path))
    with dg.build_sensor_context(instance=toy.instance) as context:
        result: Any = sensor(context)
    assert result.skip_message == "0 batches are open; 0 replies were stored now."
