"""Killed without warning, started again: the same model as if nothing had happened."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.training.conftest import Bench
from tests.training.test_stages import QUICK, read_files, read_manifest
from training.config import StageConfig
from training.launch import build_command, child_environment
from training.spec import RunSpec

pytestmark = pytest.mark.filterwarnings("ignore")
"""The libraries warn about each other."""

STEPS = 120
LOOP = 100_000
"""More steps than are ever taken."""


DOOMED = """
import os, sys, threading
from training.progress import Progress
from training.run import main

step = Progress.step

def step_and_die(self, number, *values, **more):
    step(self, number, *values, **more)
    if number == {at}:
        threading.Timer({seconds}, os.kill, (os.getpid(), 9)).start()

Progress.step = step_and_die
main([{path!r}])
"""
"""A run that is killed some milliseconds after a step, wherever it then is, whatever the machine."""


def start(spec: RunSpec, code: str = "") -> "subprocess.Popen[bytes]":
    path = spec.write(Path(spec.work_folder) / "spec.json")
    command = [sys.executable, "-c", code] if code else build_command(path)
    return subprocess.Popen(command, env=child_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.slow
def test_kill_9_costs_nothing_but_time(bench: Bench) -> None:
    config = StageConfig(**QUICK, method="sft", max_steps=STEPS, tuning="full", checkpoint_every_steps=5)
    unbroken = bench.run(bench.spec(config, name="unbroken"))
    spec = bench.spec(config, name="killed")
    checkpoints, path = Path(spec.work_folder) / "checkpoints", str(Path(spec.work_folder) / "spec.json")
    rng, reached = random.Random(0), 0
    for _ in range(2):
        at = reached + 7 + rng.randrange(20)
        with start(spec, DOOMED.format(at=at, seconds=rng.random() * 0.01, path=path)) as child:
            assert child.wait(timeout=900) == -signal.SIGKILL
        newest = max(int(folder.name[5:]) for folder in checkpoints.glob("step-*"))
        assert reached < newest < STEPS
        reached = newest
    assert not (Path(spec.work_folder) / "output").exists()
    with start(spec) as child:
        assert child.wait(timeout=900) == 0
    output = Path(spec.work_folder) / "output"
    assert read_files(output) == read_files(unbroken)
    assert read_manifest(output)["trained_tokens"] == read_manifest(unbroken)["trained_tokens"]


@pytest.mark.slow
def test_five_kills_anywhere_end_in_the_same_model() -> None:
    command = [sys.executable, "-m", "benchmarks.resume_kills", "--kills", "5", "--case", "sft_lora", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, env=child_environment(), check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["kills"] == sum(found["landed"].values()) == 5
    assert found["identical"] == found["tokens_exact"] == found["runs"] > 0
    assert found["different"] == []


@pytest.mark.slow
def test_a_run_that_is_told_to_end_saves_what_it_has(bench: Bench) -> None:
    config = StageConfig(**QUICK, method="sft", max_steps=LOOP, tuning="full", checkpoint_every_steps=0)
    spec = bench.spec(config, name="terminated")
    progress = Path(spec.work_folder) / "progress.jsonl"
    with start(spec) as child:
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline and not (progress.exists() and '"step"' in progress.read_text()):
            time.sleep(0.02)
        child.terminate()
        assert child.wait(timeout=600) == 143
    told = [json.loads(line).get("step", 0) for line in progress.read_text().splitlines()]
    (saved,) = (int(folder.name[5:]) for folder in (Path(spec.work_folder) / "checkpoints").iterdir())
    assert 1 <= max(told) <= saved < LOOP
