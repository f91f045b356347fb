"""The Dagster instance is set up quietly, and runs of dead processes are cleared away."""

import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from pipelines.instance import PROCESS_TAG, clear_dead_runs, prepare_dagster_home, process_tags
from pipelines.resources import HomeResource
from tests.pipelines.dagster_noise import dagster_noise
from tests.pipelines.toy_recipe import toy_home

pytestmark = dagster_noise
NAMES = ("DAGSTER_HOME", "DAGSTER_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, "remembered, so that it is restored")
        monkeypatch.delenv(name)


def test_instance_is_made_in_the_home_with_our_settings(tmp_path: Path) -> None:
    folder = prepare_dagster_home(toy_home(tmp_path))
    assert folder == tmp_path / "home" / "dagster"
    assert os.environ["DAGSTER_HOME"] == str(folder)
    settings = yaml.safe_load((folder / "dagster.yaml").read_text())
    assert settings["telemetry"] == {"enabled": False}
    assert settings["run_monitoring"]["enabled"] is True
    assert settings["run_monitoring"]["free_slots_after_run_end_seconds"] > 0
    assert settings["run_retries"]["enabled"] is True


def test_dagster_accepts_the_settings_and_sends_no_telemetry(tmp_path: Path) -> None:
    prepare_dagster_home(toy_home(tmp_path))
    with dg.DagsterInstance.get() as instance:
        assert instance.telemetry_enabled is False
        assert instance.run_monitoring_enabled is True
        assert instance.run_retries_enabled is True
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1
    assert os.environ["DAGSTER_DISABLE_TELEMETRY"] == "1"
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_settings_and_home_of_the_user_are_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "dagster.yaml").write_text("run_queue: {}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(own))
    assert prepare_dagster_home(toy_home(tmp_path)) == own
    assert (own / "dagster.yaml").read_text() == "run_queue: {}\n"
    assert os.environ["DAGSTER_DISABLE_TELEMETRY"] == "1", "their file may leave telemetry on"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def start_run(instance: dg.DagsterInstance, tags: dict[str, str], status: dg.DagsterRunStatus) -> str:
    run = dg.DagsterRun(job_name="x", tags=tags, status=status)
    instance.add_run(run)
    return run.run_id


@functools.cache
def tags_of_a_dead_process() -> dict[str, str]:
    """What a process wrote that has ended by now."""
    code = "import json; from pipelines.instance import process_tags; print(*process_tags().values())"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    return {PROCESS_TAG: done.stdout.strip()}


@pytest.mark.slow
@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
def test_run_of_a_dead_process_is_failed(instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> None:
    dead = start_run(instance, tags_of_a_dead_process(), status)
    assert clear_dead_runs(instance) == 1
    found = instance.get_run_by_id(dead)
    assert found is not None
    assert found.status is dg.DagsterRunStatus.FAILURE
    assert clear_dead_runs(instance) == 0


def test_runs_of_living_distant_and_unknown_processes_go_on(instance: dg.DagsterInstance) -> None:
    started = dg.DagsterRunStatus.STARTED
    tag = process_tags()[PROCESS_TAG]
    kept = [
        start_run(instance, process_tags(), started),
        start_run(instance, {PROCESS_TAG: "elsewhere" + tag}, started),
        start_run(instance, {PROCESS_TAG: "garbage"}, started),
        start_run(instance, {}, started),
    ]
    assert clear_dead_runs(instance) == 0
    assert {run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=[started]))} == set(kept)


def test_a_run_says_which_process_works_on_it_also_when_it_repeats_one_of_the_dead(instance: dg.DagsterInstance) -> None:
    @dg.op(required_resource_keys={"home"})
    def look() -> None: ...

    @dg.job(resource_defs={"home": HomeResource()})
    def once() -> None:
        look()

    result = once.execute_in_process(instance=instance, tags={PROCESS_TAG: "here:1:1"})
    found = instance.get_run_by_id(result.run_id)
    assert found is not None
    assert found.tags[PROCESS_TAG] == process_tags()[PROCESS_TAG]


def test_a_retry_that_has_not_begun_is_not_taken_for_the_run_that_it_repeats(instance: dg.DagsterInstance) -> None:
    host, pid, _ = process_tags()[PROCESS_TAG].rsplit(":", 2)
    dead = {PROCESS_TAG: f"{host}:{pid}:1"}
    first = start_run(instance, dead, dg.DagsterRunStatus.STARTED)
    assert clear_dead_runs(instance) == 1
    starting = dg.DagsterRunStatus.STARTING
    retry = dg.DagsterRun(job_name="x", tags=dead, status=starting, root_run_id=first, parent_run_id=first)
    instance.add_run(retry)
    assert clear_dead_runs(instance) == 0, "Dagster gives a retry the tags of the run that it repeats"
    instance.add_run_tags(retry.run_id, {PROCESS_TAG: f"{host}:{pid}:2"})
    assert clear_dead_runs(instance) == 1, "its own process is gone as well"


def test_process_that_took_over_the_number_is_not_the_one(instance: dg.DagsterInstance) -> None:
    host, pid, _ = process_tags()[PROCESS_TAG].rsplit(":", 2)
    start_run(instance, {PROCESS_TAG: f"{host}:{pid}:1"}, dg.DagsterRunStatus.STARTED)
    assert clear_dead_runs(instance) == 1


@pytest.mark.slow
def test_finished_runs_stay_as_they_are(instance: dg.DagsterInstance) -> None:
    run = start_run(instance, tags_of_a_dead_process(), dg.DagsterRunStatus.SUCCESS)
    assert clear_dead_runs(instance) == 0
    found = instance.get_run_by_id(run)
    assert found is not None
    assert found.status is dg.DagsterRunStatus.SUCCESS
