"""FSDP2 of two processes, interrupted in every way: the same model as that of two that nobody touched."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.training.conftest import Bench
from tests.training.scale.test_agreement import QUIET, steps_saved, workers_of
from tests.training.test_stages import read_files, read_manifest
from training.config import StageConfig
from training.launch import child_environment
from training.scale.config import Layout
from training.scale.launch_command import MODULE, build_launch
from training.spec import RunSpec

STEPS, EVERY = 32, 4
AHEAD = 6
"""Steps until the next interruption: more than lie between two checkpoints."""
SHARDED = "pytorch_model_fsdp.bin"
"""What accelerate writes into a checkpoint under FSDP, and under nothing else."""


HALTING = """
import time
from pathlib import Path
from training.progress import Progress
from training.run import main

step, released = Progress.step, Path({released!r})

def step_and_halt(self, number, *values, **more):
    step(self, number, *values, **more)
    while number >= {at} and not released.exists():
        time.sleep(0.01)

Progress.step = step_and_halt
main([{path!r}])
"""
"""A run that goes no further than a step until it is released, so that no machine is too fast or too slow to interrupt it."""


def launch(spec: RunSpec, halt_at: int = STEPS + 1) -> "subprocess.Popen[str]":
    work = Path(spec.work_folder)
    path, script, released = spec.write(work / "spec.json"), work / "halting.py", work / "released"
    released.unlink(missing_ok=True)
    script.write_text(HALTING.format(path=str(path), at=halt_at, released=str(released)))
    prepared = build_launch(path, Layout(processes=2, strategy="fsdp2"))
    prepared.write()
    assert prepared.command[-3:] == ["-m", MODULE, str(path)]
    environment = child_environment({**os.environ, **QUIET})
    command = [*prepared.command[:-3], str(script)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for_checkpoint(spec: RunSpec, child: "subprocess.Popen[str]", after: int) -> int:
    deadline = time.monotonic() + 600
    while True:
        folders = (Path(spec.work_folder) / "checkpoints").glob("step-*")
        newest = max((int(folder.name[5:]) for folder in folders), default=0)
        if newest > after:
            return newest
        assert child.poll() is None, child.communicate()[0][-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def interrupt(spec: RunSpec, child: "subprocess.Popen[str]", how: str) -> None:
    workers = workers_of(child.pid)
    assert sorted(workers) == [0, 1]
    if how == "one is killed":
        os.kill(workers[1], signal.SIGKILL)
    elif how == "one is told to end":
        os.kill(workers[1], signal.SIGTERM)
        (Path(spec.work_folder) / "released").touch()
    else:
        for process in (child.pid, *workers.values()):
            os.kill(process, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the processes in /proc")
def test_interrupted_in_every_way_it_ends_in_the_same_model(bench: Bench) -> None:
    config = StageConfig(
        method="sft", tuning="full", max_steps=STEPS, max_length=128, learning_rate=0.001, checkpoint_every_steps=EVERY,
        batch_size=2, gradient_accumulation=1, gradient_checkpointing=False,
    )  # fmt: skip
    unbroken, spec = bench.spec(config, name="sharded-unbroken"), bench.spec(config, name="sharded-broken")
    with launch(unbroken) as child:
        assert "sft: done" in child.communicate(timeout=900)[0]
    reached = 0
    for how in ("one is killed", "one is told to end", "all are killed"):
        with launch(spec, halt_at=reached + AHEAD) as child:
            reached = wait_for_checkpoint(spec, child, reached)
            interrupt(spec, child, how)
            said = child.communicate(timeout=600)[0]
            assert child.returncode != 0
        saved = steps_saved(spec)
        assert saved[-1] >= reached, (how, said[-2000:])
        assert (Path(spec.work_folder) / "checkpoints" / f"step-{saved[-1]:08d}" / SHARDED).exists(), "it was not sharded"
        assert not (Path(spec.work_folder) / "output").exists()
        if how == "one is told to end":
            assert saved[-1] % EVERY != 0 or saved[-1] > reached, "all saved the step at which they heard of it"
        reached = saved[-1]
    with launch(spec) as child:
        said = child.communicate(timeout=900)[0]
        assert f"going on from step-{reached:08d}" in said, said[-3000:]
        assert child.returncode == 0, said[-3000:]
    ours, theirs = (Path(one.work_folder) / "output" for one in (spec, unbroken))
    assert read_files(ours) == read_files(theirs)
    assert read_manifest(ours)["trained_tokens"] == read_manifest(theirs)["trained_tokens"]
