"""API tokens: what a program sends instead of a password. Shown once, kept as SHA-256, with scopes and an end.

secret = tokens.create(person_id, label="nightly export", scopes={"read"}, days=90)      # "tw_kW3v..."
tokens.find(secret)     TokenOwner(name="Ada", role="lead", scopes=frozenset({"read"}))
"""

from collections.abc import Callable, Collection
from typing import Literal, NamedTuple

import sqlalchemy as sa

from curation.database import Database
from curation.review.accounts.credentials import digest, new_secret
from curation.review.accounts.person import Role
from curation.review.accounts.tables import people, tokens
from curation.review.errors import TokenRefusedError

Scope = Literal["read", "vote", "manage"]
SCOPES: tuple[Scope, ...] = ("read", "vote", "manage")
"""To look, to decide items, to do what leads do."""

PREFIX = "tw_"
"""So that scanners for leaked secrets know one when they see it."""
MAX_DAYS = 366
MAX_TOKENS = 50
MAX_LABEL_CHARS = 80
USED_SECONDS = 60.0


class Token(NamedTuple):
    """One token, without its secret."""

    reference: str
    label: str
    scopes: tuple[str, ...]
    created_at: float
    expires_at: float
    used_at: float | None
    revoked_at: float | None


class TokenOwner(NamedTuple):
    """Who sends a token, and what the token may do."""

    name: str
    role: Role
    scopes: frozenset[str]


class Tokens:
    """Makes, finds and revokes API tokens. Thread-safe."""

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now

    def create(self, person_id: int, *, label: str, scopes: Collection[str], days: int) -> str:
        """Return a new token, the only time that it can be seen.

        Raises:
            TokenRefusedError: if a scope is unknown or none is given, or the label or the days make no sense.
        """
        label = " ".join(label.split())
        if not label or len(label) > MAX_LABEL_CHARS or not label.isprintable():
            raise TokenRefusedError(problem=f"say in up to {MAX_LABEL_CHARS} characters what it is for")
        if not scopes or not set(scopes) <= set(SCOPES):
            raise TokenRefusedError(problem=f"choose at least one of the scopes {', '.join(SCOPES)}")
        if not 1 <= days <= MAX_DAYS:
            raise TokenRefusedError(problem=f"it can last from 1 to {MAX_DAYS} days")
        secret, now = PREFIX + new_secret(), self._now()
        row = {
            "token_hash": digest(secret),
            "person_id": person_id,
            "label": label,
            "scopes": " ".join(scope for scope in SCOPES if scope in scopes),
            "created_at": now,
            "expires_at": now + days * 86_400.0,
        }
        self._database.write(lambda connection: _create(connection, row))
        return secret

    def find(self, secret: str) -> TokenOwner | None:
        """Return whose token this is, or None if it has ended, was revoked or never was."""
        if not secret.startswith(PREFIX):
            return None
        now, key = self._now(), digest(secret)
        query = (
            sa.select(people.c.name, people.c.role, tokens.c.scopes, tokens.c.used_at)
            .join(people, people.c.id == tokens.c.person_id)
            .where(tokens.c.token_hash == key, tokens.c.revoked_at.is_(None), tokens.c.expires_at > now)
            .where(people.c.disabled_at.is_(None))
        )
        with self._database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        if row.used_at is None or now - row.used_at >= USED_SECONDS:
            used = sa.update(tokens).where(tokens.c.token_hash == key).values(used_at=now)
            self._database.write(lambda connection: connection.execute(used))
        return TokenOwner(row.name, row.role, frozenset(row.scopes.split()))

    def of(self, person_id: int) -> list[Token]:
        """Return the tokens of a person, newest first, without their secrets."""
        columns = (tokens.c.token_hash, tokens.c.label, tokens.c.scopes, tokens.c.created_at, tokens.c.expires_at)
        query = sa.select(*columns, tokens.c.used_at, tokens.c.revoked_at).where(tokens.c.person_id == person_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(tokens.c.created_at.desc(), tokens.c.token_hash)).all()
        return [Token(key, label, tuple(scopes.split()), *times) for key, label, scopes, *times in rows]

    def revoke(self, person_id: int, reference: str) -> None:
        """End a token of a person by its reference; nothing happens if it is somebody else's."""
        mine = sa.and_(tokens.c.token_hash == reference, tokens.c.person_id == person_id, tokens.c.revoked_at.is_(None))
        now = self._now()
        self._database.write(lambda connection: connection.execute(sa.update(tokens).where(mine).values(revoked_at=now)))


def revoke_all(connection: sa.Connection, person_id: int, now: float) -> None:
    """End all tokens of a person, as part of the transaction that disables the person."""
    live = sa.and_(tokens.c.person_id == person_id, tokens.c.revoked_at.is_(None))
    connection.execute(sa.update(tokens).where(live).values(revoked_at=now))


def _create(connection: sa.Connection, row: dict[str, object]) -> None:
    live = sa.and_(
        tokens.c.person_id == row["person_id"], tokens.c.revoked_at.is_(None), tokens.c.expires_at > row["created_at"]
    )
    if connection.execute(sa.select(sa.func.count()).select_from(tokens).where(live)).scalar_one() >= MAX_TOKENS:
        raise TokenRefusedError(problem=f"you have {MAX_TOKENS} already; revoke one first")
    connection.execute(sa.insert(tokens).values(**row))
