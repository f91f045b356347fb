"""The SQL of claiming and deciding, which runs for every item that anybody sees.

LOCK_QUEUE.run(connection, {"recipe": "sdk_assistant"}).one()     (num_verdicts, head, overlap, now)
"""

import json
from collections.abc import Iterable

import sqlalchemy as sa

from curation.database.statement import Statement
from curation.review import schema

SQLITE_NOW = "((julianday('now') - 2440587.5) * 86400.0)"
POSTGRES_NOW = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS double precision)"
MAX_LEASE_SECONDS = 86_400.0
"""A lease that seems to last longer was made while the clock was wrong, and counts as run out."""

ITEM_COLUMNS = tuple(column.name for column in schema.items.columns)
SLOT_COLUMNS = tuple(column.name for column in schema.slots.columns)
VERDICT_COLUMNS = tuple(column.name for column in schema.verdicts.columns)
SETTLED = (
    "state",
    "num_votes",
    "human_sequence",
    "human_decision",
    "automatic_sequence",
    "automatic_decision",
    "last_sequence",
)
"""What the verdicts on an item change about it."""
_ONE_ITEM = "recipe = :recipe AND item_key = :item_key"


def _values(names: tuple[str, ...]) -> str:
    return f"({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})"


def _settings(names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} = :{name}" for name in names)


def _by_database(text: str) -> dict[bool, Statement]:
    """Return the statement for SQLite (True) and for PostgreSQL (False)."""
    live = "{slot}.expires_at > {now} AND {slot}.expires_at <= {now} + " + str(MAX_LEASE_SECONDS)
    found = {}
    for is_sqlite, now in ((True, SQLITE_NOW), (False, POSTGRES_NOW)):
        parts = {f"live_{slot}": live.format(slot=slot, now=now) for slot in ("s", "h")}
        lock = "" if is_sqlite else "FOR UPDATE OF s SKIP LOCKED"
        queue_lock = "" if is_sqlite else "FOR UPDATE"
        # SQLite would rather sort a million rows by rank than read them in that order
        by_rank = "INDEXED BY review_slots_offered" if is_sqlite else ""
        found[is_sqlite] = Statement(text.format(now=now, lock=lock, queue_lock=queue_lock, by_rank=by_rank, **parts))
    return found


SETTINGS = Statement(
    "SELECT policy, accept, rubric, overlap, lease_seconds, state_sequence FROM review_queues WHERE recipe = :recipe"
)
COUNTS = Statement("SELECT kind, state, human_decision, automatic_decision, num FROM review_counts WHERE recipe = :recipe")
TWO_VERDICTS = Statement(
    "SELECT * FROM review_verdicts WHERE recipe = :recipe AND sequence IN (:human_sequence, :automatic_sequence)"
)
_PREVIOUS = (
    "SELECT * FROM review_items WHERE recipe = :recipe AND record_key = :record_key AND kind = :kind"
    " AND item_key <> :item_key AND {newest}(human_sequence, automatic_sequence) > 0"
    " ORDER BY {newest}(human_sequence, automatic_sequence) DESC LIMIT 1"
)
PREVIOUS_ITEM = {
    True: Statement(_PREVIOUS.format(newest="MAX")),
    False: Statement(_PREVIOUS.format(newest="GREATEST")),
}

NOW = _by_database("SELECT {now} AS now")
LOCK_QUEUE = _by_database(
    "SELECT num_verdicts, head, overlap, {now} AS now FROM review_queues WHERE recipe = :recipe {queue_lock}"
)

FIND_ITEM = Statement(f"SELECT * FROM review_items WHERE {_ONE_ITEM}")
FIND_ITEMS = {
    is_sqlite: Statement(f"SELECT * FROM review_items WHERE recipe = :recipe AND item_key {among}")
    for is_sqlite, among in ((True, "IN (SELECT value FROM json_each(:item_keys))"), (False, "= ANY(:item_keys)"))
}
FIND_TOKEN = Statement("SELECT * FROM review_verdicts WHERE recipe = :recipe AND token = :token")
FIND_VERDICTS = Statement(f"SELECT * FROM review_verdicts WHERE {_ONE_ITEM} ORDER BY sequence")
FIND_SLOTS = Statement(f"SELECT * FROM review_slots WHERE {_ONE_ITEM} ORDER BY slot")

ADD_VERDICT = Statement(f"INSERT INTO review_verdicts {_values(VERDICT_COLUMNS)}")
SETTLE_ITEM = Statement(f"UPDATE review_items SET {_settings(SETTLED)} WHERE {_ONE_ITEM}")
ADD_ITEM = Statement(f"INSERT INTO review_items {_values(ITEM_COLUMNS)}")
ADD_SLOT = Statement(f"INSERT INTO review_slots {_values(SLOT_COLUMNS)}")
CHANGE_SLOT = Statement(
    "UPDATE review_slots SET role = :role, holder = :holder, generation = :generation, origin = :origin,"
    f" expires_at = :expires_at, done_sequence = :done_sequence WHERE {_ONE_ITEM} AND slot = :slot"
)
DROP_SLOT = Statement(f"DELETE FROM review_slots WHERE {_ONE_ITEM} AND slot = :slot")
MOVE_HEAD = Statement(
    "UPDATE review_queues SET num_verdicts = :num_verdicts, head = :head,"
    " state_sequence = CASE WHEN :has_moved = 1 THEN :num_verdicts ELSE state_sequence END WHERE recipe = :recipe"
)
ADD_COUNT = Statement(
    "INSERT INTO review_counts (recipe, kind, state, human_decision, automatic_decision, num)"
    " VALUES (:recipe, :kind, :state, :human_decision, :automatic_decision, :step)"
    " ON CONFLICT (recipe, kind, state, human_decision, automatic_decision)"
    " DO UPDATE SET num = review_counts.num + excluded.num"
)

