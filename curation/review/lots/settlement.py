"""After a verdict: is its lot decided now, and what does the queue offer of it?

    settle_lots(connection, "sdk_assistant", keys)    in the transaction that records verdicts; ["example/routing"] if it moved

An item is offered while the priority of its slots is not negative. Samples are served in the order of their rank, which is
random, and before all else. Slots of adjudicators are left alone: a dispute is settled whatever becomes of the lot.
"""

from collections.abc import Collection, Iterator
from typing import Any

import sqlalchemy as sa

from curation.database.statement import Statement
from curation.review import schema
from curation.review.lots import tables
from curation.review.lots.inspection import GOOD, first_decision
from curation.review.lots.plan import AcceptancePlan, LotDecision

SAMPLE_PRIORITY = 1_000_000.0
"""Above every priority that another order gives; the rank is subtracted."""
_CHUNK = 500
FIND_LOT = Statement("SELECT lot FROM review_lot_samples WHERE recipe = :recipe AND item_key = :item_key")


def settle_lots(connection: sa.Connection, recipe: str, item_keys: Collection[str]) -> list[str]:
    """Work out anew the lots whose samples hold these items, after verdicts on them; return the lots whose decision moved."""
    lots = set(_find_lots(connection, recipe, sorted(set(item_keys))))
    return [lot for lot in sorted(lots) if _settle(connection, recipe, lot)]


def _find_lots(connection: sa.Connection, recipe: str, item_keys: list[str]) -> Iterator[str]:
    if len(item_keys) == 1:
        yield from FIND_LOT.run(connection, {"recipe": recipe, "item_key": item_keys[0]}).scalars()
        return
    sample = tables.samples.c
    for start in range(0, len(item_keys), _CHUNK):
        chosen = (sample.recipe == recipe, sample.item_key.in_(item_keys[start : start + _CHUNK]))
        yield from connection.execute(sa.select(sample.lot).distinct().where(*chosen)).scalars()


def _settle(connection: sa.Connection, recipe: str, lot: str) -> bool:
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
    if "reject" in (decision, row.decision):
        offer_rest(connection, recipe, lot, decision)
    offer_sample(connection, recipe, lot, decision)
    return True


def _moment(connection: sa.Connection, recipe: str, sequence: int) -> str:
    chosen = (schema.verdicts.c.recipe == recipe, schema.verdicts.c.sequence == sequence)
    return connection.execute(sa.select(schema.verdicts.c.created_at).where(*chosen)).scalar_one_or_none() or ""


# -- what is offered --------------------------------------------------------------------------------------------------


def _given_priority() -> sa.ScalarSelect[float]:
    """The priority that the order of the queue gives an item, not negative."""
    item, slot = schema.items.c, schema.slots.c
    given = sa.case((item.priority < 0, 0.0), else_=item.priority)
    return sa.select(given).where(item.recipe == slot.recipe, item.item_key == slot.item_key).scalar_subquery()


def _reviewing(recipe: str) -> tuple[sa.ColumnElement[bool], ...]:
    return schema.slots.c.recipe == recipe, schema.slots.c.role == "review"


def offer_rest(connection: sa.Connection, recipe: str, lot: str, decision: LotDecision) -> None:
    """Offer the items outside the sample of a lot if it has failed; `lot` empty: those of no lot, always."""
    item, slot = schema.items.c, schema.slots.c
    members = sa.select(item.item_key).where(item.recipe == recipe, item.lot == lot)
    drawn = sa.select(tables.samples.c.item_key).where(tables.samples.c.recipe == recipe, tables.samples.c.lot == lot)
    chosen = (*_reviewing(recipe), slot.item_key.in_(members), slot.item_key.not_in(drawn))
    if decision == "reject" or not lot:
        moved = (slot.priority < 0) | (slot.priority > SAMPLE_PRIORITY / 2)
        connection.execute(schema.slots.update().where(*chosen, moved).values(priority=_given_priority()))
    else:
        connection.execute(schema.slots.update().where(*chosen, slot.priority != -1).values(priority=-1.0))


def offer_sample(connection: sa.Connection, recipe: str, lot: str, decision: LotDecision) -> None:
    """Offer the sample of a lot unless it was accepted."""
    slot, sample = schema.slots.c, tables.samples.c
    drawn = sa.select(sample.item_key).where(sample.recipe == recipe, sample.lot == lot)
    rank = sa.select(sample.rank).where(sample.recipe == slot.recipe, sample.item_key == slot.item_key).scalar_subquery()
    priority: Any = -1.0 if decision == "accept" else SAMPLE_PRIORITY - rank
    connection.execute(schema.slots.update().where(*_reviewing(recipe), slot.item_key.in_(drawn)).values(priority=priority))
