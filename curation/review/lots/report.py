"""Lots as the pages show them: read from the database, where `settlement` keeps them up to date.

list_lots(queue)                          [LotFigures(lot="example/routing", decision="undecided", ...)]
read_report(queue, "example/routing")     LotDetails(figures=..., num_open=47, reasons=(("unsupported", 3),), open_items=(...))
"""

import itertools
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from curation.errors import UnknownIdError
from curation.records import ReviewItem
from curation.review import schema
from curation.review.lots import tables
from curation.review.lots.inspection import GOOD, LotFigures
from curation.review.lots.plan import AcceptancePlan
from curation.review.payload import unpack_item
from curation.review.queue.review_queue import ReviewQueue

MAX_REASONS = 5
MAX_LISTED = 20
NO_REASON = "no code given"
_CODE = re.compile(r"[a-z][a-z_]{0,40}")


@dataclass(frozen=True, kw_only=True)
class LotDetails:
    """One lot with everything that its page says."""

    figures: LotFigures
    num_open: int
    """Items that need a verdict and have none."""
    open_items: tuple[ReviewItem, ...]
    """The first of them, in the order in which they are served."""
    num_decided: int
    """Items with a verdict, in the sample or not."""
    num_bad: int
    """Bad items among those; not an estimate of anything, unless all items were inspected."""
    reasons: tuple[tuple[str, int], ...]
    """Reason codes of the bad items, the most frequent first."""


def list_lots(queue: ReviewQueue) -> list[LotFigures]:
    """Return the lots of a recipe: those that failed first, then those that wait, by name. Raises DatabaseError."""
    with queue.database.read() as connection:
        rows = connection.execute(sa.select(tables.lots).where(tables.lots.c.recipe == queue.recipe)).all()
    order = {"reject": 0, "undecided": 1, "accept": 2}
    return sorted(map(_as_figures, rows), key=lambda figures: (order[figures.decision], figures.lot))


def _as_figures(row: Any) -> LotFigures:
    return LotFigures(
        lot=row.lot,
        plan=AcceptancePlan(n=row.n, c=row.c),
        quality_level=row.quality_level,
        size=row.size,
        num_inspected=row.num_inspected,
        num_bad=row.num_bad,
        decision=row.decision,
        decided_at=row.decided_at,
        decided_sequence=row.decided_sequence,
    )


def read_report(queue: ReviewQueue, lot: str) -> LotDetails:
    """Return one lot. Raises UnknownIdError if the recipe has no such lot, and DatabaseError."""
    with queue.database.snapshot() as connection:
        chosen = (tables.lots.c.recipe == queue.recipe, tables.lots.c.lot == lot)
        row = connection.execute(sa.select(tables.lots).where(*chosen)).one_or_none()
        if row is None:
            raise UnknownIdError(id=lot)
        figures = _as_figures(row)
        num_open, open_items = _open_items(connection, queue.recipe, figures)
        num_decided, num_bad = _decided(connection, queue.recipe, lot)
        reasons = _reasons(connection, queue.recipe, lot)
    return LotDetails(
        figures=figures,
        num_open=num_open,
        open_items=open_items,
        num_decided=num_decided,
        num_bad=num_bad,
        reasons=reasons,
    )


def _open_items(connection: sa.Connection, recipe: str, figures: LotFigures) -> tuple[int, tuple[ReviewItem, ...]]:
    if figures.decision == "accept":
        return 0, ()
    item, sample = schema.items.c, tables.samples.c
    together = sa.and_(sample.recipe == item.recipe, sample.item_key == item.item_key)
    joined = schema.items.join(tables.samples, together, isouter=figures.decision == "reject")
    chosen = (item.recipe == recipe, item.lot == figures.lot, schema.IN_LOT, item.is_listed, item.human_sequence == 0)
    num: int = connection.execute(sa.select(sa.func.count()).select_from(joined).where(*chosen)).scalar_one()
    order = (sample.rank.is_(None), sample.rank, item.priority.desc(), item.item_key)
    query = sa.select(item.payload).select_from(joined).where(*chosen).order_by(*order).limit(MAX_LISTED)
    return num, tuple(unpack_item(payload) for payload in connection.execute(query).scalars())


def _decided(connection: sa.Connection, recipe: str, lot: str) -> tuple[int, int]:
    item = schema.items.c
    chosen = (item.recipe == recipe, item.lot == lot, schema.IN_LOT, item.is_listed, item.human_sequence > 0)
    is_bad = sa.case((item.human_decision.in_(sorted(GOOD)), 0), else_=1)
    row = connection.execute(sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(is_bad), 0)).where(*chosen)).one()
    return int(row[0]), int(row[1])


def _reasons(connection: sa.Connection, recipe: str, lot: str) -> tuple[tuple[str, int], ...]:
    item, verdict = schema.items.c, schema.verdicts.c
    counting = sa.and_(verdict.recipe == item.recipe, verdict.sequence == item.human_sequence)
    joined = schema.items.join(schema.verdicts, counting)
    bad = (item.recipe == recipe, item.lot == lot, schema.IN_LOT, item.is_listed, item.human_decision.not_in(sorted(GOOD)))
    found = connection.execute(sa.select(verdict.reason).select_from(joined).where(*bad)).scalars()
    codes = Counter(itertools.chain.from_iterable(_codes(reason) for reason in found))
    return tuple(sorted(codes.items(), key=lambda entry: (-entry[1], entry[0]))[:MAX_REASONS])


def _codes(reason: str) -> list[str]:
    """Return the codes of `code[,code]: comment`; a text of another form counts as no code."""
    codes = reason.partition(": ")[0].split(",")
    return codes if all(map(_CODE.fullmatch, codes)) else [NO_REASON]
