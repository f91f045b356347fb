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
from training.config import BaseModelConfig, SftConfig
from training.launch import build_command, child_environment
from training.progress import Progress
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
        assert child.communicate(timeout=10)[0] == f"noted {int(number)}\n"


def test_a_signal_ends_what_cannot_be_saved() -> None:
    with start(WATCHED.format(can_finish=False)) as child:
        child.terminate()
        assert child.wait(timeout=10) == 143


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
    deadline = time.monotonic() + 10
    while Path(f"/proc/{process}/stat").exists() and Path(f"/proc/{process}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.05)


def test_empty_data_is_one_sentence(tmp_path: Path) -> None:
    spec = RunSpec(stage="sft", config=SftConfig(), store_url=str(tmp_path / "store"), work_folder=str(tmp_path / "work"))
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
    spec = RunSpec(stage="base", config=config, store_url=str(tmp_path / "store"), work_folder=str(tmp_path / "work"))
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
    ],
)
def test_every_error_is_one_of_ours(error: Exception, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    spec = RunSpec(stage="sft", config=SftConfig(), store_url="/s", work_folder="/w")
    known = explain(spec, error)
    assert type(known).__name__ == name
    assert "\n" not in str(known)
    assert ("out of memory" in capsys.readouterr().err) == (name == "TrainingFailedError")


def test_a_missing_spec_is_an_error(tmp_path: Path) -> None:
    done = subprocess.run(build_command(tmp_path / "none.json"), env=child_environment(), capture_output=True, check=False)
    assert done.returncode == 3
    assert b"none.json" in done.stderr


def test_several_processes_go_through_the_launcher() -> None:
    assert build_command(Path("s.json"), 1) == [sys.executable, "-m", "training.run", "s.json"]
    many = build_command(Path("s.json"), 4)
    assert many[many.index("--num_processes") + 1] == "4"
    assert many[-3:] == ["-m", "training.run", "s.json"]


def test_the_environment_is_quiet_and_watches_us() -> None:
    environment = child_environment({"A": "b", "PYTHONPATH": "/x"})
    assert environment["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert environment["TUNEWRIGHT_PARENT_PID"] == str(os.getpid())
    assert environment["A"] == "b"
    assert environment["PYTHONPATH"].endswith(f"{os.pathsep}/x")


def test_progress_is_told_now_and_then_and_at_the_end(tmp_path: Path) -> None:
    said: list[str] = []
    progress = Progress("sft", tmp_path / "progress.jsonl", said.append)
    for step in range(1, 11):
        progress.step(step, 10, loss=1.0 / step, tokens_per_second=1234.5, seconds_left=10.0 - step)
    assert len(said) == 2
    assert said[-1] == "sft: step 10/10, loss 0.100, 1,234 tokens/s, 0 s left"
    lines = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 10]


def test_progress_survives_a_folder_that_is_gone(tmp_path: Path) -> None:
    said: list[str] = []
    Progress("sft", tmp_path / "none" / "progress.jsonl", said.append).phase("reading")
    assert said == ["sft: reading"]
