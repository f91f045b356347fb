"""After a verdict: is its lot decided now, and what does the queue offer of it?

    settle_lots(connection, "sdk_assistant", keys)    in the transaction that records verdicts; ["example/routing"] if it moved

An item is offered while the priority of its slots is not negative. Samples are served in the order of their rank, which is
random, and before all else. Slots of adjudicators go with the others: a dispute in a lot that was accepted, or outside the
sample of one that waits, is closed, and nobody is asked to settle it; whoever opens the item still can.
"""

import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from curation.database.statement import Statement
from curation.review import schema
from curation.review.lots import tables
from curation.review.lots.inspection import GOOD, first_decision
from curation.review.lots.plan import AcceptancePlan

SAMPLE_PRIORITY = 1_000_000.0
"""Above every priority that another order gives; the rank is subtracted."""
HELD_BACK = -1.0
AT_ONCE = 1_000
"""Items of a lot that are offered at once when its sample fails."""
A_VERDICT = 20
"""Items more that each verdict on the lot offers then."""
_CHUNK = 500
Items = Sequence[str] | sa.Select[tuple[str]]
FIND_LOT = Statement("SELECT lot FROM review_lot_samples WHERE recipe = :recipe AND item_key = :item_key")
FIND_FAILED = Statement(
    "SELECT l.lot FROM review_items i JOIN review_lots l ON l.recipe = i.recipe AND l.lot = i.lot"
    " WHERE i.recipe = :recipe AND i.item_key = :item_key AND l.decision = 'reject' AND l.size > :at_once"
)


def settle_lots(connection: sa.Connection, recipe: str, item_keys: Collection[str]) -> list[str]:
    """Work out anew the lots whose samples hold these items, after verdicts on them; return the lots whose decision moved."""
    lots = set(_find_lots(connection, recipe, sorted(set(item_keys))))
    one = {"recipe": recipe, "at_once": AT_ONCE}
    failed = Counter(lot for key in item_keys for lot in FIND_FAILED.run(connection, one | {"item_key": key}).scalars())
    for lot, num in sorted(failed.items()):
        offer_more(connection, recipe, lot, num * A_VERDICT)
    return [lot for lot in sorted(lots) if settle_lot(connection, recipe, lot)]


def _find_lots(connection: sa.Connection, recipe: str, item_keys: list[str]) -> Iterator[str]:
    if len(item_keys) == 1:
        yield from FIND_LOT.run(connection, {"recipe": recipe, "item_key": item_keys[0]}).scalars()
        return
    sample = tables.samples.c
    for start in range(0, len(item_keys), _CHUNK):
        chosen = (sample.recipe == recipe, sample.item_key.in_(item_keys[start : start + _CHUNK]))
        yield from connection.execute(sa.select(sample.lot).distinct().where(*chosen)).scalars()


def settle_lot(connection: sa.Connection, recipe: str, lot: str) -> bool:
    """Work out a lot by the verdicts on its sample, and offer what it needs if its decision has moved; tell whether it has."""
    table, sample, item = tables.lots.c, tables.samples.c, schema.items.c
    one = (table.recipe == recipe, table.lot == lot)
    row = connection.execute(sa.select(tables.lots).where(*one)).one()
    joined = tables.samples.join(schema.items, sa.and_(item.recipe == sample.recipe, item.item_key == sample.item_key))
    query = sa.select(item.human_sequence, item.human_decision).select_from(joined)
    said = connection.execute(query.where(sample.recipe == recipe, sample.lot == lot, item.human_sequence > 0)).all()
    outcome = [(verdict.human_sequence, verdict.human_decision not in GOOD) for verdict in said]
    decision, sequence = first_decision(AcceptancePlan(n=row.n, c=row.c), row.size, outcome)
    values: dict[str, Any] = {
        "num_inspected": len(outcome),
        "num_bad": sum(is_bad for _, is_bad in outcome),
        "decision": decision,
    }
    if sequence != row.decided_sequence:
        values |= {"decided_sequence": sequence, "decided_at": _moment(connection, recipe, sequence)}
    connection.execute(tables.lots.update().where(*one).values(**values))
    if decision == row.decision:
        return False
    if decision == "reject":
        offer_more(connection, recipe, lot, AT_ONCE)
    elif row.decision == "reject":
        _take_back(connection, recipe, lot)
    offer_sample(connection, recipe, lot)
    return True


def _moment(connection: sa.Connection, recipe: str, sequence: int) -> str:
    chosen = (schema.verdicts.c.recipe == recipe, schema.verdicts.c.sequence == sequence)
    return connection.execute(sa.select(schema.verdicts.c.created_at).where(*chosen)).scalar_one_or_none() or ""


