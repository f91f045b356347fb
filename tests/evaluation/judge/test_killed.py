"""A killed judging loses nothing that was paid for and was stored, and ends with the same summary."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.evaluation.judge.killed_judging import CONCURRENCY, NUM_PAIRS

pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-m", "tests.evaluation.judge.killed_judging"]


def run(folder: Path) -> list[str]:
    folder.mkdir(exist_ok=True)
    return subprocess.run([*COMMAND, str(folder)], capture_output=True, text=True, check=True).stdout.split()


def count_asked(folder: Path) -> int:
    log = folder / "asked.log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def kill_after(folder: Path, num_asked: int) -> None:
    """Kill it with SIGKILL once so many requests were answered, and while it waits for more."""
    process = subprocess.Popen([*COMMAND, str(folder), str(num_asked)], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 600
    while count_asked(folder) < num_asked and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    assert count_asked(folder) == num_asked
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was still judging"


def test_a_killed_judging_goes_on_and_pays_nothing_twice(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    summary, num_calls, _ = run(whole)
    assert int(num_calls) == 2 * NUM_PAIRS
    killed.mkdir()
    kill_after(killed, num_asked=70)
    again, num_more, num_cached = run(killed)
    assert again == summary
    assert int(num_more) + int(num_cached) == 2 * NUM_PAIRS
    assert int(num_cached) >= 70 - CONCURRENCY
    assert count_asked(killed) <= 2 * NUM_PAIRS + CONCURRENCY, "what was under way at a kill is all that is asked again"
