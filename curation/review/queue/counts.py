"""How far a queue is, kept beside the items so that a page need not count a million rows.

read_counts(connection, "sdk_assistant", "human")     Counts(num_items=500, num_open=88, ...)
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from curation.review import schema
from curation.review.config import Accept
from curation.review.lots.held import read_held
from curation.review.queue.statements import ADD_COUNT, COUNTS

_GROUP = ("recipe", "kind", "state", "human_decision", "automatic_decision")


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How far a queue is."""

    num_items: int = 0
    num_open: int = 0
    """Items that people are asked about and that have no verdict that counts; disputed ones are among them."""
    num_held: int = 0
    """Items without such a verdict that a lot holds back: nobody is asked about them."""
    num_disputed: int = 0
    """Items that wait for an adjudicator."""
    num_human: int = 0
    """Items whose counting verdict people gave."""
    num_automatic: int = 0
    decisions: dict[str, int] = field(default_factory=dict)
    """Decision -> items, sorted by name."""

    @property
    def num_decided(self) -> int:
        """Items with a verdict that counts."""
        return self.num_items - self.num_open - self.num_held


def move_counts(connection: sa.Connection, moves: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> None:
    """Move listed items (before, after) from the groups that they were in to those that they are in now."""
    steps: dict[tuple[Any, ...], int] = {}
    for before, after in moves:
        for row, step in ((before, -1), (after, 1)):
            group = tuple(row[name] for name in _GROUP)
            steps[group] = steps.get(group, 0) + step
    rows = [dict(zip(_GROUP, group, strict=True)) | {"step": step} for group, step in sorted(steps.items()) if step]
    if rows:
        ADD_COUNT.run(connection, rows)


def add_counts(connection: sa.Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Count items (rows of `review_items`) that were not listed before and are now."""
    num = Counter(tuple(row[name] for name in _GROUP) for row in rows)
    steps = [dict(zip(_GROUP, group, strict=True)) | {"step": step} for group, step in sorted(num.items())]
    if steps:
        ADD_COUNT.run(connection, steps)


def recount(connection: sa.Connection, recipe: str) -> None:
    """Count the listed items of a recipe anew."""
    connection.execute(schema.counts.delete().where(schema.counts.c.recipe == recipe))
    groups = [schema.items.c[name] for name in _GROUP]
    query = sa.select(*groups, sa.func.count()).where(schema.items.c.recipe == recipe, schema.items.c.is_listed)
    connection.execute(schema.counts.insert().from_select([*_GROUP, "num"], query.group_by(*groups)))


def read_counts(connection: sa.Connection, recipe: str, accept: Accept, *, kind: str | None = None) -> Counts:
    """Return how many listed items there are, and how they were decided."""
    rows = [row for row in COUNTS.run(connection, {"recipe": recipe}) if kind is None or row.kind == kind]
    decisions: dict[str, int] = {}
    human = automatic = 0
    for row in rows:
        decision = row.human_decision
        human += row.num if decision else 0
        if not decision and accept == "automatic" and row.state == "open":
            decision = row.automatic_decision
            automatic += row.num if decision else 0
        if decision and row.num:
            decisions[decision] = decisions.get(decision, 0) + row.num
    num_items = sum(row.num for row in rows)
    held = [found for name, found in read_held(connection, recipe).items() if kind in (None, name)]
    num_held = sum(found.num for found in held)
    return Counts(
        num_items=num_items,
        num_open=num_items - human - automatic - num_held,
        num_held=num_held,
        num_disputed=sum(row.num for row in rows if row.state == "disputed") - sum(found.num_disputed for found in held),
        num_human=human,
        num_automatic=automatic,
        decisions=dict(sorted(decisions.items())),
    )