def announce_lot(connection: sa.Connection, recipe: str, lot: str) -> None:
    """Write the webhooks that wait for the decision about a lot, in the transaction that makes it."""
    from curation.review.exchange.webhooks import announce  # webhooks read the queue, and the queue settles lots

    one = (tables.lots.c.recipe == recipe, tables.lots.c.lot == lot)
    row = connection.execute(sa.select(tables.lots).where(*one)).mappings().one()
    if row["decision"] == "undecided":
        return
    data = {name: row[name] for name in ("lot", "decision", "n", "c", "size", "num_inspected", "num_bad", "decided_sequence")}
    subject = f"{lot}/{row['decision']}/{row['decided_sequence']}"
    announce(connection, recipe, "lot.decided", subject, data, now=time.time())


# -- what is offered --------------------------------------------------------------------------------------------------


def _given_priority() -> sa.ScalarSelect[float]:
    """The priority that the order of the queue gives an item, not negative."""
    item, slot = schema.items.c, schema.slots.c
    given = sa.case((item.priority < 0, 0.0), else_=item.priority)
    return sa.select(given).where(item.recipe == slot.recipe, item.item_key == slot.item_key).scalar_subquery()


def offer_more(connection: sa.Connection, recipe: str, lot: str, num: int) -> None:
    """Offer the next items of a failed lot; a large one is offered bit by bit, so that no verdict waits for a million items."""
    item, table, sample = schema.items.c, tables.lots.c, tables.samples.c
    one = (table.recipe == recipe, table.lot == lot)
    offered_to = connection.execute(sa.select(table.offered_to).where(*one)).scalar_one()
    chosen = (item.recipe == recipe, item.lot == lot, schema.IN_LOT, item.item_key > offered_to)
    query = sa.select(item.item_key).where(*chosen).order_by(item.item_key).limit(num)
    keys = list(connection.execute(query).scalars())
    if keys:
        drawn = set(connection.execute(sa.select(sample.item_key).where(sample.recipe == recipe, sample.lot == lot)).scalars())
        offer_items(connection, recipe, [key for key in keys if key not in drawn])
        connection.execute(tables.lots.update().where(*one).values(offered_to=keys[-1]))


def _take_back(connection: sa.Connection, recipe: str, lot: str) -> None:
    """Hold back the first items of a lot that has not failed after all; more of them are served until the next sync."""
    item, table, sample = schema.items.c, tables.lots.c, tables.samples.c
    drawn = sa.select(sample.item_key).where(sample.recipe == recipe, sample.lot == lot)
    chosen = (item.recipe == recipe, item.lot == lot, schema.IN_LOT, item.item_key.not_in(drawn))
    query = sa.select(item.item_key).where(*chosen).order_by(item.item_key).limit(AT_ONCE)
    hold_back(connection, recipe, list(connection.execute(query).scalars()))
    connection.execute(tables.lots.update().where(table.recipe == recipe, table.lot == lot).values(offered_to=""))


def offer_items(connection: sa.Connection, recipe: str, item_keys: Items) -> None:
    """Offer items of no sample, in the order that the queue gives them."""
    slot = schema.slots.c
    moved = (slot.priority < 0) | (slot.priority > SAMPLE_PRIORITY / 2)
    chosen = (slot.recipe == recipe, slot.item_key.in_(item_keys), moved)
    connection.execute(schema.slots.update().where(*chosen).values(priority=_given_priority()))


def hold_back(connection: sa.Connection, recipe: str, item_keys: Items) -> None:
    """Offer these items to nobody."""
    slot = schema.slots.c
    chosen = (slot.recipe == recipe, slot.item_key.in_(item_keys), slot.priority != HELD_BACK)
    connection.execute(schema.slots.update().where(*chosen).values(priority=HELD_BACK))


def offer_sample(connection: sa.Connection, recipe: str, lot: str) -> None:
    """Offer the sample of a lot by rank, unless the lot was accepted."""
    slot, sample = schema.slots.c, tables.samples.c
    decision = connection.execute(
        sa.select(tables.lots.c.decision).where(tables.lots.c.recipe == recipe, tables.lots.c.lot == lot)
    )
    drawn = sa.select(sample.item_key).where(sample.recipe == recipe, sample.lot == lot)
    if decision.scalar_one() == "accept":
        hold_back(connection, recipe, drawn)
        return
    rank = sa.select(sample.rank).where(sample.recipe == slot.recipe, sample.item_key == slot.item_key).scalar_subquery()
    chosen = (slot.recipe == recipe, slot.item_key.in_(drawn))
    connection.execute(schema.slots.update().where(*chosen).values(priority=SAMPLE_PRIORITY - rank))
