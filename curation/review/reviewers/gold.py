"""Items whose right decision is known, served among the others so that nobody can tell: how well does a reviewer look?

    set_gold(queue, "9f...", ("reject",), by="Lea")       a copy of an item whose right decision a lead knows
    plant_errors(queue, 20, by="Lea", seed=7)             copies of accepted examples, each damaged in one known way

Both are copies with a key of their own (hashed in another way than that of any row) and a record key that begins with
`gold:`, as no row's does. So no verdict on them can ever count for a row: training never sees them. A copy takes the place
of an open item drawn at random in both orders of the queue, so that gold comes up as often as it is frequent among what
is open, and is served to as many reviewers as any other item. `sync_items` leaves gold alone; `withdraw_gold` ends it, and so
does `withdraw_orphans` where the row that was copied is gone while a withdrawal of data stands.
"""

import datetime
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import sqlalchemy as sa

from curation.errors import UnknownIdError
from curation.ids import content_hash
from curation.records import Decision, ReviewItem
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.errors import GoldRefusedError
from curation.review.items import GOLD_PREFIX, is_gold, shown_record_key
from curation.review.payload import unpack_item
from curation.review.queue import ReviewQueue
from curation.review.queue.counts import recount
from curation.review.queue.statements import lock_queue
from curation.review.queue.sync import free_slots, item_row, next_arrivals
from curation.review.queue.vote import ANSWER_DECISIONS, PAIR_DECISIONS
from curation.review.reviewers import tables

GoldKind = Literal["gold", "planted"]

_CHUNK = 500

