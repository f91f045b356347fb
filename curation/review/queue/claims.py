"""Claiming items: one statement leases the next slot that a person may take. No two people are ever given the same slot.

    claim(connection, "sdk_assistant", Request(reviewer="Ada"))     Lease(item_key="9f...", slot=0, generation=1, ...)

On PostgreSQL the statement skips rows that others lock at this moment; on SQLite one thread writes. Expiry is measured
by the database's clock alone.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from curation.errors import LeaseLostError
from curation.review import schema
from curation.review.queue.slots import MAX_LEASE_SECONDS, database_now, now_sql
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
    """Which order to serve from."""
    after: str = ""
    """An item that is not wanted now."""
    item_key: str = ""
    """This item and no other."""
    lease_seconds: float = 600.0


_LIVE = "s.expires_at > {now} AND s.expires_at <= {now} + {longest}"
_CLAIM = """
UPDATE review_slots SET holder = :reviewer, generation = generation + 1, origin = :origin,
       claimed_at = {now}, expires_at = {now} + :seconds
WHERE (recipe, item_key, slot) = (
    SELECT s.recipe, s.item_key, s.slot FROM review_slots s
    WHERE s.recipe = :recipe AND s.role = :role AND s.done_sequence = 0 AND s.is_listed AND {free}
      AND NOT EXISTS (SELECT 1 FROM review_slots o WHERE o.recipe = s.recipe AND o.item_key = s.item_key
                      AND o.holder = :reviewer AND o.slot <> s.slot)
      {filters}
    ORDER BY {order} LIMIT 1 {lock})
RETURNING item_key, slot, generation, expires_at, {now} AS now
"""
_NOT_SKIPPED = (
    "AND NOT EXISTS (SELECT 1 FROM review_skips k WHERE k.recipe = s.recipe AND k.item_key = s.item_key"
    " AND k.reviewer = :reviewer)"
)
_ORDERS = {
    "random": "s.random_rank, s.item_key, s.slot",
    "priority": "s.priority DESC, s.arrival DESC, s.item_key, s.slot",
}


def claim(connection: sa.Connection, recipe: str, request: Request) -> Lease | None:
    """Lease the next slot that the person may take; None if there is none.

    Items that the person has put off come last. Whoever holds `MAX_LEASES` items gets the oldest of them again.
    """
    held = list_leases(connection, recipe, request.reviewer, request.role)
    if len(held) >= MAX_LEASES and not request.item_key:
        return held[0]
    if request.item_key:
        return _run(connection, recipe, request, ["AND s.item_key = :item_key"])
    filters = [*(["AND s.kind = :kind"] if request.kind else []), *(["AND s.item_key <> :after"] if request.after else [])]
    found = _run(connection, recipe, request, [*filters, _NOT_SKIPPED])
    return found or _run(connection, recipe, request, filters)


def _run(connection: sa.Connection, recipe: str, request: Request, filters: list[str]) -> Lease | None:
    now = now_sql(connection)
    is_sqlite = connection.dialect.name == "sqlite"
    free = f"NOT ({_LIVE.format(now=now, longest=MAX_LEASE_SECONDS)})"
    origin = request.origin if request.origin in _ORDERS else "priority"
    text = _CLAIM.format(
        now=now,
        free=f"({free} OR s.holder = :reviewer)" if request.item_key else free,
        filters="\n      ".join(filters),
        order=_ORDERS[origin],
        lock="" if is_sqlite else "FOR UPDATE OF s SKIP LOCKED",
    )
    values = {
        "recipe": recipe,
        "reviewer": request.reviewer,
        "role": request.role,
        "origin": request.origin,
        "seconds": request.lease_seconds,
        "kind": request.kind,
        "after": request.after,
        "item_key": request.item_key,
    }
    used = {name: value for name, value in values.items() if f":{name}" in text}
    row = connection.execute(sa.text(text), used).one_or_none()
    if row is None:
        return None
    return Lease(
        item_key=row.item_key,
        slot=row.slot,
        reviewer=request.reviewer,
        role=request.role,
        generation=row.generation,
        origin=request.origin,
        expires_at=row.expires_at,
        seconds_left=row.expires_at - row.now,
    )


def list_leases(connection: sa.Connection, recipe: str, reviewer: str, role: Role | None = None) -> list[Lease]:
    """Return the leases that a person holds now, the oldest first."""
    now = database_now(connection)
    slot = schema.slots.c
    chosen = [slot.recipe == recipe, slot.holder == reviewer, sa.text("done_sequence = 0 AND is_listed")]
    chosen += [slot.expires_at > now, slot.expires_at <= now + MAX_LEASE_SECONDS, *([slot.role == role] if role else [])]
    rows = connection.execute(sa.select(schema.slots).where(*chosen).order_by(slot.claimed_at, slot.item_key)).mappings()
    return [_as_lease(row, now) for row in rows]


def _as_lease(row: Any, now: float) -> Lease:
    return Lease(
        item_key=row["item_key"],
        slot=row["slot"],
        reviewer=row["holder"],
        role=row["role"],
        generation=row["generation"],
        origin=row["origin"],
        expires_at=row["expires_at"],
        seconds_left=row["expires_at"] - now,
    )


def extend(connection: sa.Connection, recipe: str, lease: Lease, seconds: float) -> Lease:
    """Make a lease last `seconds` from now. Raises LeaseLostError if it has run out or was taken over."""
    now = now_sql(connection)
    text = (
        f"UPDATE review_slots SET expires_at = {now} + :seconds WHERE {_MINE} AND expires_at > {now}"  # noqa: S608 (own constants)
        f" AND expires_at <= {now} + {MAX_LEASE_SECONDS} RETURNING expires_at"
    )
    row = connection.execute(sa.text(text), _mine(recipe, lease) | {"seconds": seconds}).one_or_none()
    if row is None:
        raise LeaseLostError(item=lease.item_key)
    return Lease(
        item_key=lease.item_key,
        slot=lease.slot,
        reviewer=lease.reviewer,
        role=lease.role,
        generation=lease.generation,
        origin=lease.origin,
        expires_at=row.expires_at,
        seconds_left=seconds,
    )


def release(connection: sa.Connection, recipe: str, lease: Lease, *, skip: bool) -> bool:
    """Give a lease back, and remember that the person has put the item off if `skip`; False if it was lost before."""
    text = f"UPDATE review_slots SET expires_at = 0, holder = NULL WHERE {_MINE}"  # noqa: S608 (own constants)
    released = connection.execute(sa.text(text), _mine(recipe, lease)).rowcount == 1
    if skip:
        values = {"recipe": recipe, "item_key": lease.item_key, "reviewer": lease.reviewer, "now": database_now(connection)}
        connection.execute(_SKIP, values)
    return released


_MINE = (
    "recipe = :recipe AND item_key = :item_key AND slot = :slot AND holder = :reviewer AND generation = :generation"
    " AND done_sequence = 0"
)
_SKIP = sa.text(
    "INSERT INTO review_skips (recipe, item_key, reviewer, skipped_at) VALUES (:recipe, :item_key, :reviewer, :now)"
    " ON CONFLICT (recipe, item_key, reviewer) DO UPDATE SET skipped_at = excluded.skipped_at"
)


def _mine(recipe: str, lease: Lease) -> dict[str, Any]:
    return {
        "recipe": recipe,
        "item_key": lease.item_key,
        "slot": lease.slot,
        "reviewer": lease.reviewer,
        "generation": lease.generation,
    }
