"""What the filters of a search mean in SQL, and which of them leave so few items that these are looked at alone.

residual(connection, "sdk_assistant", parse_query("-task:routing"))      [is_listed, task NOT IN ('routing')]
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from curation.review import schema
from curation.review.search.index import ARRIVALS
from curation.review.search.query import Query

Condition = sa.ColumnElement[bool]
VOTED = ("disputed", "decided")
"""States of an item on which all reviewers have voted."""


class _Scope(NamedTuple):
    recipe: str
    is_sqlite: bool


def residual(connection: sa.Connection, recipe: str, query: Query) -> list[Condition]:
    """Return what an item has to fulfil besides its words.

    Items are looked up by number; the conditions are put so that no database thinks of another index for them.
    """
    scope = _Scope(recipe, connection.dialect.name == "sqlite")
    found: list[Condition] = [] if "withdrawn" in query.values("state") else [_IS_LISTED]
    for is_negated in (False, True):
        for field in dict.fromkeys(each.field for each in query.filters if each.is_negated == is_negated):
            values = query.values(field, is_negated=is_negated)
            condition = _CONDITIONS[field](scope, values)
            found.append(sa.not_(condition) if is_negated else condition)
    return found


_IS_LISTED: Condition = schema.items.c.is_listed.is_not(sa.false())


def _column(name: str) -> Callable[[_Scope, Sequence[str]], Condition]:
    return lambda _, values: sa.func.coalesce(schema.items.c[name], "").in_(values)


def _state(scope: _Scope, values: Sequence[str]) -> Condition:
    states = [value for value in values if value != "withdrawn"]
    listed = sa.and_(_column("state")(scope, states), _IS_LISTED)
    return sa.or_(listed, sa.not_(_IS_LISTED)) if "withdrawn" in values else listed


def _decision(scope: _Scope, values: Sequence[str]) -> Condition:
    return _column("human_decision")(scope, ["" if value == "none" else value for value in values])


def _said_by(scope: _Scope, values: Sequence[str]) -> Condition:
    return _has_verdict(scope, schema.verdicts.c.reviewer.in_(values))


def _said_why(scope: _Scope, values: Sequence[str]) -> Condition:
    """Reasons are found once all reviewers have voted: before that, they would tell the others what one of them thinks."""
    said = _has_verdict(scope, _reason(scope.is_sqlite, values))
    return sa.and_(_column("state")(scope, VOTED), said)


def _has_verdict(scope: _Scope, condition: Condition) -> Condition:
    table = schema.verdicts.c
    query = sa.select(sa.literal(1)).where(table.recipe == scope.recipe, table.item_key == schema.items.c.item_key, condition)
    return query.correlate(schema.items).exists()


def _reason(is_sqlite: bool, codes: Sequence[str]) -> Condition:
    """A reason is `code[,code]`, or that and `: comment`; any of its codes may be asked for."""
    find = sa.func.instr if is_sqlite else sa.func.strpos
    whole = schema.verdicts.c.reason + ": "
    head = "," + sa.func.substr(whole, 1, find(whole, ": ") - 1) + ","
    return sa.or_(*(find(head, f",{code},") > 0 for code in codes))


def _before(scope: _Scope, values: Sequence[str]) -> Condition:
    return schema.items.c.opened_at < min(values)


def _after(scope: _Scope, values: Sequence[str]) -> Condition:
    return schema.items.c.opened_at >= max(values)


_CONDITIONS: dict[str, Callable[[_Scope, Sequence[str]], Condition]] = {
    "kind": _column("kind"),
    "task": _column("task"),
    "lot": _column("lot"),
    "state": _state,
    "decision": _decision,
    "reviewer": _said_by,
    "reason": _said_why,
    "before": _before,
    "after": _after,
}
"""Field -> its condition. `before` and `after` speak of the day (UTC) on which an item came into the queue."""


def arrival_range(connection: sa.Connection, recipe: str, query: Query) -> tuple[int, int]:
    """Return the arrivals between which (neither included) the items of the days asked for lie."""
    low, high = -1, ARRIVALS
    if query.values("after"):
        low = max(low, first_since(connection, recipe, max(query.values("after"))) - 1)
    if query.values("before"):
        high = min(high, first_since(connection, recipe, min(query.values("before"))))
    return low, high


def first_since(connection: sa.Connection, recipe: str, day: str) -> int:
    """Return the arrival of the first item that came on this day or later, by bisection: later items came later."""
    table = schema.items.c
    last = connection.execute(sa.select(sa.func.max(table.arrival)).where(table.recipe == recipe)).scalar() or 0
    query = sa.select(table.arrival, table.opened_at).where(table.recipe == recipe, table.arrival >= sa.bindparam("middle"))
    query = query.order_by(table.arrival).limit(1)
    low, high = 0, last + 1
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(query, {"middle": middle}).one()
        if row.opened_at < day:
            low = row.arrival + 1
        else:
            high = middle
    return low


def few_arrivals(connection: sa.Connection, recipe: str, query: Query, *, is_slow: bool, most: int) -> list[int] | None:
    """Return the arrivals of the items that a filter leaves, if it leaves `most` at most; None if no filter does.

    `is_slow`: no index gives the items in a certain state in the order that is wanted.
    """
    if query.values("reviewer"):
        found = _arrivals_said(connection, recipe, schema.verdicts.c.reviewer.in_(query.values("reviewer")), most)
        if found is not None:
            return found
    if is_slow and query.values("lot"):
        found = _arrivals_in_lots(connection, recipe, query.values("lot"), most)
        if found is not None:
            return found
    return _arrivals_in_state(connection, recipe, query, most) if is_slow else None


def _arrivals_said(connection: sa.Connection, recipe: str, condition: Condition, most: int) -> list[int] | None:
    table, item = schema.verdicts.c, schema.items.c
    keys = list(
        connection.execute(sa.select(table.item_key).where(table.recipe == recipe, condition).limit(most + 1)).scalars()
    )
    if len(keys) > most:
        return None
    found: list[int] = []
    ordered = sorted(set(keys))
    for start in range(0, len(ordered), 500):
        chosen = (item.recipe == recipe, item.item_key.in_(ordered[start : start + 500]))
        found += connection.execute(sa.select(item.arrival).where(*chosen)).scalars()
    return found


def _arrivals_in_lots(connection: sa.Connection, recipe: str, lots: Sequence[str], most: int) -> list[int] | None:
    item = schema.items.c
    found: list[int] = []
    for lot in lots:
        numbers = sa.select(item.arrival).where(item.recipe == recipe, schema.IN_LOT, item.lot == lot)
        found += connection.execute(numbers.limit(most + 1 - len(found))).scalars()
        if len(found) > most:
            return None
    return found


def _arrivals_in_state(connection: sa.Connection, recipe: str, query: Query, most: int) -> list[int] | None:
    states = query.values("state")
    decisions = ["" if value == "none" else value for value in query.values("decision")]
    if "withdrawn" in states or not (states or decisions):
        return None
    count, item = schema.counts.c, schema.items.c
    chosen = [count.recipe == recipe]
    chosen += [count.state.in_(states)] if states else []
    chosen += [count.human_decision.in_(decisions)] if decisions else []
    if int(connection.execute(sa.select(sa.func.sum(count.num)).where(*chosen)).scalar() or 0) > most:
        return None
    narrow = item.human_decision.in_(decisions) if decisions else item.state.in_(states)
    within = (item.recipe == recipe, item.is_listed == sa.true(), narrow)
    numbers = sa.select(item.arrival).where(*within).limit(most + 1)
    found = list(connection.execute(numbers).scalars())
    return found if len(found) <= most else None
