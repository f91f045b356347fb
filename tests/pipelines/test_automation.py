"""What the automation condition asks for, on a graph of the shape of the real one: shards, a fan-in, a chain."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import pytest

from pipelines.automation import check_when_made, rebuild_when_changed
from tests.pipelines.dagster_noise import dagster_noise

pytestmark = [dagster_noise, pytest.mark.slow]

SHARDS = dg.DynamicPartitionsDefinition(name="toy_shards")
VERSION_TAG = "dagster/data_version"
Requested = set[tuple[str, str | None]]


@functools.cache
def build_graph(**code: str) -> dg.Definitions:
    @dg.observable_source_asset(partitions_def=SHARDS)
    def source_shard() -> dg.DataVersionsByPartition:
        return dg.DataVersionsByPartition({})

    @dg.observable_source_asset
    def source_manifest() -> dg.DataVersion:
        return dg.DataVersion("")

    condition = rebuild_when_changed()

    def asset(name: str, deps: list[str], *, is_sharded: bool = False) -> dg.AssetsDefinition:
        @dg.asset(
            name=name,
            deps=deps,
            partitions_def=SHARDS if is_sharded else None,
            automation_condition=condition,
            code_version=code.get(name, "1"),
        )
        def body() -> None: ...

        return body

    return dg.Definitions(
        assets=[
            source_shard,
            source_manifest,
            asset("documents", ["source_shard"], is_sharded=True),
            asset("candidates", ["documents"], is_sharded=True),
            asset("curated", ["candidates", "source_manifest"]),
            asset("dataset", ["curated"]),
            asset("model", ["dataset"]),
        ]
    )


@dataclass
class Project:
    """Plays the daemon: reports events, ticks, and remembers the cursor."""

    instance: dg.DagsterInstance
    code: dict[str, str] = field(default_factory=dict)
    cursor: Any = None

    def observe(self, asset: str, version: str, shard: str | None = None) -> None:
        event = dg.AssetObservation(asset_key=asset, partition=shard, tags={VERSION_TAG: version})
        self.instance.report_runless_asset_event(event)

    def add_shard(self, shard: str, version: str = "v1") -> None:
        self.instance.add_dynamic_partitions("toy_shards", [shard])
        self.observe("source_shard", version, shard)
        self.observe("source_manifest", f"with {shard}")

    def made(self, asset: str, version: str, shard: str | None = None) -> None:
        tags = {VERSION_TAG: version, "dagster/code_version": self.code.get(asset, "1")}
        self.instance.report_runless_asset_event(dg.AssetMaterialization(asset_key=asset, partition=shard, tags=tags))

    def tick(self) -> Requested:
        result = dg.evaluate_automation_conditions(build_graph(**self.code), self.instance, cursor=self.cursor)
        self.cursor = result.cursor
        requested: Requested = set()
        for item in result.results:
            shards = result.get_requested_partitions(item.key)
            requested |= {(item.key.to_user_string(), shard) for shard in shards}
        return requested

    def work(self, version: str = "v1", max_ticks: int = 12) -> list[tuple[str, str | None]]:
        """Do what is requested, tick after tick, until nothing is; outputs get `version`, each shard its own."""
        log: list[tuple[str, str | None]] = []
        for _ in range(max_ticks):
            requested = sorted(self.tick(), key=str)
            if not requested:
                return log
            log += requested
            for asset, shard in requested:
                self.made(asset, f"{version} of {asset} {shard}", shard)
        raise AssertionError(f"still busy after {max_ticks} ticks: {log}")


@pytest.fixture
def project() -> Iterator[Project]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Project(instance)


@pytest.fixture
def settled(project: Project) -> Project:
    """A project with two shards in which everything was made once."""
    project.tick()
    for shard in ("a", "b"):
        project.add_shard(shard)
    done = project.work()
    everything = {("documents", "a"), ("documents", "b"), ("candidates", "a"), ("candidates", "b")}
    assert set(done) == everything | {("curated", None), ("dataset", None), ("model", None)}
    assert len(done) == len(set(done))
    return project


def test_first_data_is_carried_to_the_end_once_each(settled: Project) -> None:
    assert settled.tick() == set()


def test_many_ticks_without_a_change_requests_nothing(settled: Project) -> None:
    for number in range(12):
        if number % 3 == 0:
            settled.observe("source_shard", "v1", "a")
            settled.observe("source_manifest", "with b")
        assert settled.tick() == set()


def test_one_changed_shard_requests_only_that_shard(settled: Project) -> None:
    settled.observe("source_shard", "v2", "a")
    assert settled.tick() == {("documents", "a")}
    assert settled.tick() == set(), "what was requested is not requested again while it runs"
    settled.made("documents", "v2", "a")
    assert settled.tick() == {("candidates", "a")}


def test_changed_shard_goes_through_the_fan_in_to_the_end(settled: Project) -> None:
    settled.observe("source_shard", "v2", "a")
    assert settled.work("v2") == [
        ("documents", "a"),
        ("candidates", "a"),
        ("curated", None),
        ("dataset", None),
        ("model", None),
    ]


def test_cascade_stops_where_the_version_stays(settled: Project) -> None:
    settled.observe("source_shard", "v2", "a")
    assert settled.tick() == {("documents", "a")}
    settled.made("documents", "v1 of documents a", "a")
    assert settled.tick() == set()
    settled.made("dataset", "v1 of dataset None")
    assert settled.tick() == set(), "somebody materialized it again by hand: nothing changed"


def test_new_shard_is_read_and_crosses_the_fan_in(settled: Project) -> None:
    settled.add_shard("c")
    log = settled.work("v2")
    assert set(log[:2]) == {("documents", "c"), ("candidates", "c")}
    assert set(log[2:]) == {("curated", None), ("dataset", None), ("model", None)}
    assert len(log) == len(set(log))


def test_deleted_shard_makes_the_fan_in_run(settled: Project) -> None:
    settled.instance.delete_dynamic_partition("toy_shards", "b")
    settled.observe("source_manifest", "without b")
    assert settled.tick() == {("curated", None)}


def test_changed_code_requests_the_asset_alone(settled: Project) -> None:
    settled.code["dataset"] = "2"
    assert settled.tick() == {("dataset", None)}
    settled.made("dataset", "v1 of dataset None")
    assert settled.tick() == set()


def test_missing_dependency_blocks(project: Project) -> None:
    project.tick()
    project.add_shard("a")
    project.add_shard("b")
    in_one_run_a_shard = {(asset, shard) for asset in ("documents", "candidates") for shard in "ab"}
    assert project.tick() == in_one_run_a_shard
    for asset in ("documents", "candidates"):
        project.made(asset, "v1", "a")
    assert project.tick() == set(), "shard b has no candidates yet"
    for asset in ("documents", "candidates"):
        project.made(asset, "v1", "b")
    assert project.tick() == {("curated", None)}


def test_what_stood_there_before_the_first_tick_is_left_to_the_sweep(project: Project) -> None:
    project.add_shard("a")
    assert project.work() == []
    project.made("documents", "v1", "a")
    assert [asset for asset, _ in project.work()] == ["candidates", "curated", "dataset", "model"]


def test_failed_asset_is_not_requested_again_and_again(settled: Project) -> None:
    settled.observe("source_shard", "v2", "a")
    assert settled.tick() == {("documents", "a")}
    for _ in range(5):
        assert settled.tick() == set()


class Checked:
    """Two assets of which the second has a check that stands on its own; plays the daemon."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        @dg.asset(automation_condition=rebuild_when_changed())
        def rows() -> None: ...

        @dg.asset(deps=[rows], automation_condition=rebuild_when_changed())
        def dataset() -> None: ...

        @dg.asset_check(asset=dataset, automation_condition=check_when_made())
        def quality() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(passed=True)

        self.instance, self.cursor = instance, None
        self.definitions = dg.Definitions(assets=[rows, dataset], asset_checks=[quality])

    def tick(self) -> set[str]:
        result: Any = dg.evaluate_automation_conditions(self.definitions, self.instance, cursor=self.cursor)
        self.cursor = result.cursor
        return {item.key.to_user_string() for item in result.results if item.true_subset.size}

    def run(self, *names: str, version: str) -> None:
        """Materialize assets, and evaluate the check of the second where it is named."""
        for name in names:
            asset, _, check = name.partition(":")
            made = dg.AssetMaterialization(asset_key=asset, tags={VERSION_TAG: version})
            judged = dg.AssetCheckEvaluation(asset_key=dg.AssetKey(asset), check_name=check, passed=True, metadata={})
            self.instance.report_runless_asset_event(judged if check else made)


@pytest.fixture
def checked() -> Iterator[Checked]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Checked(instance)


def test_a_check_is_evaluated_with_what_the_automation_makes_and_once(checked: Checked) -> None:
    checked.tick()
    checked.run("rows", "dataset", "dataset:quality", version="1")
    checked.tick()
    assert checked.tick() == set()
    checked.run("rows", version="2")
    assert checked.tick() == {"dataset", "dataset:quality"}, "both in one run"
    checked.run("dataset", "dataset:quality", version="2")
    assert [checked.tick() for _ in range(3)] == [set()] * 3
    checked.run("dataset", version="3")
    assert checked.tick() == {"dataset:quality"}, "somebody made it alone"
