"""The training process from outside: imports, exit codes, error files, and its end when it is told or left alone."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from curation.errors import EmptyDatasetError
from training.config import BaseModelConfig, StageConfig
from training.launch import build_command, child_environment
from training.parent_watch import Stop, _watch
from training.progress import EVERY_SECONDS, LONGEST_SILENCE_SECONDS, Progress, seconds_between
from training.run import explain
from training.spec import RunSpec

WATCHED = """
import time
from training.parent_watch import Stop
stop = Stop(); stop.install(); stop.can_finish = {can_finish}
print("ready", flush=True)
while not stop.signal: time.sleep(0.01)
print("noted", stop.signal, flush=True)
"""


def start(code: str) -> "subprocess.Popen[str]":
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=child_environment())
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def read_error(work: Path) -> dict[str, Any]:
    error: dict[str, Any] = json.loads((work / "error.json").read_text())
    return error


def test_the_process_needs_no_server_packages() -> None:
    code = (
        "import sys, training.run; print(sorted({'dagster', 'polars', 'sqlalchemy', 'pydantic', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=child_environment(), check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noted_while_training(number: signal.Signals) -> None:
    with start(WATCHED.format(can_finish=True)) as child:
        child.send_signal(number)
        assert child.communicate(timeout=60)[0] == f"noted {int(number)}\n"


def test_a_signal_ends_what_cannot_be_saved() -> None:
    with start(WATCHED.format(can_finish=False)) as child:
        child.terminate()
        assert child.wait(timeout=60) == 143


def state_of(process: int) -> str:
    """Return the state of a process as the kernel tells it, or nothing if it is gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def test_the_process_dies_with_its_parent() -> None:
    inner = WATCHED.format(can_finish=False)
    outer = (
        "import os, subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {inner!r}], stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print(child.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", outer], stdout=subprocess.PIPE, text=True, env=child_environment(), check=False
    )
    process = int(done.stdout)
    deadline = time.monotonic() + 60
    while state_of(process) not in ("", "Z"):
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel tells nothing of the parent's death")
def test_a_parent_that_dies_is_one_signal() -> None:
    inner = WATCHED.format(can_finish=True) + "\ntime.sleep(2.5)\nprint('saved', flush=True)"  # longer than between two looks
    outer = f"import os, subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {inner!r}])\nsys.stdin.readline()"
    with subprocess.Popen(
        [sys.executable, "-c", outer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=child_environment()
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        parent.kill()
        assert parent.stdout.read() == "noted 15\nsaved\n"


def test_a_death_that_the_kernel_tells_while_it_is_noticed_is_one_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Stop()
    stop.can_finish = True

    def tell_twice(_: int, number: int) -> None:
        for _ in range(2):
            stop._note(number, None)

    monkeypatch.setattr("training.parent_watch.os.kill", tell_twice)
    monkeypatch.setattr("training.parent_watch.os._exit", lambda _: None)
    monkeypatch.setattr("training.parent_watch.time.sleep", lambda _: None)
    _watch(stop, parent=-1, starter=0)
    assert stop.signal == signal.SIGTERM


@pytest.mark.parametrize(("world", "is_watched", "left"), [("1", False, True), ("1", True, False), ("2", False, False)])
def test_a_second_signal_ends_at_once_but_not_where_one_ctrl_c_comes_twice(world: str, is_watched: bool, left: bool) -> None:
    """From the terminal, and from the launcher, or from the run of Dagster that started it."""
    seconds = 60 if left else 0.5  # who leaves does so long before, and the other one has the second signal by then
    code = WATCHED.format(can_finish=True) + f"\ntime.sleep({seconds})\nprint('saved', flush=True)"
    environment = {**child_environment(is_watched=is_watched), "WORLD_SIZE": world}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "noted 2\n"
        child.send_signal(signal.SIGINT)
        assert child.stdout.read() == ("" if left else "saved\n")


def test_empty_data_is_one_sentence(tmp_path: Path) -> None:
    spec = RunSpec(config=StageConfig(method="sft"), store_url=str(tmp_path / "store"), work_folder=str(tmp_path / "work"))
    done = subprocess.run(
        build_command(spec.write(tmp_path / "spec.json")), env=child_environment(), capture_output=True, check=False
    )
    assert done.returncode == 3
    error = read_error(tmp_path / "work")
    assert error["error"] == "EmptyDatasetError"
    assert error["message"].startswith("The data set 'sft_dataset' has no rows")


@pytest.mark.slow
def test_an_unknown_base_model_is_one_sentence(tmp_path: Path) -> None:
    config = BaseModelConfig(model="nobody/no-such-model")
    spec = RunSpec(config=config, store_url=str(tmp_path / "store"), work_folder=str(tmp_path / "work"))
    environment = {**child_environment(), "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub")}
    done = subprocess.run(build_command(spec.write(tmp_path / "spec.json")), env=environment, capture_output=True, check=False)
    assert done.returncode == 3
    assert read_error(tmp_path / "work")["error"] == "ModelNotFoundError"


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x"), "StoreFullError"),
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 5415424 vs 5415312"), "StoreFullError"),
        (ValueError("Error while serializing: I/O error: No space left on device (os error 28)"), "StoreFullError"),
        (EmptyDatasetError(dataset="sft_dataset", reason="none"), "EmptyDatasetError"),
        (RuntimeError("out of memory"), "TrainingFailedError"),
        (RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors might be reported later"), "DeviceLostError"),
        (RuntimeError("CUDA error: uncorrectable ECC error encountered"), "DeviceLostError"),
        (RuntimeError("CUDA error: device-side assert triggered"), "TrainingFailedError"),
    ],
)
def test_every_error_is_one_of_ours(error: Exception, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    spec = RunSpec(config=StageConfig(method="sft"), store_url="/s", work_folder="/w")
    known = explain(spec, error)
    assert type(known).__name__ == name
    assert "\n" not in str(known)
    assert (str(error) in capsys.readouterr().err) == (name in ("TrainingFailedError", "DeviceLostError"))


def test_a_lost_device_is_one_sentence_without_advice_for_programmers() -> None:
    spec = RunSpec(config=StageConfig(method="sft"), store_url="/s", work_folder="/w")
    known = str(explain(spec, RuntimeError("CUDA error: unspecified launch failure\nCompile with TORCH_USE_CUDA_DSA")))
    assert known.startswith("Training 'sft' lost its device: CUDA error: unspecified launch failure. The last valid checkpoint")
    assert "DSA" not in known


def test_a_missing_spec_is_an_error(tmp_path: Path) -> None:
    done = subprocess.run(build_command(tmp_path / "none.json"), env=child_environment(), capture_output=True, check=False)
    assert done.returncode == 3
    assert b"none.json" in done.stderr


def test_the_environment_is_quiet_and_watches_us() -> None:
    environment = child_environment({"A": "b", "PYTHONPATH": "/x"})
    assert environment["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert environment["TUNEWRIGHT_PARENT_PID"] == str(os.getpid())
    assert environment["A"] == "b"
    assert environment["PYTHONPATH"].endswith(f"{os.pathsep}/x")


def test_progress_is_told_now_and_then_and_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.progress.time.monotonic", lambda: 1000.0)
    said: list[str] = []
    progress = Progress("sft", tmp_path / "progress.jsonl", said.append)
    for step in range(1, 11):
        progress.step(step, 10, loss=1.0 / step, tokens_per_second=1234.5, seconds_left=10.0 - step)
    assert len(said) == 2
    assert said[-1] == "sft: step 10/10, loss 0.100, 1,234 tokens/s, 0 s left"
    lines = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 10]


def test_lines_grow_rarer() -> None:
    assert seconds_between(0) == seconds_between(100) == EVERY_SECONDS
    assert seconds_between(500) == pytest.approx(10)
    assert seconds_between(36_000) == LONGEST_SILENCE_SECONDS


def test_progress_survives_a_folder_that_is_gone(tmp_path: Path) -> None:
    said: list[str] = []
    Progress("sft", tmp_path / "none" / "progress.jsonl", said.append).phase("reading")
    assert said == ["sft: reading"]
