"""What lots hold back: items that nobody is asked about, since their lot was accepted, or waits for the rest of its sample.

read_held(connection, "sdk_assistant")     {"example": Held(num=4_882, num_disputed=1)}

A lot keeps count of its decided items (`review_lots.num_decided`), so that no page counts a million held ones. Held items may
still be chosen one by one: a lead who opens one of them, or a dispute in an accepted lot, can decide it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from curation.database.statement import Statement
from curation.review import schema
from curation.review.lots import tables

_HELD = Statement(
    "SELECT lot, size - num_decided - CASE decision WHEN 'accept' THEN 0"
    " ELSE CASE WHEN n < size THEN n ELSE size END - num_inspected END AS num"
    " FROM review_lots WHERE recipe = :recipe AND decision <> 'reject'"
)
_DISPUTED = Statement(
    "SELECT kind, COUNT(*) AS num FROM review_slots WHERE recipe = :recipe AND role = 'adjudication' AND done_sequence = 0"
    " AND is_listed AND priority < 0 GROUP BY kind"
)
_MOVE = Statement("UPDATE review_lots SET num_decided = num_decided + :step WHERE recipe = :recipe AND lot = :lot")
Row = Mapping[str, Any]
_END_OF_KIND = re.compile("[/#]")


class Held(NamedTuple):
    """Items of a kind that are held back."""

    num: int = 0
    num_disputed: int = 0
    """Those of them on which reviewers did not agree; nobody has to settle that."""


def read_held(connection: sa.Connection, recipe: str) -> dict[str, Held]:
    """Return kind -> what is held back of it; kinds of which nothing is are left out."""
    num: Counter[str] = Counter()
    for row in _HELD.run(connection, {"recipe": recipe}):
        num[_END_OF_KIND.split(row.lot)[0]] += max(row.num, 0)
    if not num.total():
        return {}
    disputed = {row.kind: row.num for row in _DISPUTED.run(connection, {"recipe": recipe})}
    return {kind: Held(num[kind], disputed.get(kind, 0)) for kind in num if num[kind]}


def is_held(recipe: str) -> sa.ColumnElement[bool]:
    """Return the condition that an item (a row of `review_items`) is held back."""
    item, lot, sample = schema.items.c, tables.lots.c, tables.samples.c
    of_item = (lot.recipe == recipe, lot.lot == item.lot)
    accepted, undecided = (sa.exists().where(*of_item, lot.decision == decision) for decision in ("accept", "undecided"))
    drawn = sa.exists().where(sample.recipe == recipe, sample.item_key == item.item_key)
    return sa.and_(item.lot != "", item.human_sequence == 0, sa.or_(accepted, sa.and_(undecided, ~drawn)))


def asked_about(recipe: str) -> sa.CompoundSelect[tuple[str]]:
    """Return the keys of the items that somebody is asked about: on offer, or in a lot that failed.

    Where lots hold most items back this is quick, and so is what it leaves; going through all items until 50 are found is not.
    """
    slot, item, lot = schema.slots.c, schema.items.c, tables.lots.c
    on_offer = sa.text("done_sequence = 0 AND is_listed AND priority >= 0")  # as the index over them says
    offered = sa.select(slot.item_key).where(slot.recipe == recipe, slot.role.in_(["review", "adjudication"]), on_offer)
    failed = sa.select(lot.lot).where(lot.recipe == recipe, lot.decision == "reject")
    of_lot = (item.recipe == recipe, schema.IN_LOT, item.lot.in_(failed), item.is_listed, item.human_sequence == 0)
    return sa.union(offered.correlate(None), sa.select(item.item_key).where(*of_lot).correlate(None))


def move_decided(connection: sa.Connection, recipe: str, moves: Iterable[tuple[Row, Row]]) -> None:
    """Count items (before, after) that were decided, or are not any more, in their lots."""
    steps: Counter[str] = Counter()
    for before, after in moves:
        steps[str(after["lot"])] += (after["human_sequence"] > 0) - (before["human_sequence"] > 0)
    for lot, step in sorted(steps.items()):
        if lot and step:
            _MOVE.run(connection, {"recipe": recipe, "lot": lot, "step": step})


def recount_decided(connection: sa.Connection, recipe: str) -> None:
    """Count the decided items of all lots anew."""
    item, lot = schema.items.c, tables.lots.c
    connection.execute(tables.lots.update().where(lot.recipe == recipe).values(num_decided=0))
    decided = (item.recipe == recipe, item.is_listed, item.human_sequence > 0, item.lot != "")
    rows = connection.execute(sa.select(item.lot, sa.func.count()).where(*decided).group_by(item.lot)).all()
    if rows:
        one = tables.lots.update().where(lot.recipe == recipe, lot.lot == sa.bindparam("one"))
        connection.execute(one.values(num_decided=sa.bindparam("num")), [{"one": name, "num": num} for name, num in rows])
