"""How often somebody may try to log in: at most 10 times in any minute for a name, and for an address.

attempts.take("name:ada", "address:192.0.2.7")     records a try, or refuses it with the seconds to wait

A try counts before the password is looked at, so that tries at the same moment cannot slip through; a refused one does not
count, so that the wait is never longer than a minute. What is counted is a hash: the table does not say who was tried.
"""

import ipaddress
import json
import math
from collections.abc import Callable

import sqlalchemy as sa

from curation.database import Database
from curation.review.accounts.credentials import digest
from curation.review.accounts.tables import attempts
from curation.review.errors import TooManyTriesError

MAX_TRIES = 10
WINDOW_SECONDS = 60.0


class Attempts:
    """Counts tries in the database, so that all processes count together. Thread-safe."""

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now

    def take(self, *subjects: str) -> None:
        """Record a try of each subject.

        Raises:
            TooManyTriesError: if one of them has used up its tries; then nothing is recorded.
        """
        now = self._now()
        wait = self._database.write(lambda connection: _take(connection, sorted({digest(each) for each in subjects}), now))
        if wait > 0:
            raise TooManyTriesError(seconds=max(1, math.ceil(wait)))


def address_subject(address: str) -> str:
    """Return what is counted for a client's address: an IPv6 client has a whole /64 to try from."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return f"address:{address[:100]}"
    if parsed.version == 6:
        return f"address:{ipaddress.ip_network((parsed, 64), strict=False)}"
    return f"address:{parsed}"


def _take(connection: sa.Connection, keys: list[str], now: float) -> float:
    """Record a try of every key, or return the seconds to wait and record none."""
    connection.execute(sa.delete(attempts).where(attempts.c.last_at < now - WINDOW_SECONDS))
    for key in keys:
        connection.execute(_INSERT, {"subject": key, "times": "[]", "last_at": now})
    query = sa.select(attempts.c.subject, attempts.c.times).where(attempts.c.subject.in_(keys)).order_by(attempts.c.subject)
    recent = {
        row.subject: [time for time in json.loads(row.times) if now - WINDOW_SECONDS < time <= now]
        for row in connection.execute(query.with_for_update())
    }
    wait = max((times[-MAX_TRIES] + WINDOW_SECONDS - now for times in recent.values() if len(times) >= MAX_TRIES), default=0.0)
    if wait > 0:
        return wait
    for key, times in recent.items():
        kept = json.dumps([*times, now][-MAX_TRIES:])
        connection.execute(sa.update(attempts).where(attempts.c.subject == key).values(times=kept, last_at=now))
    return 0.0


_INSERT = sa.text(
    "INSERT INTO account_attempts (subject, times, last_at) VALUES (:subject, :times, :last_at)"
    " ON CONFLICT (subject) DO NOTHING"
)
