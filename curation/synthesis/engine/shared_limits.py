"""How processes that ask the same endpoint share it: a small SQLite file in the home folder.

    shared = SharedLimits(home / "limits.db", "https://api.openai.com/v1 gpt-5-mini")
    await shared.keep(control)          # until cancelled: tells the others that we are here, and what we were told

Each process holds a lease that it renews twice a second and that ends by itself, so that a killed one is forgotten after
`LEASE_SECONDS`. Those that are there have equal shares of the rate and of the requests in flight, and a Retry-After that one is
told holds for all. A file that cannot be used changes nothing: then each process finds its limits by itself.
"""

import asyncio
import contextlib
import sqlite3
import time
import uuid
from pathlib import Path
from typing import NamedTuple

from curation.synthesis.engine.rate_control import RateControl

LEASE_SECONDS = 3.0
RENEW_SECONDS = 0.5
_TABLES = """
CREATE TABLE IF NOT EXISTS leases (endpoint TEXT, owner TEXT, expires REAL, PRIMARY KEY (endpoint, owner));
CREATE TABLE IF NOT EXISTS blocks (endpoint TEXT PRIMARY KEY, until REAL);
"""


class Shared(NamedTuple):
    """What is known of the others."""

    num_processes: int
    """Those that ask the endpoint now, this one included."""
    blocked_seconds: float
    """How long the endpoint wants to be left alone."""


class SharedLimits:
    """One process's part in the sharing of one endpoint."""

    def __init__(self, path: Path, endpoint: str) -> None:
        self._path, self._endpoint = path, endpoint
        self._owner = uuid.uuid4().hex

    async def keep(self, control: RateControl) -> None:
        """Renew the lease and follow the others until cancelled; then the lease is given back."""
        try:
            while True:
                blocked = control.blocked_until - time.monotonic()
                with contextlib.suppress(sqlite3.Error, OSError):
                    shared = await asyncio.to_thread(self.renew, blocked)
                    control.share = 1 / shared.num_processes
                    if shared.blocked_seconds > max(blocked, 0.0):
                        control.block(shared.blocked_seconds)
                await asyncio.sleep(RENEW_SECONDS)
        finally:
            control.share = 1.0
            with contextlib.suppress(sqlite3.Error, OSError):
                self.leave()

    def renew(self, blocked_seconds: float = 0.0) -> Shared:
        """Say that this process is there and how long it was told to wait; return what holds for all. Raises sqlite3.Error."""
        now = time.time()
        with contextlib.closing(self._open()) as connection, connection:
            connection.execute("DELETE FROM leases WHERE expires < ? OR expires > ?", (now, now + 2 * LEASE_SECONDS))
            lease = (self._endpoint, self._owner, now + LEASE_SECONDS)
            connection.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?)", lease)
            if blocked_seconds > 0:
                block = (self._endpoint, now + blocked_seconds)
                connection.execute(
                    "INSERT INTO blocks VALUES (?, ?) ON CONFLICT DO UPDATE SET until = max(until, excluded.until)", block
                )
            (number,) = connection.execute("SELECT count(*) FROM leases WHERE endpoint = ?", (self._endpoint,)).fetchone()
            row = connection.execute("SELECT until FROM blocks WHERE endpoint = ?", (self._endpoint,)).fetchone()
        return Shared(int(number), max(row[0] - now, 0.0) if row else 0.0)

    def leave(self) -> None:
        """Give the lease back. Raises sqlite3.Error."""
        with contextlib.closing(self._open()) as connection, connection:
            connection.execute("DELETE FROM leases WHERE endpoint = ? AND owner = ?", (self._endpoint, self._owner))

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=1.0)
        connection.executescript(_TABLES)
        return connection
