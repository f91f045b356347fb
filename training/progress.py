"""What a run says while it works: to Dagster when it was launched through Pipes, to the terminal otherwise, and to a file.

WORK/progress.jsonl:
    {"phase": "train", "step": 40, "total": 320, "loss": 1.93, "tokens_per_second": 15200.0, "seconds_left": 18.0, ...}

A run that was interrupted goes on in the same file; `read_busy_seconds` adds its lives up.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

EVERY_SECONDS = 2.0
LONGEST_SILENCE_SECONDS = 30.0
SILENT_SHARE = 0.02
"""Later, lines are as far apart as this share of the time so far: nobody watches a run of hours every two seconds, and each
line is a message that the parent writes into a database, on a core that the training could use."""

Say = Callable[[str], None]


class Progress:
    """Tells how far a stage is: every two seconds at first, every half minute in the end."""

    def __init__(self, stage: str, path: Path, say: Say) -> None:
        self.stage = stage
        self._path = path
        self._say = say
        self._last = 0.0
        self._started = round(time.time(), 3)
        self._begun = time.monotonic()

    def phase(self, text: str) -> None:
        """Say what begins now."""
        self._tell(f"{self.stage}: {text}", {"phase": text})

    def step(self, step: int, total: int, *, loss: float, tokens_per_second: float, seconds_left: float) -> None:
        """Say how far training is, unless something was said just now; the last step is always told."""
        now = time.monotonic()
        if now - self._last < seconds_between(now - self._begun) and step < total:
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

    def last_speed(self) -> float:
        """Return the tokens a second that were told last, in this life of the run or one before; 0 if none were."""
        return float(next((line["tokens_per_second"] for line in reversed(_read_lines(self._path)) if "step" in line), 0.0))

    def _tell(self, line: str, values: dict[str, Any]) -> None:
        self._say(line)
        with contextlib.suppress(OSError), self._path.open("a") as file:  # a full disk must not stop training here
            file.write(
                json.dumps({"time": round(time.time(), 3), "started": self._started, "stage": self.stage, **values}) + "\n"
            )


def seconds_between(elapsed: float) -> float:
    """Return how many seconds lie between two lines, so many seconds after the start."""
    return min(LONGEST_SILENCE_SECONDS, max(EVERY_SECONDS, SILENT_SHARE * elapsed))


def read_busy_seconds(path: Path) -> float:
    """Return how long a run worked, all its lives together; each counts up to its last line."""
    lives: dict[float, float] = {}
    for values in _read_lines(path):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            started = float(values["started"])
            lives[started] = max(lives.get(started, started), float(values["time"]))
    return sum(end - started for started, end in lives.items())


def _read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a file; without those that are torn, as the last one of a life may be."""
    found = []
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
    return [values for values in found if isinstance(values, dict)]


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
