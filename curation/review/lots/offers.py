"""What the queue offers of its lots: samples first, everything of a lot that failed, nothing of one that was accepted.

    queue.sync_items(items, config)
    store_lots(queue, items, config, required)        Lots((LotReport(lot="example/routing", decision="undecided", ...),))

From then on `settlement` keeps the lots up to date with every verdict.
"""

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from curation.records import ReviewItem
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.lots import tables
from curation.review.lots.held import recount_decided
from curation.review.lots.inspection import LotReport, Lots, inspect_rows
from curation.review.lots.settlement import hold_back, offer_items, offer_sample, settle_lot
from curation.review.queue.review_queue import ReviewQueue
from curation.review.queue.statements import lock_queue

PART = 2_000


def store_lots(queue: ReviewQueue, items: Iterable[ReviewItem], config: ReviewConfig, required: Collection[str] = ()) -> Lots:
    """Form the lots of the listed items anew, and offer what they need. `required`: see `build_items`. Raises DatabaseError.

    Items are marked in parts, each in its own transaction, so that nobody waits long. Whoever votes meanwhile settles the lot
    as always, since plans and samples are written first; a part goes by what the lot's decision is then.
    """
    lots = inspect_rows(list(items), queue.current_verdicts(config.accept), config, required)
    had_lots = queue.database.write(lambda connection: _put(connection, queue.recipe, lots.reports))
    if lots.reports or had_lots:
        lot_of = {key: report.figures.lot for report in lots.reports for key in report.items}
        with queue.database.read() as connection:
            item = schema.items.c
            known = connection.execute(sa.select(item.item_key, item.lot).where(item.recipe == queue.recipe)).all()
        for start in range(0, len(known), PART):
            part = {row.item_key: row.lot for row in known[start : start + PART]}
            queue.database.write(functools.partial(_offer_part, recipe=queue.recipe, part=part, lot_of=lot_of))
        queue.database.write(lambda connection: recount_decided(connection, queue.recipe))
    return lots


def _put(connection: sa.Connection, recipe: str, reports: Sequence[LotReport]) -> bool:
    """Write plans and samples, and settle every lot by the verdicts of this moment. Tells whether there were lots before."""
    lock_queue(connection, recipe)
    had_lots = connection.execute(sa.select(tables.lots.c.lot).where(tables.lots.c.recipe == recipe).limit(1)).first()
    for table in (tables.samples, tables.lots):
        connection.execute(table.delete().where(table.c.recipe == recipe))
    if reports:
        connection.execute(tables.lots.insert(), [_as_row(recipe, report) for report in reports])
        drawn = [
            {"recipe": recipe, "item_key": key, "lot": report.figures.lot, "rank": rank}
            for report in reports
            for rank, key in enumerate(report.sample)
        ]
        connection.execute(tables.samples.insert(), drawn)
    for report in reports:
        settle_lot(connection, recipe, report.figures.lot)
        offer_sample(connection, recipe, report.figures.lot)
    return had_lots is not None


def _as_row(recipe: str, report: LotReport) -> dict[str, Any]:
    figures = report.figures
    return {
        "recipe": recipe,
        "lot": figures.lot,
        "n": figures.plan.n,
        "c": figures.plan.c,
        "quality_level": figures.quality_level,
        "size": figures.size,
        "num_inspected": figures.num_inspected,
        "num_bad": figures.num_bad,
        "decision": figures.decision,
        "decided_at": figures.decided_at,
        "decided_sequence": figures.decided_sequence,
        "offered_to": "",
        "num_decided": len(report.items) - len(report.open_items),
    }


def _offer_part(connection: sa.Connection, recipe: str, part: Mapping[str, str], lot_of: Mapping[str, str]) -> None:
    """Write into some items (key -> lot as stored) which lot they belong to now, and offer or hold back those of no sample."""
    moved = [{"one": key, "new": lot_of.get(key, "")} for key, lot in part.items() if lot != lot_of.get(key, "")]
    if moved:
        one = (schema.items.c.recipe == recipe, schema.items.c.item_key == sa.bindparam("one"))
        connection.execute(schema.items.update().where(*one).values(lot=sa.bindparam("new")), moved)
    sample, lot = tables.samples.c, tables.lots.c
    drawn = set(
        connection.execute(sa.select(sample.item_key).where(sample.recipe == recipe, sample.item_key.in_(part))).scalars()
    )
    failed = set(connection.execute(sa.select(lot.lot).where(lot.recipe == recipe, lot.decision == "reject")).scalars())
    rest = [key for key in part if key not in drawn]
    hold_back(connection, recipe, [key for key in rest if lot_of.get(key) and lot_of[key] not in failed])
    offer_items(connection, recipe, [key for key in rest if not lot_of.get(key) or lot_of[key] in failed])
