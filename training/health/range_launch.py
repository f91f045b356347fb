"""Starting a range test in a process of its own, which alone imports torch.

done = launch_range_test(spec)      # RangeLaunch(exit_code=0, found={"suggested": 0.002, "curve": [...], ...}, said="")
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from training.launch import child_environment
from training.spec import RunSpec


class RangeLaunch(NamedTuple):
    """How a range test ended."""

    exit_code: int
    """Negative: the signal that killed it."""
    found: dict[str, Any]
    """What `training.health.range_command` prints; empty if it failed."""
    said: str
    """What it wrote to the error stream, where that is caught."""


def launch_range_test(spec: RunSpec, *, is_quiet: bool = False) -> RangeLaunch:
    """Run the range test of a spec to its end. Raises OSError if its folder cannot be written.

    Args:
        spec: of the stage; its work folder is made.
        is_quiet: catch what the process writes to the error stream, which otherwise goes to ours.
    """
    work = Path(spec.work_folder)
    work.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "training.health.range_command", str(spec.write(work / "spec.json"))]
    caught = subprocess.PIPE if is_quiet else None
    # In a group of its own it hears of no Ctrl-C, which would print what it was importing; this process ends it.
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": caught, "text": True}
    done = subprocess.run(command, env=child_environment(), check=False, process_group=0, **pipes)
    found = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {}
    return RangeLaunch(done.returncode, found, (done.stderr or "").strip())
