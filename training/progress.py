"""What a run says while it works: to Dagster when it was launched through Pipes, to the terminal otherwise, and to a file.

WORK/progress.jsonl:
    {"phase": "train", "step": 40, "total": 320, "loss": 1.93, "tokens_per_second": 15200.0, "seconds_left": 18.0, ...}
"""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

EVERY_SECONDS = 2.0

Say = Callable[[str], None]


class Progress:
    """Tells how far a stage is, at most every two seconds."""

    def __init__(self, stage: str, path: Path, say: Say) -> None:
        self.stage = stage
        self._path = path
        self._say = say
        self._last = 0.0

    def phase(self, text: str) -> None:
        """Say what begins now."""
        self._tell(f"{self.stage}: {text}", {"phase": text})

    def step(self, step: int, total: int, *, loss: float, tokens_per_second: float, seconds_left: float) -> None:
        """Say how far training is, unless something was said just now; the last step is always told."""
        now = time.monotonic()
        if now - self._last < EVERY_SECONDS and step < total:
            return
        self._last = now
        line = (
            f"{self.stage}: step {step}/{total}, loss {loss:.3f}, {tokens_per_second:,.0f} tokens/s, {seconds_left:.0f} s left"
        )
        values = {
            "step": step,
            "total": total,
            "loss": loss,
            "tokens_per_second": tokens_per_second,
            "seconds_left": seconds_left,
        }
        self._tell(line, {"phase": "train", **values})

    def _tell(self, line: str, values: dict[str, Any]) -> None:
        self._say(line)
        with contextlib.suppress(OSError), self._path.open("a") as file:  # a full disk must not stop training here
            file.write(json.dumps({"time": round(time.time(), 3), "stage": self.stage, **values}) + "\n")


@contextlib.contextmanager
def open_voice() -> Iterator[Say]:
    """Yield how lines reach people: Dagster's log inside Pipes, otherwise standard output. Ranks above 0 are silent."""
    if os.environ.get("RANK", "0") != "0":
        yield lambda line: None
        return
    if "DAGSTER_PIPES_CONTEXT" not in os.environ:
        yield _print
        return
    import dagster_pipes

    with dagster_pipes.open_dagster_pipes() as context:
        yield context.log.info


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a terminal is watching
