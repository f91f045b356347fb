"""Checkpoints that are whole or absent.

    WORK/checkpoints/step-00000200/   the trainer's files and seal.json: fingerprint, step, hash and size of every file

The trainer writes into WORK/staging; a finished checkpoint is hashed, fsynced and renamed. `find_checkpoint` returns the
newest one whose files still have their hashes, so a half-written or damaged one is passed over for the one before it.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from curation.files import sync_folder, write_atomically
from curation.ids import hash_bytes

KEPT = 2
"""So many checkpoints are kept; one more than needed, in case the newest is damaged."""
SEAL = "seal.json"


def seal_checkpoint(staged: Path, work_folder: Path, *, step: int, fingerprint: str) -> Path:
    """Make what the trainer wrote a checkpoint, and drop all but the newest. Raises OSError; then there is no new one."""
    files = {str(file.relative_to(staged)): _describe(file) for file in sorted(staged.rglob("*")) if file.is_file()}
    seal = {"fingerprint": fingerprint, "step": step, "files": files}
    write_atomically(staged / SEAL, json.dumps(seal, indent=1, sort_keys=True).encode())
    for file in staged.rglob("*"):
        _sync(file)
    folder = work_folder / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"step-{step:08d}"
    shutil.rmtree(target, ignore_errors=True)
    staged.rename(target)
    sync_folder(folder)
    for old in sorted(folder.glob("step-*"))[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def find_checkpoint(work_folder: Path, fingerprint: str) -> Path | None:
    """Return the newest whole checkpoint of this very run, or None. Those of other data or settings are not used."""
    found = sorted((work_folder / "checkpoints").glob("step-*"), reverse=True)
    return next((folder for folder in found if _is_whole(folder, fingerprint)), None)


def remove_checkpoints(work_folder: Path) -> None:
    """Delete all checkpoints and what the trainer left half-written."""
    for name in ("checkpoints", "staging"):
        shutil.rmtree(work_folder / name, ignore_errors=True)


def _is_whole(folder: Path, fingerprint: str) -> bool:
    try:
        seal = json.loads((folder / SEAL).read_bytes())
        return bool(
            seal["fingerprint"] == fingerprint
            and all(_describe(folder / name) == described for name, described in seal["files"].items())
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _describe(file: Path) -> dict[str, Any]:
    return {"hash": hash_bytes(file.read_bytes()), "size": file.stat().st_size}


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
