"""A PostgreSQL server of its own for the tests: `with temporary_postgres() as url:`.

Needs the server binaries (`pg_config --bindir`). PostgreSQL refuses root, so root starts it as `postgres` or `nobody`.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.free_port import free_port

START_SECONDS = 180


def find_binaries() -> Path | None:
    """Return the folder of `initdb` and `postgres`, or None where there is no server."""
    if shutil.which("pg_config") is None:
        return None
    folder = Path(subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True).stdout.strip())
    return folder if (folder / "initdb").exists() and (folder / "postgres").exists() else None


@contextlib.contextmanager
def temporary_postgres(*, durable: bool = False) -> Iterator[str]:
    """Start a server on a free port of this machine, yield its SQLAlchemy URL, and stop it.

    It waits for the disk at a commit only where it has to be `durable`: tests need not, a benchmark has to.
    """
    binaries = find_binaries()
    assert binaries is not None, "no PostgreSQL server binaries"
    folder = Path(tempfile.mkdtemp(prefix="tunewright-postgres-"))
    as_user = _unprivileged(folder)
    try:
        initdb = [
            binaries / "initdb",
            "-D",
            folder / "data",
            "-U",
            "tunewright",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
            "--locale=C",
        ]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **as_user)
        port = free_port()
        fsync = f"fsync={'on' if durable else 'off'}"
        options = ["-c", "listen_addresses=127.0.0.1", "-c", fsync, "-k", folder, "-p", str(port)]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", folder / "data", *options], cwd=folder, stdout=log, stderr=log, **as_user
            )
        try:
            _wait_until_ready(server, binaries, port, folder / "log")
            yield f"postgresql+psycopg://tunewright@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=START_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged(folder: Path) -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _wait_until_ready(server: "subprocess.Popen[bytes]", binaries: Path, port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    ask = [binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(ask, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)
