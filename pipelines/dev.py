"""`make dev`: code server, Dagster UI (behind the guard), daemon and review app as one; one Ctrl-C stops all.

If one of them dies, the others are stopped and its log is named, so nothing runs half.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import yaml
from dagster import DagsterInstance
from rich.console import Console

from curation.errors import TunewrightError
from curation.home import Home
from curation.review.accounts.accounts import Accounts
from curation.review.accounts.tables import MIGRATIONS
from curation.review.web.serving import first_link, public_url
from pipelines.guard import asks_for_login
from pipelines.instance import clear_dead_runs, prepare_dagster_home
from pipelines.recipe import load_recipes

STOP_SECONDS = 20
READY_SECONDS = 120
ROOT = Path(__file__).parent.parent


class PortTakenError(TunewrightError):
    """Port {port}, which the {name} needs, is taken. Stop what listens there, or choose others with `tunewright dev --port`."""


@dataclass(frozen=True, kw_only=True)
class _Service:
    name: str
    port: int
    """0: it does not listen."""
    command: list[str]


def serve_all(home: Home, port: int, console: Console) -> int:
    """Run all services until Ctrl-C or until one dies, and return the exit code.

    Raises:
        PortTakenError, LoginSettingError, RecipeError, HomeUnusableError: before anything is started.
    """
    asks_for_login(os.environ.get("TUNEWRIGHT_DAGSTER_LOGIN", ""))
    load_recipes()
    folder = prepare_dagster_home(home)
    logs = home.path / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    services = _services(home, folder, port)
    for service in services:
        if service.port and not _is_free(service.port):
            raise PortTakenError(port=service.port, name=service.name)
    with DagsterInstance.get() as instance:
        clear_dead_runs(instance)  # of the last time, if that ended with a power cut
    running: list[tuple[_Service, subprocess.Popen[bytes]]] = []
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for service in services:
            running.append((service, _start(service, logs, home, port)))
            _wait_ready(service, running)
        _print_addresses(console, home, port, logs)
        _print_first_link(console, home, port + 1)
        while True:
            dead = next((service.name for service, process in running if process.poll() is not None), None)
            if dead:
                console.print(f"[bold red]{dead} stopped[/]; see {logs / (dead.replace(' ', '_') + '.log')}", soft_wrap=True)
                return 1
            time.sleep(0.5)
    except KeyboardInterrupt:
        console.print("\nstopping")
        return 0
    finally:
        _stop(running)


def _services(home: Home, dagster_home: Path, port: int) -> list[_Service]:
    code_port = port + 2
    workspace = dagster_home / "workspace.yaml"
    server = {"host": "127.0.0.1", "port": code_port, "location_name": "tunewright"}
    workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))
    dagster = [sys.executable, "-m", "dagster"]
    code = [*dagster, "code-server", "start", "-m", "pipelines.definitions", "-p", str(code_port), "-h", "127.0.0.1"]
    code += ["-d", str(ROOT), "--use-python-environment-entry-point", "--location-name", "tunewright"]
    return [
        _Service(name="code server", port=code_port, command=code),
        _Service(name="webserver", port=port, command=[sys.executable, "-m", "pipelines.webserver", str(port), str(workspace)]),
        _Service(
            name="review app", port=port + 1, command=[sys.executable, "-m", "pipelines.cli", "review", "--port", str(port + 1)]
        ),
        _Service(name="daemon", port=0, command=[sys.executable, "-m", "dagster._daemon", "run", "-w", str(workspace)]),
    ]


def _start(service: _Service, logs: Path, home: Home, port: int) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "TUNEWRIGHT_HOME": str(home.path),
        "TUNEWRIGHT_REVIEW_URL": os.environ.get("TUNEWRIGHT_REVIEW_URL", f"http://127.0.0.1:{port + 1}"),
        "TUNEWRIGHT_DAGSTER_URL": os.environ.get("TUNEWRIGHT_DAGSTER_URL", f"http://127.0.0.1:{port}"),
    }
    with (logs / f"{service.name.replace(' ', '_')}.log").open("ab") as log:
        return subprocess.Popen(service.command, stdout=log, stderr=log, env=environment, start_new_session=True)


def _wait_ready(service: _Service, running: list[tuple[_Service, subprocess.Popen[bytes]]]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while service.port and _is_free(service.port) and time.monotonic() < deadline:
        if running[-1][1].poll() is not None:
            return
        time.sleep(0.1)


def _stop(running: list[tuple[_Service, subprocess.Popen[bytes]]]) -> None:
    """Interrupt all services, and kill those that do not end in time; a second Ctrl-C leaves none of them behind."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    for _, process in reversed(running):
        _signal_group(process, signal.SIGINT)
    deadline = time.monotonic() + STOP_SECONDS
    for _, process in reversed(running):
        try:
            process.wait(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            _signal_group(process, signal.SIGKILL)
            process.wait()
        _signal_group(process, signal.SIGKILL)


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _print_first_link(console: Console, home: Home, port: int) -> None:
    """Print how the first lead joins; this link replaces the one that the review app wrote into its log."""
    with contextlib.closing(home.database("accounts", MIGRATIONS)) as database:
        link = first_link(Accounts(database), public_url(home, "127.0.0.1", port, tls=None))
    if link:
        console.print("Nobody can log in at the review app yet. The first lead joins here, once:")
        console.print(f"             {link}", markup=False, soft_wrap=True)


def _print_addresses(console: Console, home: Home, port: int, logs: Path) -> None:
    console.print(f"Dagster UI   http://127.0.0.1:{port}")
    console.print(f"Review       http://127.0.0.1:{port + 1}")
    console.print(f"Home         {home.path}   (logs in {logs})", soft_wrap=True)
    console.print("Ctrl-C stops everything.")
