"""What the queue offers of its lots: samples first, everything of a lot that failed, nothing of one that was accepted.

    queue.sync_items(items, config)
    store_lots(queue, items, config, required)        Lots((LotReport(lot="example/routing", decision="undecided", ...),))

From then on `settlement` keeps the lots up to date with every verdict.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from curation.records import ReviewItem, Verdict
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.lots import tables
from curation.review.lots.inspection import LotFigures, LotReport, Lots, inspect_rows
from curation.review.lots.settlement import offer_rest, offer_sample
from curation.review.queue.chain import as_verdict
from curation.review.queue.resolution import counting_verdicts
from curation.review.queue.review_queue import ReviewQueue


def store_lots(queue: ReviewQueue, items: Iterable[ReviewItem], config: ReviewConfig, required: Collection[str] = ()) -> Lots:
    """Form the lots of the listed items anew, and offer what they need. `required`: see `build_items`. Raises DatabaseError.

    The verdicts are read in the transaction that writes the lots, so none is missed.
    """
    listed = list(items)

    def work(connection: sa.Connection) -> Lots:
        lots = inspect_rows(listed, _verdicts(connection, queue.recipe, config), config, required)
        _store(connection, queue.recipe, lots.reports)
        return lots

    return queue.database.write(work)


def _verdicts(connection: sa.Connection, recipe: str, config: ReviewConfig) -> dict[str, Verdict]:
    connection.execute(sa.select(schema.queues.c.head).where(schema.queues.c.recipe == recipe).with_for_update())
    query = sa.select(schema.verdicts).where(schema.verdicts.c.recipe == recipe).order_by(schema.verdicts.c.sequence)
    return counting_verdicts(map(as_verdict, connection.execute(query).mappings()), config.accept, config.overlap)


def _store(connection: sa.Connection, recipe: str, reports: Sequence[LotReport]) -> None:
    had_lots = connection.execute(sa.select(tables.lots.c.lot).where(tables.lots.c.recipe == recipe).limit(1)).first()
    if not reports and not had_lots:
        return
    for table in (tables.samples, tables.lots):
        connection.execute(table.delete().where(table.c.recipe == recipe))
    _mark_items(connection, recipe, {key: report.figures.lot for report in reports for key in report.items})
    offer_rest(connection, recipe, "", "accept")
    if reports:
        connection.execute(tables.lots.insert(), [_as_row(recipe, report.figures) for report in reports])
        drawn = [
            {"recipe": recipe, "item_key": key, "lot": report.figures.lot, "rank": rank}
            for report in reports
            for rank, key in enumerate(report.sample)
        ]
        connection.execute(tables.samples.insert(), drawn)
    for report in reports:
        offer_rest(connection, recipe, report.figures.lot, report.figures.decision)
        offer_sample(connection, recipe, report.figures.lot, report.figures.decision)


def _as_row(recipe: str, figures: LotFigures) -> dict[str, Any]:
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
    }


def _mark_items(connection: sa.Connection, recipe: str, lot_of: Mapping[str, str]) -> None:
    """Write into each item which lot it belongs to, where that has changed."""
    item = schema.items.c
    known = connection.execute(sa.select(item.item_key, item.lot).where(item.recipe == recipe))
    moved = [
        {"one": row.item_key, "new": lot_of.get(row.item_key, "")} for row in known if row.lot != lot_of.get(row.item_key, "")
    ]
    if moved:
        update = schema.items.update().where(item.recipe == recipe, item.item_key == sa.bindparam("one"))
        connection.execute(update.values(lot=sa.bindparam("new")), moved)
