"""The Dagster instance: where it lives, how it is set up, and how runs whose process died are cleared away.

`DAGSTER_HOME` is respected when it is set; otherwise the instance lives in `TUNEWRIGHT_HOME/dagster`, with the settings of
`pipelines/dagster.yaml` (no telemetry, retries, run monitoring, pools).
"""

import os
import shutil
import socket
from pathlib import Path

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from curation.errors import HomeUnusableError
from curation.home import Home

PROCESS_TAG = "tunewright/process"
SETTINGS = Path(__file__).parent / "dagster.yaml"


def prepare_dagster_home(home: Home) -> Path:
    """Create the instance folder with our settings if there is none, and point DAGSTER_HOME at it.

    Raises:
        HomeUnusableError: if the folder cannot be made or written.
    """
    named = os.environ.get("DAGSTER_HOME")
    folder = Path(named or home.path / "dagster").absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "dagster.yaml").exists():
            shutil.copy(SETTINGS, folder / "dagster.yaml")
    except OSError as error:
        variable = "DAGSTER_HOME" if named else "TUNEWRIGHT_HOME"
        raise HomeUnusableError(folder=folder, reason=error.strerror or error, variable=variable) from error
    os.environ["DAGSTER_HOME"] = str(folder)
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    return folder


def process_tags() -> dict[str, str]:
    """Return run tags that say which process works on a run."""
    return {PROCESS_TAG: f"{socket.gethostname()}:{os.getpid()}:{_start_time(os.getpid())}"}


def clear_dead_runs(instance: dg.DagsterInstance) -> int:
    """Fail the runs of processes that are gone (kill -9, power cut) and free their pool slots; return how many."""
    started = instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.STARTED, DagsterRunStatus.STARTING]))
    dead = [run for run in started if _is_dead(run.tags.get(PROCESS_TAG, "")) and not _is_inherited(run, instance)]
    for run in dead:
        instance.report_run_failed(run, "Its process is gone; what it had finished is kept.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return len(dead)


def _is_dead(tag: str) -> bool:
    host, _, rest = tag.partition(":")
    pid, _, started = rest.partition(":")
    return host == socket.gethostname() and pid.isdigit() and _start_time(int(pid)) != started


def _is_inherited(run: dg.DagsterRun, instance: dg.DagsterInstance) -> bool:
    """Tell whether a retry names the process of the run that it repeats: Dagster copies tags, and its own is starting."""
    parent = instance.get_run_by_id(run.parent_run_id) if run.parent_run_id else None
    return parent is not None and parent.tags.get(PROCESS_TAG) == run.tags.get(PROCESS_TAG)


def _start_time(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return _portable_start_time(pid)


def _portable_start_time(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "gone"
    except PermissionError:
        pass
    return "alive"
