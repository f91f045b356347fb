"""kill -9 while the teacher writes and while a model trains: the same command goes on from there."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.slow_teacher import SlowTeacher
from tests.e2e.tiny_recipe import STEPS, Project, make_project

pytestmark = pytest.mark.slow
TRAINING = {
    "base": {"hidden_size": 32, "num_layers": 1, "num_heads": 2, "vocab_size": 400, "context_length": 256},
    "stages": [{"method": "sft", **STEPS}],
}

HALT = """
import os, sys, time

if "training.run" in sys.orig_argv:
    from training.progress import Progress

    step, parent = Progress.step, os.getppid()

    def step_and_halt(self, number, *values, **more):
        step(self, number, *values, **more)
        while number == 13 and os.getppid() == parent:
            time.sleep(0.01)

    Progress.step = step_and_halt
"""
"""A training that waits at a step until its parent is gone: no machine is so fast that it ends before."""


def _kill_when(process: subprocess.Popen[str], condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.poll() is None, process.communicate()[0]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=600)


def test_killed_while_generating_pays_for_no_reply_twice(tmp_path: Path) -> None:
    teacher = SlowTeacher(0.15)
    config = {"kind": "openai", "model": "m", "base_url": teacher.url, "concurrency": 2, "api_key_env": "NO_KEY"}
    project = make_project(tmp_path, teacher=config, training=TRAINING)
    project.change_recipe(
        terms={"action": "warn"},  # nobody knows the terms of this teacher
        generate={"routing": {"routes": {"boats": ["boats:*"], "bread": ["bread:*"]}, "questions_per_document": 2}},
    )
    try:
        process = project.start("run", str(project.recipe))
        _kill_when(process, lambda: sum(teacher.asked.values()) >= 5, 600)
        asked_before = sum(teacher.asked.values())
        summary = project.run()
    finally:
        teacher.close()
    assert len(teacher.asked) == 12
    assert asked_before >= 5
    assert sum(teacher.asked.values()) <= 12 + 2, "at most the two requests under way are asked again"
    assert summary["teacher_calls"] <= 12 - 5 + 2
    assert not list(project.home.rglob("*.part"))


def test_killed_while_training_resumes_and_leaves_no_child(tmp_path: Path) -> None:
    sft = {"method": "sft", **STEPS, "max_steps": 200, "checkpoint_every_steps": 5}
    project = make_project(tmp_path, training={**TRAINING, "stages": [sft]})
    (tmp_path / "halt").mkdir()
    (tmp_path / "halt" / "sitecustomize.py").write_text(HALT)
    path = os.pathsep.join([str(tmp_path / "halt"), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = project.start("run", str(project.recipe), PYTHONPATH=path)
    _kill_when(process, lambda: len(_checkpoints(project)) >= 2, 600)
    deadline = time.monotonic() + 600
    while _children(project) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _children(project), "the training process has to die with its parent"
    code, output = project.call("run", str(project.recipe))
    assert code == 0, output
    assert "going on from step-" in output
    assert not _checkpoints(project), "a finished training keeps its model, not its checkpoints"


def _checkpoints(project: Project) -> list[Path]:
    return list((project.home / "work" / "tiny").glob("sft_model-*/checkpoints/step-*"))


def _children(project: Project) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes().decode()
            except OSError:
                continue
            if "training.run" in command and str(project.home) in command:
                found.append(int(folder.name))
    return found
