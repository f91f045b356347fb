"""The process of a range test: it hears of no Ctrl-C, and does not outlive whoever started it."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from training.config import StageConfig
from training.health.range_launch import launch_range_test
from training.spec import RunSpec

STARTER = """
import subprocess, sys
from training.launch import child_environment
subprocess.run([sys.executable, "-m", "training.health.range_command", sys.argv[1]], env=child_environment(), process_group=0)
"""


def test_it_has_a_group_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!{sys.executable}\nimport json, os\nprint(json.dumps({{'leads': os.getpgrp() == os.getpid()}}))\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    spec = RunSpec(config=StageConfig(method="sft"), store_url="", work_folder=str(tmp_path / "work"))
    assert launch_range_test(spec, is_quiet=True) == (0, {"leads": True}, "")


@pytest.mark.slow
def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    os.mkfifo(spec)
    with subprocess.Popen([sys.executable, "-c", STARTER, str(spec)], stdout=subprocess.PIPE) as starter:
        unread = _open_when_read(spec)  # from here on the test waits for the rest of its spec
        try:
            starter.kill()
            starter.communicate(timeout=60)  # raises if the range test still holds the pipe
            assert starter.returncode == -signal.SIGKILL
        finally:
            os.close(unread)


def _open_when_read(fifo: Path) -> int:
    until = time.monotonic() + 60
    while True:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > until:
                raise
        time.sleep(0.05)
