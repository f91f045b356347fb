"""How far a queue is, kept beside the items so that a page need not count a million rows.

read_counts(connection, "sdk_assistant", "human")     Counts(num_items=500, num_open=88, ...)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from curation.review import schema
from curation.review.config import Accept
from curation.review.queue.statements import ADD_COUNT, COUNTS

_CHUNK = 500
_GROUP = ("recipe", "kind", "state", "human_decision", "automatic_decision")


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How far a queue is."""

    num_items: int = 0
    num_open: int = 0
    """Items without a verdict that counts; disputed ones are among them."""
    num_disputed: int = 0
    num_human: int = 0
    """Items whose counting verdict people gave."""
    num_automatic: int = 0
    decisions: dict[str, int] = field(default_factory=dict)
    """Decision -> items, sorted by name."""

    @property
    def num_decided(self) -> int:
        """Items with a verdict that counts."""
        return self.num_items - self.num_open


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


def add_counts(connection: sa.Connection, recipe: str, item_keys: Sequence[str]) -> None:
    """Count items that were not listed before and are now."""
    table = schema.items.c
    num: dict[tuple[Any, ...], int] = {}
    for start in range(0, len(item_keys), _CHUNK):
        chosen = (table.recipe == recipe, table.is_listed, table.item_key.in_(item_keys[start : start + _CHUNK]))
        for row in connection.execute(sa.select(*(table[name] for name in _GROUP)).where(*chosen)):
            num[tuple(row)] = num.get(tuple(row), 0) + 1
    rows = [dict(zip(_GROUP, group, strict=True)) | {"step": step} for group, step in sorted(num.items())]
    if rows:
        ADD_COUNT.run(connection, rows)


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
    return Counts(
        num_items=num_items,
        num_open=num_items - human - automatic,
        num_disputed=sum(row.num for row in rows if row.state == "disputed"),
        num_human=human,
        num_automatic=automatic,
        decisions=dict(sorted(decisions.items())),
    )
