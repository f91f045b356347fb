"""The manners of a child process: it dies with its parent, tells how far it is, and leaves its error in one sentence.

    die_with_parent()
    with reporting(folder) as progress:
        progress.tell("sft: 128 of 400 items", {"done": 128, "total": 400, "seconds_left": 7.5})

Progress goes to the log of Dagster when Pipes started the process (dagster_pipes is optional), to the standard output
otherwise, and always as one JSON line to FOLDER/progress.jsonl.
"""

import contextlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from curation.errors import EvaluationError, TunewrightError
from curation.files import write_atomically

SECONDS_BETWEEN_LINES = 2.0
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """End this process when its parent ends, however that ends: a kernel signal on Linux, and a watch everywhere."""
    parent = os.getppid()
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(parent,), daemon=True, name="parent-watch").start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(143)


class Progress:
    """Tells people and the parent process how far the work is."""

    def __init__(self, folder: Path, log: Callable[[str], None]) -> None:
        self._path = folder / "progress.jsonl"
        self._log = log
        self._last = 0.0
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)

    def tell(self, line: str, values: Mapping[str, Any], *, is_last: bool = False) -> None:
        """Report, but not more often than every two seconds unless it is the last word on something."""
        now = time.monotonic()
        if not is_last and now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last = now
        self._log(line)
        with self._path.open("a") as file:
            file.write(json.dumps(dict(values)) + "\n")


@contextlib.contextmanager
def reporting(folder: Path) -> Iterator[Progress]:
    """Give a `Progress` that reports to wherever this process is watched from."""
    with _logging() as log:
        yield Progress(folder, log)


@contextlib.contextmanager
def _logging() -> Iterator[Callable[[str], None]]:
    if "DAGSTER_PIPES_CONTEXT" in os.environ:
        with contextlib.suppress(ImportError):
            import dagster_pipes

            with dagster_pipes.open_dagster_pipes() as context:
                yield context.log.info
                return
    yield _print


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def leave_error(error: Exception, folder: Path) -> None:
    """Write FOLDER/error.json: {error: class name, message: one sentence}. A full disk is no reason to hide the error."""
    told = error if isinstance(error, TunewrightError) else EvaluationError(reason=describe(error))
    if told is not error:
        traceback.print_exception(error)
    content = json.dumps({"error": type(told).__name__, "message": str(told)}, ensure_ascii=False)
    with contextlib.suppress(OSError):
        write_atomically(folder / "error.json", content.encode("utf-8", "replace"))
    sys.stderr.write(f"{told}\n")


def describe(error: BaseException) -> str:
    """Return an unexpected error as one line of at most 300 characters."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300] if text else type(error).__name__
