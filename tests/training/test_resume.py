"""Killed without warning, started again: the same model as if nothing had happened."""

import random
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import Bench
from tests.training.test_stages import QUICK, read_files, read_manifest
from training.config import SftConfig
from training.launch import build_command, child_environment
from training.spec import RunSpec

pytestmark = pytest.mark.filterwarnings("ignore")
"""The libraries warn about each other."""

STEPS = 120


def start(spec: RunSpec) -> "subprocess.Popen[bytes]":
    path = spec.write(Path(spec.work_folder) / "spec.json")
    return subprocess.Popen(build_command(path), env=child_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for_checkpoint(spec: RunSpec, child: Any, after: int) -> int:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and child.poll() is None:
        newest = max((int(folder.name[5:]) for folder in (Path(spec.work_folder) / "checkpoints").glob("step-*")), default=0)
        if newest > after:
            return newest
        time.sleep(0.01)
    return STEPS


@pytest.mark.slow
def test_kill_9_costs_nothing_but_time(bench: Bench) -> None:
    config = SftConfig(**QUICK, max_steps=STEPS, method="full", checkpoint_every_steps=5)
    unbroken = bench.run(bench.spec("sft", config, name="unbroken"))
    spec = bench.spec("sft", config, name="killed")
    rng, reached = random.Random(0), 0
    for _ in range(2):
        with start(spec) as child:
            reached = wait_for_checkpoint(spec, child, reached)
            time.sleep(rng.random() * 0.2)
            child.kill()
    assert 0 < reached < STEPS, "it was never killed in the middle"
    assert not (Path(spec.work_folder) / "output").exists()
    with start(spec) as child:
        assert child.wait(timeout=180) == 0
    output = Path(spec.work_folder) / "output"
    assert read_files(output) == read_files(unbroken)
    assert read_manifest(output)["trained_tokens"] == read_manifest(unbroken)["trained_tokens"]