_CLAIM = """
UPDATE review_slots SET holder = :reviewer, generation = generation + 1, claimed_at = {now},
       origin = CASE WHEN holder = :reviewer AND expires_at > {now} THEN origin ELSE :origin END,
       expires_at = {now} + COALESCE((SELECT q.lease_seconds FROM review_queues q WHERE q.recipe = :recipe), 600)
WHERE (recipe, item_key, slot) = (
    SELECT s.recipe, s.item_key, s.slot FROM review_slots s INDEX
    WHERE s.recipe = :recipe AND s.role = :role AND s.done_sequence = 0 AND s.is_listed AND FREE
      AND NOT EXISTS (SELECT 1 FROM review_slots o WHERE o.recipe = s.recipe AND o.item_key = s.item_key
                      AND o.holder = :reviewer AND o.slot <> s.slot)
      FILTERS
    ORDER BY ORDERING LIMIT 1 {lock})
RETURNING item_key, slot, holder, role, generation, origin, expires_at, {now} AS now
"""
_FEW_HELD = (
    "AND (SELECT COUNT(*) FROM review_slots h WHERE h.recipe = :recipe AND h.holder = :reviewer AND h.done_sequence = 0"
    " AND h.is_listed AND {live_h}) < :max_leases"
)
_OFFERED = "AND s.priority >= 0"
"""Items that a lot holds back have a negative priority; they are not served, but may be chosen."""
_NOT_SKIPPED = (
    "AND NOT EXISTS (SELECT 1 FROM review_skips k WHERE k.recipe = s.recipe AND k.item_key = s.item_key"
    " AND k.reviewer = :reviewer)"
)
_ORDERINGS = {
    "item": "s.slot",  # and nothing of the order of the queue, or SQLite goes through all of it
    "random": "s.random_rank, s.item_key, s.slot",
    "priority": "s.priority DESC, s.arrival DESC, s.item_key, s.slot",
}
_FREE = "NOT ({live_s})"


def _claim(filters: list[str], ordering: str, free: str = _FREE) -> dict[bool, Statement]:
    text = _CLAIM.replace("FREE", free).replace("FILTERS", "\n      ".join(filters))
    text = text.replace("INDEX", "{by_rank}" if ordering == "random" else "")
    return _by_database(text.replace("ORDERING", _ORDERINGS[ordering]))


CLAIM_ITEM = _claim(["AND s.item_key = :item_key"], "item", f"({_FREE} OR s.holder = :reviewer)")
CLAIM_NEXT = {
    (ordering, has_kind, skipped_too): _claim(
        [
            _FEW_HELD,
            _OFFERED,
            "AND s.item_key <> :after",
            *(["AND s.kind = :kind"] if has_kind else []),
            *([] if skipped_too else [_NOT_SKIPPED]),
        ],
        ordering,
    )
    for ordering in ("random", "priority")
    for has_kind in (False, True)
    for skipped_too in (False, True)
}
"""(order, one kind only, also what the person has put off) -> the statement."""

_MINE = f"{_ONE_ITEM} AND slot = :slot AND holder = :reviewer AND generation = :generation AND done_sequence = 0"
EXTEND = _by_database(
    "UPDATE review_slots AS s SET"
    " expires_at = {now} + COALESCE((SELECT q.lease_seconds FROM review_queues q WHERE q.recipe = :recipe), 600)"
    f" WHERE {_MINE} AND {{live_s}} RETURNING expires_at, {{now}} AS now"
)
RELEASE = Statement(f"UPDATE review_slots SET expires_at = 0, holder = NULL WHERE {_MINE}")
SKIP = _by_database(
    "INSERT INTO review_skips (recipe, item_key, reviewer, skipped_at) VALUES (:recipe, :item_key, :reviewer, {now})"
    " ON CONFLICT (recipe, item_key, reviewer) DO UPDATE SET skipped_at = excluded.skipped_at"
)
LIST_LEASES = _by_database(
    "SELECT s.*, {now} AS now FROM review_slots s WHERE s.recipe = :recipe AND s.holder = :reviewer"
    " AND s.done_sequence = 0 AND s.is_listed AND {live_s} ORDER BY s.claimed_at, s.item_key"
)


def as_list(connection: sa.Connection, values: Iterable[str]) -> str | list[str]:
    """Return values in the form in which the databases take any number of them as one parameter."""
    return json.dumps(list(values)) if is_sqlite(connection) else list(values)


def lock_queue(connection: sa.Connection, recipe: str) -> None:
    """Let verdicts on a recipe wait until this transaction ends, as they do for each other. Taken first of all locks."""
    LOCK_QUEUE[is_sqlite(connection)].run(connection, {"recipe": recipe})


def is_sqlite(connection: sa.Connection) -> bool:
    """Tell which of the two statements a connection needs."""
    return connection.dialect.name == "sqlite"
