"""Checkpoints that are whole or absent.

    WORK/checkpoints/step-00000200/   the trainer's files and seal.json: fingerprint, step, hash and size of every file

The trainer writes into WORK/staging; a finished checkpoint is hashed, fsynced and renamed. `find_checkpoint` returns the
newest one whose files still have their hashes, so a half-written or damaged one is passed over for the one before it.
Checkpoints of another run are neither used nor deleted: `refuse_others` says whose they are.
"""

import contextlib
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from curation.errors import OtherRunError
from curation.files import sync_folder, sync_tree, write_atomically
from curation.ids import DIGEST_BYTES

KEPT = 2
"""So many checkpoints are kept unless the stage says otherwise; one more than needed, in case the newest is damaged."""
SEAL = "seal.json"
STAGING = "staging"
"""Where the trainer writes, below the work folder."""


def seal_checkpoint(
    staged: Path,
    work_folder: Path,
    *,
    step: int,
    fingerprint: str,
    keep: int = KEPT,
    best_step: int | None = None,
) -> Path:
    """Make what the trainer wrote a checkpoint, and drop all but the newest.

    Those of later steps are dropped too: training went on from an earlier one because they were damaged.

    Args:
        staged: what the trainer wrote.
        work_folder: of the run.
        step: optimizer steps done.
        fingerprint: what the run is known by; see `name_checkpoints`.
        keep: how many of the newest stay.
        best_step: step of a further checkpoint that stays.

    Raises:
        OSError: if it cannot be written, for instance on a full disk; then those before it are all still there.
    """
    files = {str(file.relative_to(staged)): _describe(file) for file in sorted(staged.rglob("*")) if file.is_file()}
    seal = {"fingerprint": fingerprint, "step": step, "files": files}
    write_atomically(staged / SEAL, json.dumps(seal, indent=1, sort_keys=True).encode())
    sync_tree(staged)
    target = step_folder(work_folder, step)
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_from(work_folder, step)
    staged.rename(target)
    for folder in (target.parent, work_folder):
        sync_folder(folder)
    best = None if best_step is None else step_folder(work_folder, best_step)
    for old in sorted(target.parent.glob("step-*"))[: -max(1, keep)]:
        if old != best:
            _drop(old)
    for half_deleted in target.parent.glob(".step-*"):
        shutil.rmtree(half_deleted, ignore_errors=True)
    return target


def step_folder(work_folder: Path, step: int) -> Path:
    """Return where the checkpoint of a step lies, or would."""
    return work_folder / "checkpoints" / f"step-{step:08d}"


def find_checkpoint(work_folder: Path, fingerprint: str) -> Path | None:
    """Return the newest whole checkpoint of this very run, or None. Those of other data or settings are not used."""
    found = sorted((work_folder / "checkpoints").glob("step-*"), reverse=True)
    return next((folder for folder in found if is_whole(folder, fingerprint)), None)


def refuse_others(work_folder: Path, fingerprint: str) -> None:
    """Refuse to train where another run has left checkpoints, which this one would overwrite.

    Raises:
        OtherRunError: if they are of other data, settings or parent, or of another number of processes, which share out the
            rows in another way.
    """
    own_run, _, own_processes = fingerprint.partition("-")
    for folder in sorted((work_folder / "checkpoints").glob("step-*")):
        try:
            found = str(json.loads((folder / SEAL).read_bytes())["fingerprint"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # damaged, and nobody's
        run, _, processes = found.partition("-")
        if run != own_run:
            what = f"other data, settings or parent model (fingerprint {run[:12]}, that of this run is {own_run[:12]})"
            raise OtherRunError(folder=folder, what=what)
        if processes != own_processes:
            raise OtherRunError(folder=folder, what=f"{processes or 1} processes instead of {own_processes or 1}")


def remove_checkpoints(work_folder: Path) -> None:
    """Delete all checkpoints and what the trainer left half-written."""
    for name in ("checkpoints", STAGING):
        shutil.rmtree(work_folder / name, ignore_errors=True)


def remove_from(work_folder: Path, step: int) -> None:
    """Delete the checkpoint of a step and those after it."""
    for folder in (work_folder / "checkpoints").glob("step-*"):
        if folder >= step_folder(work_folder, step):
            _drop(folder)


def is_whole(folder: Path, fingerprint: str) -> bool:
    """Tell whether a checkpoint is of this run, and every file in it has its hash."""
    try:
        seal = json.loads((folder / SEAL).read_bytes())
        return bool(
            seal["fingerprint"] == fingerprint
            and all(_describe(folder / name) == described for name, described in seal["files"].items())
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _drop(folder: Path) -> None:
    """Delete a checkpoint, whole or not at all for whoever looks meanwhile or after a kill."""
    hidden = folder.with_name(f".{folder.name}")
    shutil.rmtree(hidden, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.rename(hidden)
    for left in (hidden, folder):
        shutil.rmtree(left, ignore_errors=True)


def _describe(file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:  # never in memory as a whole: a checkpoint may be larger than that
        digest = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=DIGEST_BYTES))
    return {"hash": digest.hexdigest(), "size": file.stat().st_size}
