"""A child that was killed said nothing itself, and is no success."""

import signal
import subprocess
import sys

import pytest

from pipelines.child_exit import explain_exit


def test_exit_codes_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert [explain_exit(code, "the preflight") for code in (0, 1, 3)] == [0, 1, 3]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("number", "code", "is_memory"), [(signal.SIGKILL, 137, True), (signal.SIGTERM, 143, False)])
def test_a_killed_child_is_told_of_and_fails(
    number: signal.Signals, code: int, is_memory: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    kill = f"import os; os.kill(os.getpid(), {int(number)})"
    done = subprocess.run([sys.executable, "-S", "-c", kill], check=False)
    assert explain_exit(done.returncode, "the range test") == code
    said = capsys.readouterr().err
    assert said.startswith(f"error: the range test was ended by {number.name}")
    assert ("memory" in said) is is_memory
    assert explain_exit(-63, "x") == 191
