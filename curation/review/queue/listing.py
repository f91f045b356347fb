"""The items of a list, read from the index over kind and state: the few open ones of a million are found without the others.

select_arrivals("sdk_assistant", "open", "human", offset=50, limit=50)      the numbers of the second page, in order
"""

from collections.abc import Iterator, Mapping
from typing import Literal

import sqlalchemy as sa

from curation.review import schema
from curation.review.config import Accept
from curation.review.queue.resolution import State
from curation.review.queue.vote import KINDS

Status = Literal["open", "disputed", "held", "decided", "all"]

_STATES: Mapping[Status, tuple[State, ...]] = {
    "open": ("open", "partial", "disputed"),
    "disputed": ("disputed",),
    "decided": ("decided",),
    "all": ("open", "partial", "disputed", "decided"),
}


def select_arrivals(
    recipe: str, status: Status, accept: Accept, *, kind: str | None, offset: int, limit: int
) -> sa.Select[tuple[int]]:
    """Return the query for the arrivals of a page of listed items, in order. What lots hold back is not told apart."""
    streams = [
        sa.select(schema.items.c.arrival).where(*within).order_by(schema.items.c.arrival).limit(offset + limit).subquery()
        for within in _streams(recipe, status, accept, kind)
    ]
    merged = sa.union_all(*(sa.select(stream.c.arrival) for stream in streams)).subquery()
    return sa.select(merged.c.arrival).order_by(merged.c.arrival).offset(offset).limit(limit)


def _streams(recipe: str, status: Status, accept: Accept, kind: str | None) -> Iterator[list[sa.ColumnElement[bool]]]:
    """Yield the conditions under which the index gives items in order: one kind, one state."""
    item = schema.items.c
    for each in [kind] if kind else KINDS:
        for state in _states(status, accept):
            within = [item.recipe == recipe, item.is_listed == sa.true(), item.kind == each, item.state == state]
            if accept == "automatic" and state == "open" and status != "all":  # an automatic verdict counts where nobody voted
                within.append(item.automatic_sequence > 0 if status == "decided" else item.automatic_sequence == 0)
            yield within


def _states(status: Status, accept: Accept) -> tuple[State, ...]:
    return (*_STATES[status], "open") if status == "decided" and accept == "automatic" else _STATES[status]
