"""Claiming items: one statement leases the next slot that a person may take. No two people are ever given the same slot.

    claim(connection, "sdk_assistant", Request(reviewer="Ada"))     Lease(item_key="9f...", slot=0, generation=1, ...)

On PostgreSQL the statement skips rows that others lock at this moment; on SQLite one thread writes. Expiry is measured
by the database's clock alone.
"""

from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from curation.database.statement import Statement
from curation.errors import LeaseLostError
from curation.review.queue import statements
from curation.review.queue.statements import is_sqlite
from curation.review.queue.vote import Origin, Role

MAX_LEASES = 20
"""Items that one person may hold at once (tabs); then the oldest is given again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """Somebody's hold on one slot of an item."""

    item_key: str
    slot: int
    reviewer: str
    role: Role
    generation: int
    origin: Origin
    expires_at: float
    """Seconds since 1970 by the database's clock."""
    seconds_left: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """Who wants an item, and which."""

    reviewer: str
    role: Role = "review"
    kind: str = ""
    """Only items of this kind; empty: any."""
    origin: Origin = "priority"
    """Which order to serve from; `chosen` goes with `item_key`."""
    after: str = ""
    """An item that is not wanted now."""
    item_key: str = ""
    """This item and no other."""


def claim(connection: sa.Connection, recipe: str, request: Request) -> Lease | None:
    """Lease the next slot that the person may take; None if there is none.

    Items that the person has put off come last. Whoever holds `MAX_LEASES` items gets the oldest of them again.
    """
    if request.item_key:
        return _run(connection, recipe, request, statements.CLAIM_ITEM)
    ordering, has_kind = request.origin if request.origin == "random" else "priority", bool(request.kind)
    for skipped_too in (False, True):
        found = _run(connection, recipe, request, statements.CLAIM_NEXT[ordering, has_kind, skipped_too])
        if found is not None:
            return found
    held = [lease for lease in list_leases(connection, recipe, request.reviewer) if lease.role == request.role]
    return held[0] if len(held) >= MAX_LEASES else None


def _run(connection: sa.Connection, recipe: str, request: Request, statement: dict[bool, Statement]) -> Lease | None:
    values = {
        "recipe": recipe,
        "reviewer": request.reviewer,
        "role": request.role,
        "origin": request.origin,
        "kind": request.kind,
        "after": request.after,
        "item_key": request.item_key,
        "max_leases": MAX_LEASES,
    }
    row = statement[is_sqlite(connection)].run(connection, values).mappings().one_or_none()
    return None if row is None else _as_lease(row)


def list_leases(connection: sa.Connection, recipe: str, reviewer: str) -> list[Lease]:
    """Return the leases that a person holds now, the oldest first."""
    statement = statements.LIST_LEASES[is_sqlite(connection)]
    return [_as_lease(row) for row in statement.run(connection, {"recipe": recipe, "reviewer": reviewer}).mappings()]


def _as_lease(row: Any) -> Lease:
    return Lease(
        item_key=row["item_key"],
        slot=row["slot"],
        reviewer=row["holder"],
        role=row["role"],
        generation=row["generation"],
        origin=row["origin"],
        expires_at=row["expires_at"],
        seconds_left=row["expires_at"] - row["now"],
    )


def extend(connection: sa.Connection, recipe: str, lease: Lease) -> Lease:
    """Make a lease last for another full term. Raises LeaseLostError if it has run out or was taken over."""
    row = statements.EXTEND[is_sqlite(connection)].run(connection, _mine(recipe, lease)).one_or_none()
    if row is None:
        raise LeaseLostError(item=lease.item_key)
    return replace(lease, expires_at=row.expires_at, seconds_left=row.expires_at - row.now)


def release(connection: sa.Connection, recipe: str, lease: Lease, *, skip: bool) -> bool:
    """Give a lease back, and remember that the person has put the item off if `skip`; False if it was lost before."""
    released = statements.RELEASE.run(connection, _mine(recipe, lease)).rowcount == 1
    if skip:
        statements.SKIP[is_sqlite(connection)].run(connection, _mine(recipe, lease))
    return released


def _mine(recipe: str, lease: Lease) -> dict[str, Any]:
    return {
        "recipe": recipe,
        "item_key": lease.item_key,
        "slot": lease.slot,
        "reviewer": lease.reviewer,
        "generation": lease.generation,
    }
