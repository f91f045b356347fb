"""The manners of a child process: told what to do in a file, it dies with its parent, and leaves outcome or error in another.

    write_spec(spec)                                the parent: FOLDER/spec.json, and what an earlier child said is dropped
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
from typing import Any, Protocol, TypeVar

from curation.config import as_plain
from curation.errors import EvaluationError, TunewrightError
from curation.files import write_atomically
from curation.ids import canonical_json

EXIT_ERROR = 3
"""Exit code of a child when error.json says why."""
SECONDS_BETWEEN_LINES = 2.0
Outcome = TypeVar("Outcome")
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


class Spec(Protocol):
    """What a child is told: a dataclass of plain values."""

    @property
    def work_folder(self) -> str:
        """Where it stands; the child leaves progress, result and error beside it."""


def write_spec(spec: Spec) -> Path:
    """Write WORK_FOLDER/spec.json, drop what an earlier child said, and return the path. Raises OSError."""
    folder = Path(spec.work_folder)
    for name in ("result.json", "error.json"):
        (folder / name).unlink(missing_ok=True)
    write_atomically(folder / "spec.json", canonical_json(as_plain(spec)).encode())
    return folder / "spec.json"


def write_result(result: object, folder: Path) -> None:
    """Write FOLDER/result.json, from a dataclass of plain values. Raises OSError."""
    write_atomically(folder / "result.json", canonical_json(as_plain(result)).encode())


def run_as_child(spec_path: Path, work: Callable[[Path, Progress], str]) -> int:
    """Do the work of a child process and say how it ended.

    Args:
        spec_path: what the child is told; progress and error.json are left beside it.
        work: takes the path and the progress, and returns the line that is said at the end.

    Returns:
        The exit code: 0, or `EXIT_ERROR` with error.json written, or 130 when interrupted.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        with reporting(spec_path.parent) as progress:
            line = work(spec_path, progress)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Exception as error:
        leave_error(error, spec_path.parent)
        return EXIT_ERROR
    sys.stdout.write(f"{line}\n")
    return 0


def read_outcome(folder: Path, build: Callable[[dict[str, Any]], Outcome], *, name: str) -> Outcome:
    """Return what a child left in its folder.

    Args:
        folder: where its spec lay.
        build: makes the outcome of the content of result.json.
        name: what the child did, for messages: "answering".

    Raises:
        EvaluationError: with the child's own message if it failed, or saying that it died without one.
    """
    try:
        if (folder / "error.json").exists():
            message = str(json.loads((folder / "error.json").read_bytes())["message"])
            raise EvaluationError(reason=message.removeprefix("Evaluation stopped: "))
        return build(json.loads((folder / "result.json").read_bytes()))
    except FileNotFoundError as error:
        reason = f"the {name} process died without a word (see the log); run it again, what it did is kept in {folder}."
        raise EvaluationError(reason=reason) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvaluationError(reason=f"what the {name} process left in {folder} cannot be read ({error}).") from error


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
