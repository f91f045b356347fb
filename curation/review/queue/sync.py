"""Putting items into the queue: new ones are listed with free slots, others withdrawn; what comes back keeps its verdicts.

    sync_items(database, "sdk_assistant", items, config)      SyncReport(added=12, kept=488, closed=3)

Items are taken in parts of a few thousand, each stored in its own transaction, so that a million of them neither fill the
memory nor keep reviewers waiting; what is left over is withdrawn at the end. Where the recipe asks for another number of
reviewers, the items that are there are fitted to it first, in parts as well. A sync that breaks off is made good by the next
one.
"""

import datetime
import functools
import itertools
import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from curation.database import Database
from curation.garbage import collector_paused
from curation.ids import stable_fraction
from curation.records import ReviewItem, Verdict
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.items import GOLD_PREFIX
from curation.review.payload import pack_item, unpack_item
from curation.review.queue.append import select_rows, store_slots
from curation.review.queue.chain import as_verdict
from curation.review.queue.counts import add_counts, recount
from curation.review.queue.resolution import resolve_item
from curation.review.queue.slots import fit_review_slots, fit_slots, free_slot
from curation.review.queue.statements import ADD_ITEM, ADD_SLOT, FIND_ITEMS, as_list, is_sqlite, lock_queue
from curation.review.search.index import index_items, reindex_items

PART = 5_000
REFIT_PART = 500
"""Items that are fitted to another number of reviewers in one transaction; no verdict is recorded meanwhile."""


@dataclass(frozen=True, kw_only=True)
class SyncReport:
    """How many items are new (or back), unchanged, and withdrawn."""

    added: int
    kept: int
    closed: int


class _Stored(NamedTuple):
    """What became of a part: the rows of items that were not listed before and are now, and how many others there are."""

    listed: list[dict[str, Any]]
    kept: int


def sync_items(
    database: Database,
    recipe: str,
    items: Iterable[ReviewItem],
    config: ReviewConfig,
    priorities: Mapping[str, float] | None = None,
) -> SyncReport:
    """Make these items the listed ones. Raises DatabaseError."""
    given = priorities or {}
    sync_round = _begin_sync(database, recipe, config)
    added = kept = 0
    for part in _parts(items):
        wanted = {item.key: item for item in part}
        work = functools.partial(_put, recipe=recipe, wanted=wanted, config=config, sync_round=sync_round, priorities=given)
        stored = database.write(work)
        added, kept = added + len(stored.listed), kept + stored.kept
    closed = database.write(lambda connection: _end(connection, recipe, sync_round))
    return SyncReport(added=added, kept=kept, closed=closed)


def add_items(
    database: Database,
    recipe: str,
    items: Iterable[ReviewItem],
    config: ReviewConfig,
    priorities: Mapping[str, float] | None = None,
) -> SyncReport:
    """Put items into a queue beside those that are there; none is withdrawn. Raises DatabaseError.

    Every part is counted in its own transaction: a call that breaks off leaves a sound queue, and doing it again adds the rest.
    """
    given = priorities or {}
    sync_round = _begin_sync(database, recipe, config)
    added = kept = 0
    for part in _parts(items):
        wanted = {item.key: item for item in part}
        work = functools.partial(_add, recipe=recipe, wanted=wanted, config=config, sync_round=sync_round, priorities=given)
        stored = database.write(work)
        added, kept = added + len(stored.listed), kept + stored.kept
    return SyncReport(added=added, kept=kept, closed=0)


def _add(
    connection: sa.Connection,
    recipe: str,
    wanted: dict[str, ReviewItem],
    config: ReviewConfig,
    sync_round: int,
    priorities: Mapping[str, float],
) -> "_Stored":
    lock_queue(connection, recipe)  # no vote moves the counts meanwhile
    stored = _put(connection, recipe, wanted, config, sync_round, priorities)
    add_counts(connection, stored.listed)
    return stored


def _parts(items: Iterable[ReviewItem]) -> Iterator[list[ReviewItem]]:
    iterator = iter(items)
    while part := list(itertools.islice(iterator, PART)):
        yield part


