"""Reads what a child says through Dagster Pipes, twice a second.

    dg.PipesSubprocessClient(message_reader=PatientMessageReader(), ...)        # a file in a temporary folder
    PatientMessageReader(work / "pipes-messages")                               # a file that other hosts can write

Dagster's own reader asks a hundred times a second, for the hours that a training takes, on a core that the training could use.
"""

import contextlib
import json
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_pipes import PipesDefaultMessageWriter

POLL_SECONDS = 0.5


class PatientMessageReader(dg.PipesMessageReader):
    """Follows the file of messages of one child; the last ones are read when it has ended."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    @contextlib.contextmanager
    def read_messages(self, handler: Any) -> Iterator[dict[str, Any]]:
        """Yield where the child has to write, and hand every message to the handler until the context ends."""
        with tempfile.TemporaryDirectory() as folder:
            path = self._path or Path(folder, "messages")
            path.write_bytes(b"")
            ended = threading.Event()
            thread = threading.Thread(target=_hand_over, args=(path, handler, ended), daemon=True)
            thread.start()
            try:
                yield {
                    PipesDefaultMessageWriter.FILE_PATH_KEY: str(path),
                    PipesDefaultMessageWriter.INCLUDE_STDIO_IN_MESSAGES_KEY: False,
                }
            finally:
                ended.set()
                thread.join()
                if self._path:
                    self._path.unlink(missing_ok=True)

    def no_messages_debug_text(self) -> str:
        """Say where messages were looked for."""
        return f"Attempted to read messages from {self._path or 'a file in a temporary folder'}."


def _hand_over(path: Path, handler: Any, ended: threading.Event) -> None:
    for line in follow_lines(path, ended):
        try:
            handler.handle_message(json.loads(line))
        except Exception:  # what a child writes may be anything; the next line may be sound
            handler.report_pipes_framework_exception(PatientMessageReader.__name__, sys.exc_info())


def follow_lines(path: Path, ended: threading.Event, *, poll_seconds: float = POLL_SECONDS) -> Iterator[bytes]:
    """Yield each whole line of a growing file, until `ended` is set and all that was written before is read.

    Raises:
        OSError: if the file cannot be read.
    """
    rest = b""
    with path.open("rb") as file:
        is_last = False
        while not is_last:
            is_last = ended.wait(poll_seconds)
            *lines, rest = (rest + file.read()).split(b"\n")
            yield from (line for line in lines if line.strip())
