r"""A task of lm-evaluation-harness by its name as rows for a task of the recipe, read once and then pinned in a file.

    evaluation:
      tasks:
        - {name: arc, data: "harness:arc_easy", kind: choice, scoring: likelihood}         # pip install 'tunewright[harness]'
        - {name: ours, data: "harness:tasks/our_task", kind: number}                       # `our_task` of the folder tasks/

    list(read_pinned_rows("harness:arc_easy", folder))
    [("arc_easy", 1, {"id": "0", "question": "Question: ...\nAnswer:", "choices": ["a", "b"], "answer": "b"}, "")]

The harness runs in a process of its own: it imports torch, and a task of your own folder is Python that you trust. What it
gives is kept as FOLDER/NAME-HASH.jsonl, first what made it (release of the harness, version of the task, hash of rows), then a
line a document. Neither the hub nor another release of the harness changes the items behind a comparison then; whoever
wants them anew deletes the file.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from curation.errors import EvaluationError
from curation.files import write_atomically
from curation.ids import canonical_json, content_hash, hash_file
from evaluation.answering.child import EXIT_ERROR
from evaluation.harness_tasks import lm_eval_bridge
from evaluation.tasks.config import HARNESS

NOT_PINNED = "not pinned"
MAX_SECONDS = 3600.0
"""Of the first reading: the index of the harness takes seconds, a data set that is fetched minutes."""


class NamedTask(NamedTuple):
    """A task of the harness, and the folder of the user's own task files; empty for the harness's own tasks."""

    folder: str
    name: str


class Pin(NamedTuple):
    """What was read from the harness, and what read it."""

    made_by: dict[str, Any]
    rows: list[dict[str, Any]]
    """`columns` of a document (null if it cannot be asked), and the `problem` (empty if it can)."""


def is_named_task(data: str) -> bool:
    """Tell whether the data of a task is a task of the harness by its name."""
    return data.startswith(HARNESS)


def parse_name(data: str) -> NamedTask:
    """Return folder and name of `harness:NAME` or `harness:FOLDER/NAME`."""
    folder, slash, name = data.removeprefix(HARNESS).strip().rpartition("/")
    return NamedTask(folder or slash, name)


def pin_path(data: str, folder: Path) -> Path:
    """Return where the rows are kept. A change in the user's own task folder is another place.

    Raises:
        EvaluationError: that folder is not there.
    """
    task = parse_name(data)
    return folder / f"{task.name}-{content_hash([data, _own_files(task)])[:12]}.jsonl"


def pinned_version(data: str, folder: Path) -> str:
    """Return the version of the rows without reading anything from the harness; `NOT_PINNED` as long as there are none."""
    try:
        path = pin_path(data, folder)
        return f"{path.stem}:{hash_file(path)}" if path.exists() else NOT_PINNED
    except EvaluationError:
        return NOT_PINNED


def pin_rows(data: str, folder: Path) -> Path:
    """Read the documents of a task through the harness, unless they are pinned already.

    Raises:
        EvaluationError: the extra is missing, the harness has no such task, or its data set cannot be had.
    """
    path = pin_path(data, folder)
    if path.exists():
        return path
    task = parse_name(data)
    if not lm_eval_bridge.is_installed():
        raise EvaluationError(
            reason=f"`data: {data}` is a task of lm-evaluation-harness, which needs the extra `harness`: "
            "pip install 'tunewright[harness]'."
        )
    with tempfile.TemporaryDirectory() as temporary:
        found = Path(temporary, "rows.json")
        _run_child([task.name, task.folder, str(found)], data)
        read = json.loads(found.read_bytes())
    made_by = {**read["made_by"], "num_documents": len(read["rows"]), "rows": content_hash(read["rows"])}
    lines = [canonical_json(line) for line in (made_by, *read["rows"])]
    write_atomically(path, ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass"))
    return path


def read_pin(path: Path) -> Pin:
    """Read pinned rows.

    Raises:
        EvaluationError: somebody changed the file.
    """
    try:
        made_by, *rows = (json.loads(line) for line in path.read_text("utf-8", "surrogatepass").split("\n") if line)
        is_whole = made_by["rows"] == content_hash(rows)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        is_whole = False
    if not is_whole:
        raise EvaluationError(reason=f"the pinned documents {path} were changed. Delete the file, and they are read again.")
    return Pin(made_by, rows)


def read_pinned_rows(data: str, folder: Path) -> Iterator[tuple[str, int, dict[str, Any] | None, str]]:
    """Give name of the task, number from 1, columns, and why there are none, for each document; pin them first if need be.

    Raises:
        EvaluationError: as `pin_rows` and `read_pin`.
    """
    name = parse_name(data).name
    for number, row in enumerate(read_pin(pin_rows(data, folder)).rows, start=1):
        yield name, number, row["columns"], row["problem"]


def _own_files(task: NamedTask) -> dict[str, str]:
    """Return the hashes of the files in the user's own task folder, which may hold the data as well."""
    if not task.folder:
        return {}
    own = Path(task.folder)
    if not own.is_dir():
        raise EvaluationError(reason=f"`{HARNESS}{task.folder}/{task.name}` names the folder {own}, which is not there.")
    files = sorted(path for path in own.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(own)): hash_file(path) for path in files}


def _run_child(arguments: list[str], data: str) -> None:
    command = [sys.executable, "-m", "evaluation.harness_tasks.named_documents", *arguments]
    environment = {**os.environ, "HF_HUB_DISABLE_TELEMETRY": "1", "TQDM_DISABLE": "1"}
    try:
        done = subprocess.run(  # noqa: S603 (our own module; the name was checked with the recipe)
            command, capture_output=True, text=True, errors="replace", check=False, env=environment, timeout=MAX_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise EvaluationError(reason=f"`data: {data}` was not read within {MAX_SECONDS:.0f} s.") from error
    if done.returncode == EXIT_ERROR:
        raise EvaluationError(reason=done.stderr.strip().rsplit("\n", 1)[-1].removeprefix("Evaluation stopped: "))
    if done.returncode:
        last = re.sub(r"\s+", " ", done.stderr.strip().rsplit("\n", 1)[-1])[:300]
        raise EvaluationError(
            reason=f"`data: {data}` was not read: the harness's process ended with {done.returncode} ({last})."
        )