def _begin_sync(database: Database, recipe: str, config: ReviewConfig) -> int:
    """Write down what the recipe says, fit the items that are there to it, and return the number of this sync."""
    sync_round, needs_refit = database.write(lambda connection: _begin(connection, recipe, config))
    after: str | None = "" if needs_refit else None
    while after is not None:
        refit = functools.partial(_refit, recipe=recipe, overlap=config.overlap, after=after)
        after = database.write(refit)
    return sync_round


def _begin(connection: sa.Connection, recipe: str, config: ReviewConfig) -> tuple[int, bool]:
    connection.execute(_ENSURE_QUEUE, {"recipe": recipe, "overlap": config.overlap})
    table = schema.queues.c
    query = sa.select(table.sync_round, table.fitted_overlap).where(table.recipe == recipe).with_for_update()
    row = connection.execute(query).one()
    settings = {
        "policy": config.policy,
        "accept": config.accept,
        "rubric": config.rubric,
        "overlap": config.overlap,
        "lease_seconds": config.lease_minutes * 60,
        "sync_round": row.sync_round + 1,
    }
    connection.execute(schema.queues.update().where(table.recipe == recipe).values(**settings))
    return row.sync_round + 1, row.fitted_overlap != config.overlap


@collector_paused()
def _put(
    connection: sa.Connection,
    recipe: str,
    wanted: dict[str, ReviewItem],
    config: ReviewConfig,
    sync_round: int,
    priorities: Mapping[str, float],
) -> "_Stored":
    found = FIND_ITEMS[is_sqlite(connection)].run(connection, {"recipe": recipe, "item_keys": as_list(connection, wanted)})
    known = {row["item_key"]: dict(row) for row in found.mappings()}
    fresh = [item for key, item in wanted.items() if key not in known]
    rows: list[dict[str, Any]] = []
    if fresh:
        first, now = next_arrivals(connection, recipe, len(fresh)), _now()
        rows = [
            item_row(recipe, item, config, sync_round, first + number, priorities.get(item.key, 0.0), now)
            for number, item in enumerate(fresh)
        ]
        by_key = sorted(rows, key=operator.itemgetter("item_key"))  # neighbours in the tables
        ADD_ITEM.run(connection, by_key)
        ADD_SLOT.run(connection, [slot for row in by_key for slot in free_slots(row, config.overlap)])
        index_items(connection, recipe, [(row["arrival"], item) for row, item in zip(rows, fresh, strict=True)])
    _renew(connection, recipe, {key: wanted[key] for key in known}, known, sync_round, priorities)
    back = [row for row in known.values() if not row["is_listed"]]
    return _Stored([*rows, *back], len(known) - len(back))


def next_arrivals(connection: sa.Connection, recipe: str, num: int) -> int:
    """Take the numbers of that many new items, and return the first of them."""
    update = schema.queues.update().where(schema.queues.c.recipe == recipe).values(arrivals=schema.queues.c.arrivals + num)
    last: int = connection.execute(update.returning(schema.queues.c.arrivals)).scalar_one()
    return last - num + 1


def _renew(
    connection: sa.Connection,
    recipe: str,
    wanted: dict[str, ReviewItem],
    known: dict[str, dict[str, Any]],
    sync_round: int,
    priorities: Mapping[str, float],
) -> None:
    if not wanted:
        return
    changed, back = [], []
    for key, item in wanted.items():
        row, payload, priority = known[key], pack_item(item), priorities.get(key, known[key]["priority"])
        if not row["is_listed"] or row["priority"] != priority:
            back.append({"one": key, "new_priority": priority})
        if row["payload"] != payload:  # which holds the record's key too
            changed.append({"one": key, "new_payload": payload, "new_record": item.record_key})
    mine, slot_mine = schema.items.c.recipe == recipe, schema.slots.c.recipe == recipe
    one, slot_one = schema.items.c.item_key == sa.bindparam("one"), schema.slots.c.item_key == sa.bindparam("one")
    if changed:
        new: dict[str, Any] = {"payload": sa.bindparam("new_payload"), "record_key": sa.bindparam("new_record")}
        connection.execute(schema.items.update().where(mine, one).values(**new), changed)
        before = [(known[each["one"]], wanted[each["one"]]) for each in changed]
        reindex_items(connection, recipe, [(row["arrival"], unpack_item(row["payload"]), item) for row, item in before])
    if back:
        new = {"is_listed": True, "priority": sa.bindparam("new_priority")}
        connection.execute(schema.items.update().where(mine, one).values(**new), back)
        connection.execute(schema.slots.update().where(slot_mine, slot_one).values(**new), back)
    seen = schema.items.update().where(mine, one).values(sync_round=sync_round)
    connection.execute(seen, [{"one": key} for key in wanted])