DAMAGED: tuple[Decision, ...] = ("edit", "reject")
"""Whoever edits or rejects a damaged answer has noticed something."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GoldItem:
    """An item with a known decision."""

    item_key: str
    kind: GoldKind
    origin_key: str
    """The item that it is a copy of."""
    expected: tuple[Decision, ...]
    """Any of these is right."""
    damage: str
    """`number`, `entity`, `clause` or `label`; empty for an undamaged copy."""
    detail: str
    """What was damaged, or why the decision is right."""
    set_by: str
    set_at: str
    is_listed: bool = True
    num_votes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class NewGold:
    """A gold item that is to be put into the queue."""

    origin: ReviewItem
    kind: GoldKind
    expected: tuple[Decision, ...]
    answer: str = ""
    """The damaged answer; empty: as it stands."""
    damage: str = ""
    detail: str = ""


def set_gold(queue: ReviewQueue, item_key: str, expected: Sequence[Decision], *, by: str, detail: str = "") -> GoldItem:
    """Put a copy of an item, of which a lead knows the right decision, into the queue.

    Raises:
        GoldRefusedError: if the decisions do not fit the item, it is gold itself or no longer part of the data, or a copy of it
            is still open.
        UnknownIdError: if there is no such item.
    """
    entry = queue.get_item(item_key)
    origin = entry.item
    allowed = PAIR_DECISIONS if origin.kind == "pair" else ANSWER_DECISIONS
    right = tuple(sorted(set(expected)))
    if not right or not set(right) < set(allowed):
        raise GoldRefusedError(problem=f"choose at least one and not all of {', '.join(allowed)} as right.")
    if is_gold(origin.record_key):
        raise GoldRefusedError(problem="the item is itself one with a known decision.")
    if not entry.is_listed:
        raise GoldRefusedError(problem="the item is no longer part of the data, and nobody should see it again.")
    if any(gold.origin_key == item_key and gold.is_listed and not gold.num_votes for gold in list_gold(queue)):
        raise GoldRefusedError(problem="a copy of this item still waits; nobody should see two of them.")
    return put_gold(queue, [NewGold(origin=origin, kind="gold", expected=right, detail=detail)], by=by, seed=item_key)[0]


def put_gold(queue: ReviewQueue, wanted: Sequence[NewGold], *, by: str, seed: object) -> list[GoldItem]:
    """List gold items at random places of the queue, in one transaction. The same seed gives the same places."""
    overlap = queue.settings().overlap
    generator = random.Random(f"places {seed}")  # noqa: S311 (a draw that has to be the same again)

    def work(connection: sa.Connection) -> list[GoldItem]:
        made, rows, slots = [], [], []
        for number, new in enumerate(wanted):
            gold, item = _copy(connection, queue.recipe, new, by)
            place = _place(connection, queue.recipe, (number + generator.random()) / len(wanted))
            arrival = next_arrivals(connection, queue.recipe, 1)
            row = item_row(queue.recipe, item, ReviewConfig(), 0, arrival, place["priority"])
            made.append(gold)
            rows.append(row)
            slots += free_slots(row | place, overlap)
            connection.execute(tables.gold.insert(), _gold_row(queue.recipe, gold))
        if rows:
            connection.execute(schema.items.insert(), rows)
            connection.execute(schema.slots.insert(), slots)
            recount(connection, queue.recipe)
        return made

    return queue.database.write(work)


def _copy(connection: sa.Connection, recipe: str, new: NewGold, by: str) -> tuple[GoldItem, ReviewItem]:
    table = tables.gold.c
    copies = sa.select(sa.func.count()).where(table.recipe == recipe, table.origin_key == new.origin.key)
    answer = new.answer or new.origin.answer
    key = content_hash(["gold", recipe, new.origin.key, answer, connection.execute(copies).scalar_one()])
    item = replace(new.origin, key=key, answer=answer, record_key=f"{GOLD_PREFIX}{key[:8]}/{new.origin.record_key}")
    gold = GoldItem(
        item_key=key,
        kind=new.kind,
        origin_key=new.origin.key,
        expected=new.expected,
        damage=new.damage,
        detail=new.detail,
        set_by=by,
        set_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    return gold, item


def _place(connection: sa.Connection, recipe: str, rank: float) -> dict[str, Any]:
    """Return priority and arrival of an item on offer that is drawn at random: the first one from this rank on."""
    slot = schema.slots.c
    waiting = (slot.recipe == recipe, slot.role == "review", sa.text("done_sequence = 0 AND is_listed AND priority >= 0"))
    query = sa.select(slot.priority, slot.arrival).where(*waiting).order_by(slot.random_rank, slot.item_key, slot.slot).limit(1)
    row = connection.execute(query.where(slot.random_rank >= rank)).mappings().one_or_none()
    row = row or connection.execute(query).mappings().one_or_none()
    return dict(row) if row else {"priority": 0.0, "arrival": 0}


def _gold_row(recipe: str, gold: GoldItem) -> dict[str, Any]:
    names = ("item_key", "kind", "origin_key", "damage", "detail", "set_by", "set_at")
    said = {name: getattr(gold, name) for name in names}
    return said | {"recipe": recipe, "expected": json.dumps(gold.expected)}


def list_gold(queue: ReviewQueue) -> list[GoldItem]:
    """Return all gold items, the newest first; also those that were withdrawn. For leads only. Raises DatabaseError."""
    item, gold = schema.items.c, tables.gold.c
    both = tables.gold.join(schema.items, (gold.recipe == item.recipe) & (gold.item_key == item.item_key))
    query = sa.select(tables.gold, item.is_listed, item.num_votes).select_from(both).where(gold.recipe == queue.recipe)
    with queue.database.read() as connection:
        rows = connection.execute(query.order_by(gold.set_at.desc(), gold.item_key)).mappings().all()
    return [_as_gold(dict(row)) for row in rows]


def _as_gold(row: Mapping[str, Any]) -> GoldItem:
    known = {name: row[name] for name in GoldItem.__dataclass_fields__ if name != "expected"}
    return GoldItem(**known, expected=tuple(json.loads(row["expected"])))


def withdraw_gold(queue: ReviewQueue, item_key: str) -> None:
    """Serve a gold item to nobody any more; what was said about it is kept. Raises UnknownIdError if it is none."""
    if all(gold.item_key != item_key for gold in list_gold(queue)):
        raise UnknownIdError(id=item_key)

    queue.database.write(lambda connection: _unlist(connection, queue.recipe, [item_key]))


def withdraw_orphans(queue: ReviewQueue) -> list[str]:
    """Withdraw copies of rows that are no longer in the queue, and return their keys; called while a withdrawal of data stands.

    Nothing can show any more that such a row does not descend from what was withdrawn. A row whose text changed is still there.
    """

    def work(connection: sa.Connection) -> list[str]:
        orphans = _find_orphans(connection, queue.recipe)
        if orphans:
            _unlist(connection, queue.recipe, orphans)
        return orphans

    return queue.database.write(work)


def _find_orphans(connection: sa.Connection, recipe: str) -> list[str]:
    item, gold = schema.items.c, tables.gold.c
    both = tables.gold.join(schema.items, (gold.recipe == item.recipe) & (gold.item_key == item.item_key))
    query = sa.select(gold.item_key, gold.origin_key, item.record_key).select_from(both)
    copies = connection.execute(query.where(gold.recipe == recipe, item.is_listed)).all()
    names = {row.item_key: shown_record_key(row.record_key) for row in copies}
    keys = _listed(connection, recipe, item.item_key, {row.origin_key for row in copies})
    records = _listed(connection, recipe, item.record_key, set(names.values()))
    return sorted(row.item_key for row in copies if row.origin_key not in keys and names[row.item_key] not in records)


def _listed(connection: sa.Connection, recipe: str, column: sa.ColumnElement[str], values: set[str]) -> set[str]:
    """Return those of the values that a listed item has in this column."""
    item, ordered = schema.items.c, sorted(values)
    found: set[str] = set()
    for start in range(0, len(ordered), _CHUNK):
        chosen = (item.recipe == recipe, item.is_listed, column.in_(ordered[start : start + _CHUNK]))
        found.update(connection.execute(sa.select(column).where(*chosen)).scalars())
    return found


def _unlist(connection: sa.Connection, recipe: str, item_keys: Sequence[str]) -> None:
    lock_queue(connection, recipe)
    for start in range(0, len(item_keys), _CHUNK):
        for table in (schema.items, schema.slots):
            chosen = (table.c.recipe == recipe, table.c.item_key.in_(item_keys[start : start + _CHUNK]))
            connection.execute(table.update().where(*chosen).values(is_listed=False))
    recount(connection, recipe)


def load_items(connection: sa.Connection, recipe: str, item_keys: Sequence[str]) -> list[ReviewItem]:
    """Return items in the order of their keys as given; those that are not there are left out."""
    item = schema.items.c
    query = sa.select(item.item_key, item.payload).where(item.recipe == recipe, item.item_key.in_(list(item_keys)))
    found = {row.item_key: row.payload for row in connection.execute(query)}
    return [unpack_item(found[key]) for key in item_keys if key in found]
