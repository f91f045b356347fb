"""Trackers hear the curve and the configuration, and never a secret; their troubles are not the training's."""

import dataclasses
import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from curation.errors import ConfigError, TrackerMissingError
from tests.training.conftest import Bench
from tests.training.memory.test_fitting import limit_rows
from tests.training.test_stages import QUICK, read_files, read_manifest
from training.config import LoraConfig, StageConfig, TrainingConfig
from training.spec import RunSpec
from training.trackers import Trackers, describe_run, flatten, name_run, require_trackers

SPEC = RunSpec(
    config=StageConfig(method="sft", lora=LoraConfig(rank=4)), store_url="s3://key:secret@bucket", work_folder="/home/me/work",
    tables={"examples": "root1"}, parent_model="/store/folders/9f3a", run_name="assistant/sft_model", trackers=("trackio",),
)  # fmt: skip


class Recorder:
    """Stands in for a tracker's module, and writes down what it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, *, fails: str = "") -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        module = types.ModuleType(name)
        module.__spec__ = __import__("importlib.machinery").machinery.ModuleSpec(name, None)
        for call in ("init", "log", "finish", "set_experiment", "start_run", "log_params", "log_metrics", "end_run"):
            setattr(module, call, self._note(call, fails))
        monkeypatch.setitem(sys.modules, name, module)

    def _note(self, call: str, fails: str) -> Any:
        def note(*values: Any, **named: Any) -> None:
            self.calls.append((call, values, named))
            if call == fails:
                raise ConnectionError("no server")

        return note


@pytest.mark.parametrize("name", ["trackio", "wandb"])
def test_a_session_hears_name_configuration_and_curve(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    recorder = Recorder(monkeypatch, name)
    trackers = Trackers(dataclasses.replace(SPEC, trackers=(name,)), print)
    trackers.log({"loss": 1.5, "eval_runtime": 3.0, "note": "text"}, 7)
    trackers.finish()
    (_, _, begun), logged, ended = recorder.calls
    assert begun["project"] == "tunewright"
    assert begun["name"] == f"assistant/sft_model/{SPEC.fingerprint[:12]}"
    assert begun["config"]["data"] == {"examples": "root1"}
    assert begun["config"]["config"]["lora"]["rank"] == 4
    assert logged == ("log", ({"loss": 1.5},), {"step": 7})
    assert ended[0] == "finish"


def test_mlflow_hears_flat_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(monkeypatch, "mlflow")
    trackers = Trackers(dataclasses.replace(SPEC, trackers=("mlflow",)), print)
    trackers.log({"loss": 1.5}, 7)
    trackers.finish()
    calls = {name: (values, named) for name, values, named in recorder.calls}
    assert calls["log_params"][0][0]["config.lora.rank"] == "4"
    assert calls["log_metrics"] == (({"loss": 1.5},), {"step": 7})
    assert [name for name, *_ in recorder.calls][-1] == "end_run"


def test_no_address_path_or_secret_is_told() -> None:
    told = json.dumps([describe_run(SPEC), name_run(SPEC)])
    assert "9f3a" in told
    assert not any(private in told for private in ("secret", "s3:", "/home", "/store"))


@pytest.mark.parametrize("fails", ["init", "log", "finish"])
def test_a_tracker_that_fails_is_told_of_once(monkeypatch: pytest.MonkeyPatch, fails: str) -> None:
    Recorder(monkeypatch, "trackio", fails=fails)
    said: list[str] = []
    trackers = Trackers(SPEC, said.append)
    for step in range(3):
        trackers.log({"loss": 1.0}, step)
    trackers.finish()
    assert said == ["the tracker trackio failed and is left alone: ConnectionError: no server"]


def test_a_tracker_that_is_not_installed_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TrackerMissingError, match="'wandb'.*pip install wandb"):
        require_trackers(("wandb",))
    require_trackers(())


@pytest.mark.parametrize("names", [("tensorbord",), ("mlflow", "mlflow")])
def test_what_is_no_tracker_is_refused(names: Any) -> None:
    with pytest.raises(ConfigError, match="training.trackers"):
        TrainingConfig(trackers=names)


def test_trackers_do_not_make_another_run(tmp_path: Path) -> None:
    assert dataclasses.replace(SPEC, trackers=(), run_name="").fingerprint == SPEC.fingerprint
    assert RunSpec.read(SPEC.write(tmp_path / "spec.json")) == SPEC


def test_nested_values_get_dotted_names() -> None:
    assert flatten({"a": {"b": 1, "c": [1, 2]}, "d": None}) == {"a.b": 1, "a.c": "[1, 2]", "d": None}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_run_is_the_same_with_a_tracker(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(monkeypatch, "trackio")
    config = StageConfig(**QUICK, method="sft", tuning="full", max_steps=4)
    plain = bench.run(bench.spec(config, name="untracked"))
    tracked = bench.run(bench.spec(config, name="tracked", trackers=("trackio",)))
    assert read_files(tracked) == read_files(plain)
    losses = [values[0]["loss"] for call, values, _ in recorder.calls if call == "log" and "loss" in values[0]]
    assert losses == [point["loss"] for point in read_manifest(plain)["loss_curve"]]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_run_that_meets_the_end_of_memory_or_breaks_off_ends_its_tracker(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow refuses a second run beside one that was never ended."""
    recorder, open_runs, said = Recorder(monkeypatch, "mlflow"), list[str](), list[str]()

    def start_run(**named: Any) -> None:
        if open_runs:
            raise RuntimeError("a run is already active")
        open_runs.append(named["run_name"])

    monkeypatch.setattr(sys.modules["mlflow"], "start_run", start_run)
    monkeypatch.setattr(sys.modules["mlflow"], "end_run", open_runs.pop)
    limit_rows(monkeypatch, 4, from_step=2)
    config = StageConfig(**QUICK, method="sft", tuning="full", max_steps=4)
    bench.run(bench.spec(config, name="tracked-short-of-memory", trackers=("mlflow",)), say=said.append)
    assert [line for line in said if "out of memory" in line]
    assert not [line for line in said if "tracker" in line]
    assert [named["step"] for call, _, named in recorder.calls if call == "log_metrics"][-1] == 4
    assert open_runs == []

    def interrupt(line: str) -> None:
        if "step 1/" in line:
            raise SystemExit(143)

    with pytest.raises(SystemExit):
        bench.run(bench.spec(config, name="tracked-broken-off", trackers=("mlflow",)), say=interrupt)
    assert open_runs == []