def _end(connection: sa.Connection, recipe: str, sync_round: int) -> int:
    lock_queue(connection, recipe)
    is_gold = schema.items.c.record_key.startswith(GOLD_PREFIX, autoescape=True)  # stands for no row, so it is never given
    gone = (schema.items.c.recipe == recipe, schema.items.c.is_listed, schema.items.c.sync_round < sync_round, ~is_gold)
    keys = sa.select(schema.items.c.item_key).where(*gone)
    slots = schema.slots.update().where(schema.slots.c.recipe == recipe, schema.slots.c.item_key.in_(keys))
    connection.execute(slots.values(is_listed=False))
    closed = connection.execute(schema.items.update().where(*gone).values(is_listed=False)).rowcount
    recount(connection, recipe)
    return closed


def _refit(connection: sa.Connection, recipe: str, overlap: int, after: str) -> str | None:
    """Give the next items as many slots as the recipe asks for now, and states to match; return the last (None: done)."""
    lock_queue(connection, recipe)
    item = schema.items.c
    columns = [
        item[name] for name in ("recipe", "item_key", "kind", "record_key", "is_listed", "priority", "arrival", "random_rank")
    ]
    query = sa.select(*columns).where(item.recipe == recipe, item.item_key > after).order_by(item.item_key).limit(REFIT_PART)
    items = {row["item_key"]: dict(row) for row in connection.execute(query).mappings()}
    if not items:
        recount(connection, recipe)
        mine = schema.queues.update().where(schema.queues.c.recipe == recipe)
        connection.execute(mine.values(fitted_overlap=overlap))
        return None
    said: dict[str, list[Verdict]] = {}
    for row in select_rows(connection, schema.verdicts, "item_key", recipe, set(items)):
        said.setdefault(row["item_key"], []).append(as_verdict(row))
    slots: dict[str, list[dict[str, Any]]] = {}
    for row in select_rows(connection, schema.slots, "item_key", recipe, set(items)):
        slots.setdefault(row["item_key"], []).append(row)
    for key, one in items.items():
        oldest_first = sorted(said.get(key, ()), key=lambda verdict: verdict.sequence)
        outcome = resolve_item(one, oldest_first, overlap)
        where = (item.recipe == recipe, item.item_key == key)
        connection.execute(schema.items.update().where(*where).values(**outcome.as_columns()))
        fit_review_slots(slots.setdefault(key, []), one, overlap)
        fit_slots(slots[key], one, outcome, overlap)
        store_slots(connection, slots[key])
    return str(max(items))


def item_row(
    recipe: str,
    item: ReviewItem,
    config: ReviewConfig,
    sync_round: int,
    arrival: int,
    priority: float,
    opened_at: str = "",
) -> dict[str, Any]:
    """Return a new, open item as a row of `review_items`."""
    return {
        "recipe": recipe,
        "item_key": item.key,
        "kind": item.kind,
        "record_key": item.record_key,
        "payload": pack_item(item),
        "is_listed": True,
        "opened_at": opened_at or _now(),
        "human_sequence": 0,
        "automatic_sequence": 0,
        "state": "open",
        "num_votes": 0,
        "human_decision": "",
        "automatic_decision": "",
        "last_sequence": 0,
        "sync_round": sync_round,
        "task": item.task,
        "priority": priority,
        "arrival": arrival,
        "random_rank": stable_fraction(item.key, "order"),
        "lot": "",
    }


def free_slots(item: Mapping[str, Any], overlap: int) -> list[dict[str, Any]]:
    """Return the slots of a new item as rows of `review_slots`, one for each of its reviewers."""
    return [free_slot(item, slot=number, role="review") for number in range(overlap)]


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


_ENSURE_QUEUE = sa.text(
    "INSERT INTO review_queues (recipe, policy, accept, rubric, num_verdicts, head, overlap, lease_seconds, sync_round,"
    " arrivals, state_sequence, fitted_overlap) VALUES (:recipe, '', '', '', 0, '', :overlap, 600, 0, 0, 0, :overlap)"
    " ON CONFLICT (recipe) DO NOTHING"
)
