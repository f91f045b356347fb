"""Who is logged in. A browser holds a random id; the database holds its SHA-256, so that a stolen copy opens nothing.

secret = sessions.open(person_id, agent="Firefox", address="192.0.2.7")
sessions.find(secret)      Session(reference="3fb1...", name="Ada", role="lead", ...), or None once it has ended

A session ends when it was not used for 12 hours, 14 days after it began, at logout, and when the person's password or role
changes or the person is disabled.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import sqlalchemy as sa

from curation.database import Database
from curation.review.accounts.credentials import digest, new_secret
from curation.review.accounts.person import Role
from curation.review.accounts.tables import people, sessions

IDLE_SECONDS = 12 * 3600.0
MAX_SECONDS = 14 * 24 * 3600.0
SEEN_SECONDS = 60.0
"""The database is told at most this often that a session is in use."""
MAX_AGENT_CHARS = 200


class Session(NamedTuple):
    """One login that has not ended."""

    reference: str
    """The SHA-256 of the id: names the session on the account page, and opens nothing."""
    person_id: int
    name: str
    role: Role
    agent: str
    address: str
    created_at: float
    seen_at: float
    expires_at: float


class Sessions:
    """Opens, finds and ends sessions. Thread-safe."""

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now

    def open(self, person_id: int, *, agent: str, address: str) -> str:
        """Begin a session and return its new id, which only the browser keeps."""
        secret, now = new_secret(), self._now()
        row: dict[str, Any] = {
            "id_hash": digest(secret),
            "person_id": person_id,
            "agent": "".join(each for each in agent[:MAX_AGENT_CHARS] if each.isprintable()),
            "address": address[:100],
            "created_at": now,
            "seen_at": now,
            "expires_at": now + MAX_SECONDS,
        }
        self._database.write(lambda connection: _open(connection, row))
        return secret

    def find(self, secret: str) -> Session | None:
        """Return the session of an id that a browser sent, or None if it has ended or never was."""
        now = self._now()
        with self._database.read() as connection:
            row = connection.execute(_select(now).where(sessions.c.id_hash == digest(secret))).first()
        if row is None:
            return None
        session = Session._make(row)
        if now - session.seen_at >= SEEN_SECONDS:
            self._database.write(lambda connection: _touch(connection, session.reference, now))
        return session

    def of(self, person_id: int) -> list[Session]:
        """Return the sessions of a person, the last used first."""
        query = _select(self._now()).where(sessions.c.person_id == person_id).order_by(sessions.c.seen_at.desc())
        with self._database.read() as connection:
            return [Session._make(row) for row in connection.execute(query)]

    def last_owner(self, secret: str) -> str:
        """Return whose session an id was, even if it has run out; empty if it was ended or is not known."""
        query = sa.select(people.c.name).join(sessions, sessions.c.person_id == people.c.id)
        with self._database.read() as connection:
            return connection.execute(query.where(sessions.c.id_hash == digest(secret))).scalar() or ""

    def end(self, secret: str) -> None:
        """Log out."""
        self._database.write(lambda connection: connection.execute(_delete(sessions.c.id_hash == digest(secret))))

    def end_one(self, person_id: int, reference: str) -> None:
        """End one session of a person by its reference; nothing happens if it is somebody else's."""
        wanted = sa.and_(sessions.c.id_hash == reference, sessions.c.person_id == person_id)
        self._database.write(lambda connection: connection.execute(_delete(wanted)))


def end_all(connection: sa.Connection, person_id: int) -> None:
    """End all sessions of a person, as part of the transaction that changes the person."""
    connection.execute(_delete(sessions.c.person_id == person_id))


def _open(connection: sa.Connection, row: dict[str, Any]) -> None:
    now = row["created_at"]
    connection.execute(_delete(sa.or_(sessions.c.expires_at <= now, sessions.c.seen_at <= now - IDLE_SECONDS)))
    connection.execute(sa.insert(sessions).values(**row))


def _touch(connection: sa.Connection, reference: str, now: float) -> None:
    fresher = sa.and_(sessions.c.id_hash == reference, sessions.c.seen_at < now)
    connection.execute(sa.update(sessions).where(fresher).values(seen_at=now))


def _delete(condition: sa.ColumnElement[bool]) -> sa.Delete:
    return sa.delete(sessions).where(condition)


def _select(now: float) -> sa.Select[tuple[str, int, str, Role, str, str, float, float, float]]:
    return (
        sa.select(
            sessions.c.id_hash,
            sessions.c.person_id,
            people.c.name,
            people.c.role,
            sessions.c.agent,
            sessions.c.address,
            sessions.c.created_at,
            sessions.c.seen_at,
            sessions.c.expires_at,
        )
        .join(people, people.c.id == sessions.c.person_id)
        .where(people.c.disabled_at.is_(None), sessions.c.expires_at > now, sessions.c.seen_at > now - IDLE_SECONDS)
    )
