"""The batch script of a run under Slurm: one task a host, which starts that host's processes.

    print(build_script(Path("work/spec.json"), Layout(processes=8, nodes=2)))
    # exec srun --ntasks-per-node=1 bash -c 'exec python -m torch.distributed.run --rdzv-endpoint "$TUNEWRIGHT_HEAD:29500" ...'

The first host of the job is where all meet; each host's number is SLURM_NODEID.
"""

import shlex
import sys
from pathlib import Path

from training.scale.config import Layout
from training.scale.launch_command import build_launch

PORT = 29500
PYTHON = sys.executable
FIND_HEAD = 'TUNEWRIGHT_HEAD="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)"'


def build_script(spec_path: Path, layout: Layout) -> str:
    """Return the batch script; the file of `build_launch` must stand beside the spec."""
    lines = ["#!/bin/bash", "set -euo pipefail"]
    if layout.nodes == 1:
        return "\n".join([*lines, f"exec {shlex.join(build_launch(spec_path, layout, python=PYTHON).command)}", ""])
    launch = build_launch(spec_path, layout, rank="$SLURM_NODEID", rendezvous=f"$TUNEWRIGHT_HEAD:{PORT}", python=PYTHON)
    inner = "exec " + " ".join(f'"{word}"' if word.startswith("$") else shlex.quote(word) for word in launch.command)
    start = f"exec srun --ntasks-per-node=1 bash -c {shlex.quote(inner)}"
    return "\n".join([*lines, FIND_HEAD, "export TUNEWRIGHT_HEAD", start, ""])
