"""Items with everything that was said about them, page by page in key order: a million take no more memory than one page.

for reviewed in iter_reviewed(database, "sdk_assistant"):
reviewed.item.answer, reviewed.state, [verdict.decision for verdict in reviewed.verdicts]
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from curation.database import Database
from curation.records import ReviewItem, Verdict
from curation.review import schema
from curation.review.items import GOLD_PREFIX
from curation.review.payload import unpack_item
from curation.review.queue.chain import as_verdict
from curation.review.queue.resolution import standing

PAGE = 500
PAGE_CHARS = 16_000_000
"""Pages get shorter where items are large, so that a page stays about this small."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reviewed:
    """An item, where it stands, and its verdicts."""

    payload: str
    """The item as it is stored (see `payload.py`); `item` reads it, so take that once."""
    state: str
    """open, partial, disputed or decided."""
    is_listed: bool
    """False once the text is no longer part of the data."""
    opened_at: str
    lot: str
    priority: float
    human_sequence: int
    """Sequence of the verdict of people that counts; 0 if there is none."""
    verdicts: tuple[Verdict, ...]
    """Every verdict, oldest first: automatic ones, undone and changed ones too."""

    @property
    def item(self) -> ReviewItem:
        """The item itself."""
        return unpack_item(self.payload)

    @property
    def verdict(self) -> Verdict | None:
        """The verdict of people that counts."""
        return next((verdict for verdict in self.verdicts if verdict.sequence == self.human_sequence), None)

    @property
    def votes(self) -> list[Verdict]:
        """What people said that was neither changed nor undone, oldest first."""
        return standing(self.verdicts)


def iter_reviewed(
    database: Database, recipe: str, *, listed_only: bool = True, state: str = "", after: str = "", consistent: bool = False
) -> Iterator[Reviewed]:
    """Yield the items of a queue in key order, without those that only test reviewers (`items.is_gold`).

    Args:
        database: the review database.
        recipe: name of the queue.
        listed_only: leave out items that were withdrawn.
        state: only items in this state; empty: any.
        after: begin behind this key.
        consistent: read everything as it stood at the first row. The transaction stays open until the last one is taken.

    Raises:
        DatabaseError: if the database cannot be used.
    """
    item = schema.items.c
    chosen = [item.recipe == recipe, ~item.record_key.startswith(GOLD_PREFIX, autoescape=True)]
    chosen += [*([item.is_listed] if listed_only else []), *([item.state == state] if state else [])]
    with contextlib.ExitStack() as stack:
        held = stack.enter_context(database.snapshot()) if consistent else None
        size = PAGE // 20
        while True:
            query = sa.select(schema.items).where(*chosen, item.item_key > after).order_by(item.item_key).limit(size)
            if held is not None:
                rows = held.execute(query).mappings().all()
                page = _with_verdicts(held, recipe, rows)
            else:
                with database.read() as connection:
                    rows = connection.execute(query).mappings().all()
                    page = _with_verdicts(connection, recipe, rows)
            yield from page
            if len(page) < size:
                return
            after = rows[-1]["item_key"]
            mean = sum(len(row["payload"]) for row in rows) // len(rows) + 1
            size = max(1, min(PAGE, PAGE_CHARS // mean))


def _with_verdicts(connection: sa.Connection, recipe: str, rows: Sequence[Any]) -> list[Reviewed]:
    if not rows:
        return []
    table = schema.verdicts.c
    between = (table.item_key >= rows[0]["item_key"], table.item_key <= rows[-1]["item_key"])
    found = sa.select(schema.verdicts).where(table.recipe == recipe, *between).order_by(table.sequence)
    said: dict[str, list[Verdict]] = {}
    for row in connection.execute(found).mappings():
        said.setdefault(row["item_key"], []).append(as_verdict(row))
    return [_as_reviewed(row, said.get(row["item_key"], [])) for row in rows]


def _as_reviewed(row: Any, verdicts: list[Verdict]) -> Reviewed:
    return Reviewed(
        payload=row["payload"],
        state=row["state"],
        is_listed=bool(row["is_listed"]),
        opened_at=row["opened_at"],
        lot=row["lot"],
        priority=row["priority"],
        human_sequence=row["human_sequence"],
        verdicts=tuple(verdicts),
    )
