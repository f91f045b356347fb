"""Environments for the libraries that a benchmark compares us with: one venv each, made on demand and kept.

    python = rival_python("datasketch", ["datasketch==2.0.0"])       a Path, or None with the reason printed
    figures = run_rival(python, RIVAL_CODE, {"rows": "rows.jsonl"})   what that Python printed as JSON on its last line

Rivals never share our environment: their pins would change ours. The venvs live in `TUNEWRIGHT_RIVALS`, by default
`~/.cache/tunewright/rivals`; delete the folder to make them anew.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from filelock import FileLock

INSTALL_SECONDS = 900


def rivals_folder() -> Path:
    """Return where the venvs are kept."""
    return Path(os.environ.get("TUNEWRIGHT_RIVALS") or Path.home() / ".cache" / "tunewright" / "rivals")


def rival_python(name: str, packages: list[str]) -> Path | None:
    """Return the Python of a venv with these packages (pip requirements), or None after printing why there is none.

    The venv is made once for a name and a list of packages; a list that could not be installed is not tried again in the
    same process.
    """
    tag = hashlib.blake2b("\n".join(packages).encode(), digest_size=6).hexdigest()
    folder = rivals_folder() / f"{name}-{tag}"
    python, done = folder / "bin" / "python", folder / "complete"
    if folder in _FAILED:
        return None
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            reason = _make(folder, packages)
            if reason:
                _FAILED.add(folder)
                print(f"rival {name}: left out, {' '.join(packages)} could not be installed ({reason})")
                return None
            done.touch()
    return python


_FAILED: set[Path] = set()


def _make(folder: Path, packages: list[str]) -> str:
    """Make the venv and install; return why it failed, or an empty string."""
    shutil.rmtree(folder, ignore_errors=True)
    python = str(folder / "bin" / "python")
    commands = [[sys.executable, "-m", "venv", str(folder)], [python, "-m", "pip", "install", "-q", "--no-input", *packages]]
    for command in commands:
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error).splitlines()[0][:300]
        if done.returncode:
            lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            errors = [line for line in lines if line.lower().startswith("error")]
            return (errors or lines or ["no message"])[-1][:300]
    return ""


def run_rival(python: Path, code: str, arguments: dict[str, Any], timeout_s: float = 900) -> dict[str, Any] | None:
    """Run code in a rival's Python; `arguments` reach it as JSON in `sys.argv[1]`, its last printed line is the result.

    Returns None after printing the reason if it fails or takes longer than `timeout_s`.
    """
    command = [str(python), "-c", code, json.dumps(arguments)]
    environment = {**os.environ, "PYTHONPATH": "", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s, env=environment)
    except subprocess.TimeoutExpired:
        print(f"rival {python.parent.parent.name}: stopped after {timeout_s:.0f} s")
        return None
    if done.returncode or not done.stdout.strip():
        print(f"rival {python.parent.parent.name}: failed: {done.stderr.strip().splitlines()[-1:]}")
        return None
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result
