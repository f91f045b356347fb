"""How the parent starts a training process. The parent never imports torch.

subprocess.run(build_command(Path("work/sft/spec.json")), env=child_environment())
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import training
from training.parent_watch import PARENT_VARIABLE

SILENT = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "PYTHONUNBUFFERED": "1",
}
"""No telemetry, no progress bars over ours, and lines that arrive when they are written."""

REMOTE_PREFIXES = ("TUNEWRIGHT_HOME", "TUNEWRIGHT_STORE", "TUNEWRIGHT_SANDBOX", "HF_", "AWS_", "NCCL_")
"""Variables that a run in a container needs: where things are, how to reach store and hub, how code of the model is shut in.
Nothing else leaves."""

SPIN_COUNT = "10000"
"""Threads wait this many turns before they sleep: as fast as spinning on a quiet machine, and not slow on a busy one."""


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def build_command(spec_path: Path) -> list[str]:
    """Return the command line of a run with one process; for several see `training.scale.launch_command`."""
    return [sys.executable, "-m", "training.run", str(spec_path)]


def child_environment(environment: Mapping[str, str] | None = None, *, is_watched: bool = True) -> dict[str, str]:
    """Return the environment of a run: the given one (default: our own), quiet, with our packages importable.

    A watched run ends when this process does; one on another host cannot see it.
    """
    merged = {"GOMP_SPINCOUNT": SPIN_COUNT, **(os.environ if environment is None else environment), **SILENT}
    merged[PARENT_VARIABLE] = str(os.getpid()) if is_watched else ""
    root = str(Path(training.__file__).parent.parent)
    merged["PYTHONPATH"] = os.pathsep.join(part for part in (root, merged.get("PYTHONPATH", "")) if part)
    return merged


def remote_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a run in a container: only what is ours or the model hub's, none of this host's paths."""
    given = os.environ if environment is None else environment
    passed = {name: value for name, value in given.items() if name.startswith(REMOTE_PREFIXES)}
    return {"GOMP_SPINCOUNT": SPIN_COUNT, **passed, **SILENT}
