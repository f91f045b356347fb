"""A run of two processes that is told to stop: one checkpoint of both, and the way on from there."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.training.conftest import Bench
from training.config import StageConfig
from training.launch import child_environment
from training.scale.agreement import StopAgreement
from training.scale.config import Layout
from training.scale.launch_command import build_launch
from training.spec import RunSpec

QUIET = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
LOOP = 100_000
"""More steps than are ever taken."""


def test_alone_the_own_signal_counts_at_once() -> None:
    agreement = StopAgreement()
    assert not agreement.is_needed
    assert agreement.exchange(0) == 0
    assert agreement.exchange(15) == 15
    agreement.wait_for_all()


RANK = """
import os, sys, torch.distributed as dist
from training.scale.agreement import StopAgreement
dist.init_process_group("gloo")
agreement, rank = StopAgreement(), dist.get_rank()
told = [agreement.exchange(15 if rank == 1 and step >= 2 else 0) for step in range(5)]
late = StopAgreement()
told += [late.exchange(0), late.exchange(2 if rank == 0 else 0, is_last=True)]
agreement.wait_for_all()
open(os.path.join(sys.argv[1], str(rank)), "w").write(repr(told))
"""


@pytest.mark.slow
def test_all_know_at_the_same_step_and_at_the_last_at_once(tmp_path: Path) -> None:
    (tmp_path / "rank.py").write_text(RANK)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run(
        [*command, str(tmp_path / "rank.py"), str(tmp_path)], env=child_environment({**os.environ, **QUIET}), check=True
    )
    assert (tmp_path / "0").read_text() == (tmp_path / "1").read_text() == repr([0, 0, 0, 15, 15, 0, 2])


def start(bench: Bench, name: str) -> "tuple[RunSpec, subprocess.Popen[str]]":
    stage = StageConfig(
        method="sft", tuning="full", max_steps=LOOP, max_length=128, learning_rate=0.001, checkpoint_every_steps=0,
        batch_size=4, gradient_accumulation=1, gradient_checkpointing=False,
    )  # fmt: skip
    spec = bench.spec(stage, name=name)
    return spec, launch(spec)


def launch(spec: RunSpec) -> "subprocess.Popen[str]":
    work = Path(spec.work_folder)
    prepared = build_launch(spec.write(work / "spec.json"), Layout(processes=2))
    prepared.write()
    environment = child_environment({**os.environ, **QUIET})
    return subprocess.Popen(prepared.command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for_steps(spec: RunSpec, child: "subprocess.Popen[str]") -> None:
    progress, deadline = Path(spec.work_folder) / "progress.jsonl", time.monotonic() + 600
    while not (progress.exists() and '"phase": "train"' in progress.read_text()):
        assert child.poll() is None, child.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def workers_of(process: int) -> dict[int, int]:
    """Return rank -> process id."""
    listed = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    environments = {}
    for pid in listed:
        with contextlib.suppress(OSError):
            environments[int(pid)] = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    found = {pid: re.search(r"\0RANK=(\d+)\0", text) for pid, text in environments.items()}
    return {int(match[1]): pid for pid, match in found.items() if match}


def steps_saved(spec: RunSpec) -> list[int]:
    folders = sorted((Path(spec.work_folder) / "checkpoints").glob("step-*"))
    assert all((folder / "seal.json").exists() for folder in folders)
    return [json.loads((folder / "seal.json").read_text())["step"] for folder in folders]


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the processes in /proc")
def test_a_signal_to_one_or_to_both_leaves_one_checkpoint_and_the_run_goes_on(bench: Bench) -> None:
    spec, child = start(bench, "stopped-two")
    saved = 0
    for told in ("rank 1", "terminal"):
        wait_for_steps(spec, child)
        workers = workers_of(child.pid)
        assert sorted(workers) == [0, 1]
        if told == "rank 1":
            os.kill(workers[1], signal.SIGTERM)
        else:  # as Ctrl-C does: all processes, and the launcher hands it on
            for process in (*workers.values(), child.pid):
                os.kill(process, signal.SIGINT)
        output = child.communicate(timeout=600)[0]
        assert child.returncode != 0
        steps = steps_saved(spec)
        assert steps[-1:] > [saved], (told, steps, output[-2000:])
        saved = steps[-1]
        (Path(spec.work_folder) / "progress.jsonl").unlink()
        if told == "rank 1":
            child = launch(spec)
    assert not (Path(spec.work_folder) / "output").exists()
