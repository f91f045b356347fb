"""How the parent starts a training process. The parent never imports torch.

subprocess.run(build_command(Path("work/sft/spec.json"), processes=1), env=child_environment())
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

SPIN_COUNT = "10000"
"""Threads wait this many turns before they sleep: as fast as spinning on a quiet machine, and not slow on a busy one."""


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def build_command(spec_path: Path, processes: int = 1) -> list[str]:
    """Return the command line of a run; several processes go through `accelerate launch`."""
    module = ["-m", "training.run", str(spec_path)]
    if processes == 1:
        return [sys.executable, *module]
    launcher = ["-m", "accelerate.commands.launch", "--num_processes", str(processes), "--num_machines", "1"]
    return [sys.executable, *launcher, "--mixed_precision", "no", "--dynamo_backend", "no", *module]


def child_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a run: the given one (default: our own), quiet, watching us, with our packages importable."""
    merged = {"GOMP_SPINCOUNT": SPIN_COUNT, **(os.environ if environment is None else environment), **SILENT}
    merged[PARENT_VARIABLE] = str(os.getpid())
    root = str(Path(training.__file__).parent.parent)
    merged["PYTHONPATH"] = os.pathsep.join(part for part in (root, merged.get("PYTHONPATH", "")) if part)
    return merged
