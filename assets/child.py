"""Runs a child process (training, answering) through Dagster Pipes and shows its progress while it works.

The child appends lines to WORK/progress.jsonl; every few seconds the newest one becomes an asset observation, so loss and
tokens/s are plotted on the asset's page before the run ends. A failing child leaves WORK/error.json, whose one sentence
is what the user sees.
"""

import contextlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError, DagsterPipesExecutionError
from dagster._core.pipes.client import PipesClientCompletedInvocation

from assets.presentation import displayable
from curation import errors
from curation.errors import TunewrightError

OBSERVE_EVERY_SECONDS = 10.0
KILLED = "its process was killed (SIGKILL), by the kernel if the memory of this machine ran out, else by somebody"
LONGEST_LINE = 4096
"""Bytes."""


def run_child(
    context: dg.AssetExecutionContext,
    pipes: dg.PipesSubprocessClient,
    *,
    command: list[str],
    environment: dict[str, str],
    work_folder: Path,
) -> PipesClientCompletedInvocation:
    """Run a command to its end.

    Raises:
        TunewrightError: what the child wrote into error.json, or TrainingFailedError with its exit.
        DagsterExecutionInterruptedError: if the run is cancelled, also when the child does not end in time: it then ends with
            this process, and no other step of the run is begun.
    """
    (work_folder / "error.json").unlink(missing_ok=True)
    with _observed(context, work_folder / "progress.jsonl"):
        try:
            return pipes.run(command=command, env=environment, context=context)
        except DagsterPipesExecutionError as error:
            raise _child_error(context, work_folder, str(error)) from error
        except subprocess.TimeoutExpired as error:
            raise DagsterExecutionInterruptedError from error


def _child_error(context: dg.AssetExecutionContext, work_folder: Path, reason: str) -> TunewrightError:
    try:
        said = json.loads((work_folder / "error.json").read_text())
    except (OSError, ValueError):
        reason = KILLED if f"code {-signal.SIGKILL}" in reason else reason
        return errors.TrainingFailedError(stage=context.asset_key.path[-1], reason=reason, folder=work_folder)
    cls = getattr(errors, str(said.get("error")), TunewrightError)
    error = TunewrightError.__new__(cls if isinstance(cls, type) and issubclass(cls, TunewrightError) else TunewrightError)
    error.fields = {}
    error.args = (str(said.get("message", reason)),)
    return error


@contextlib.contextmanager
def _observed(context: dg.AssetExecutionContext, progress: Path) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=_observe, args=(context, progress, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=10)


def _observe(context: dg.AssetExecutionContext, progress: Path, stop: threading.Event) -> None:
    seen = ""
    while not stop.wait(OBSERVE_EVERY_SECONDS):
        line = _last_line(progress)
        if line != seen:
            seen = line
            context.log_event(dg.AssetObservation(asset_key=context.asset_key, metadata=_numbers(line)))


def _last_line(path: Path) -> str:
    """Return the newest line without reading those of the hours before it."""
    try:
        with path.open("rb") as file:
            file.seek(-min(path.stat().st_size, LONGEST_LINE), os.SEEK_END)
            lines = file.read().splitlines()
    except OSError:
        return ""
    return lines[-1].decode(errors="replace") if lines else ""


def _numbers(line: str) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except ValueError:
        return {}
    if not isinstance(values, dict):
        return {}
    return {name: displayable(float(value)) for name, value in values.items() if isinstance(value, (int, float))}
