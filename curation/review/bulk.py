"""One decision about many items: previewed, frozen, recorded in parts, and taken back as a whole.

    bulk = Bulk(queue)
    preview = bulk.preview(keys, Plan(person="Ada", decision="reject", reason="format", query="date state:open"))
    bulk.run(preview.id, preview.token, "Ada")      # Action(num_items=812, num_done=810, left_out={"changed": 2}, ...)
    bulk.undo(preview.id, "Ada")

The preview freezes the list of items; its token is the hash of that list, so what is confirmed is what was seen. Each part
of `PART` items is recorded in one transaction together with what became of each item: after a crash, the same call goes
on where it stopped, and a second press changes nothing. A vote in bulk takes one slot of an item like any other vote.
"""

import datetime
import functools
import json
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from curation.errors import ItemWithdrawnError, LeaseLostError, UnknownIdError, VerdictConflictError
from curation.ids import content_hash, hash_text
from curation.records import Decision
from curation.review import schema
from curation.review.errors import BulkRefusedError
from curation.review.queue import ReviewQueue
from curation.review.queue.append import append_votes, select_rows
from curation.review.queue.slots import database_now, is_live
from curation.review.queue.statements import lock_queue
from curation.review.queue.vote import ANSWER_DECISIONS, PAIR_DECISIONS, Vote, VoteDetails

PART = 500
MAX_ITEMS = 10_000
SAMPLE = 10
DECISIONS: tuple[Decision, ...] = ("approve", "reject", "prefer_a", "prefer_b", "tie", "both_bad")
_TRIES = 3

WHY_LEFT_OUT = {
    "decided": "decided already, or as many people have voted as the recipe asks for",
    "yours": "you have voted on it already",
    "leased": "somebody has it open at this moment",
    "kind": "this decision does not fit its kind",
    "withdrawn": "no longer part of the data",
    "changed": "somebody decided or opened it after the preview",
}
"""Why an item is left out -> how the page says it."""

bulk = sa.Table(
    "review_bulk",
    schema.METADATA,
    sa.Column("recipe", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("person", "previewed_at", "query", "decision", "reason", "token")),
    sa.Column("num_items", sa.Integer),
    *(sa.Column(name, sa.Text) for name in ("left_out", "started_at", "done_at")),
    sa.Column("first_sequence", sa.Integer),
    sa.Column("last_sequence", sa.Integer),
    *(sa.Column(name, sa.Text) for name in ("undo_started_at", "undone_at", "undone_by")),
)
bulk_items = sa.Table(
    "review_bulk_items",
    schema.METADATA,
    *(sa.Column(name, sa.Text, primary_key=True) for name in ("recipe", "bulk_id", "item_key")),
    sa.Column("sequence", sa.Integer),
    sa.Column("undo_sequence", sa.Integer),
)
"""`sequence`: NULL until the item's turn came, 0 if it was left out, else the number of its verdict."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Who wants what decided, and how the items were found."""

    person: str
    decision: Decision
    reason: str = ""
    query: str = ""
    """Empty if the items were ticked one by one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """A bulk action, from its preview to its undo."""

    id: str
    person: str
    previewed_at: str
    query: str
    decision: Decision
    reason: str
    token: str
    num_items: int
    """Items on the frozen list."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Why (see WHY_LEFT_OUT) -> items, those on the list that turned out to have changed among them."""
    num_done: int = 0
    num_undone: int = 0
    started_at: str = ""
    done_at: str = ""
    first_sequence: int = 0
    last_sequence: int = 0
    undo_started_at: str = ""
    undone_at: str = ""
    undone_by: str = ""


class Bulk:
    """The bulk actions of one recipe. Thread-safe. All methods raise DatabaseError."""

    def __init__(self, queue: ReviewQueue) -> None:
        self.queue, self.recipe = queue, queue.recipe

    def preview(self, keys: Collection[str], plan: Plan) -> Action:
        """Freeze the items of a list on which this person can vote now, and say how many are left out, and why.

        Raises:
            BulkRefusedError: if the decision cannot be given in bulk, or there are too many items, or none is left.
        """
        if plan.decision not in DECISIONS:
            raise BulkRefusedError(problem=f"'{plan.decision}' cannot be given to many items at once.")
        if plan.decision == "reject" and not plan.reason:
            raise BulkRefusedError(problem="say why the items are rejected.")
        if len(set(keys)) > MAX_ITEMS:
            raise BulkRefusedError(problem=f"these are more than {MAX_ITEMS:,} items. Narrow the search.")
        return self.queue.database.write(lambda connection: self._freeze(connection, set(keys), plan))

    def get(self, bulk_id: str) -> Action:
        """Return an action. Raises UnknownIdError."""
        with self.queue.database.read() as connection:
            return self._get(connection, bulk_id)

    def list_done(self, *, limit: int = 50) -> list[Action]:
        """Return the actions that were confirmed, the newest first."""
        query = sa.select(bulk.c.id).where(bulk.c.recipe == self.recipe, bulk.c.started_at != "")
        with self.queue.database.read() as connection:
            ids = connection.execute(query.order_by(bulk.c.started_at.desc(), bulk.c.id).limit(limit)).scalars().all()
            return [self._get(connection, bulk_id) for bulk_id in ids]

    def sample(self, bulk_id: str, *, limit: int = SAMPLE) -> list[str]:
        """Return some of the items on the frozen list: the keys are hashes, so the first ones are a fair sample."""
        with self.queue.database.read() as connection:
            query = sa.select(bulk_items.c.item_key).where(*self._items_of(bulk_id)).order_by(bulk_items.c.item_key)
            return list(connection.execute(query.limit(limit)).scalars())

    def run(self, bulk_id: str, token: str, person: str) -> Action:
        """Record the decision on every item of the frozen list that nobody touched since; goes on after a crash.

        It stops where somebody begins to undo it.

        Raises:
            UnknownIdError: if there is no such preview.
            BulkRefusedError: if the token is not that of the preview, the person is another, or the action was undone.
        """
        action = self.get(bulk_id)
        keys = self._keys(bulk_id)
        if not secrets.compare_digest(action.token, token) or action.token != _token(action, self.recipe, keys):
            raise BulkRefusedError(problem="this is not what was previewed. Preview it again.")
        if action.person != person:
            raise BulkRefusedError(problem=f"{action.person} has previewed this; only they can confirm it.")
        if action.undo_started_at:
            raise BulkRefusedError(problem="this action was undone. Preview it again to repeat it.")
        if action.done_at:
            return action
        self._stamp(bulk_id, "started_at")
        self._in_parts(keys, functools.partial(self._record, action=action))
        if not self.get(bulk_id).undo_started_at:
            self._stamp(bulk_id, "done_at")
        return self.get(bulk_id)

    def undo(self, bulk_id: str, person: str) -> Action:
        """Take back every verdict of an action that was not changed since. Raises UnknownIdError, BulkRefusedError."""
        action = self.get(bulk_id)
        if not action.started_at:
            raise BulkRefusedError(problem="this action was never confirmed; there is nothing to undo.")
        if action.undone_at:
            return action
        self._stamp(bulk_id, "undo_started_at", undone_by=person)
        self._in_parts(self._keys(bulk_id), functools.partial(self._take_back, action=action, person=person))
        self._stamp(bulk_id, "undone_at")
        return self.get(bulk_id)

    # -- steps ----------------------------------------------------------------------------------------------------

    def _freeze(self, connection: sa.Connection, keys: set[str], plan: Plan) -> Action:
        why = self._sort_out(connection, keys, plan.person, plan.decision)
        chosen = sorted(key for key in keys if key not in why)
        if not chosen:
            raise BulkRefusedError(problem="none of these items can be decided by you now: " + _sum_up(why) + ".")
        left_out = {reason: list(why.values()).count(reason) for reason in WHY_LEFT_OUT if reason in why.values()}
        action = Action(
            id=secrets.token_hex(16),
            person=plan.person,
            previewed_at=_now(),
            query=plan.query,
            decision=plan.decision,
            reason=plan.reason,
            token="",
            num_items=len(chosen),
            left_out=left_out,
        )
        self._forget_old(connection)
        row = {name: getattr(action, name) for name in bulk.c.keys() if name != "recipe"}  # noqa: SIM118 (a column collection)
        row |= {"recipe": self.recipe, "token": _token(action, self.recipe, chosen), "left_out": json.dumps(left_out)}
        connection.execute(bulk.insert(), row)
        rows = [{"recipe": self.recipe, "bulk_id": action.id, "item_key": key} for key in chosen]
        connection.execute(bulk_items.insert(), rows)
        return self._get(connection, action.id)

    def _forget_old(self, connection: sa.Connection) -> None:
        """Previews that nobody confirmed for a day go."""
        yesterday = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)).isoformat(timespec="seconds")
        old = (bulk.c.recipe == self.recipe, bulk.c.started_at == "", bulk.c.previewed_at < yesterday)
        ids = connection.execute(sa.select(bulk.c.id).where(*old)).scalars().all()
        if ids:
            connection.execute(bulk_items.delete().where(bulk_items.c.recipe == self.recipe, bulk_items.c.bulk_id.in_(ids)))
            connection.execute(bulk.delete().where(bulk.c.recipe == self.recipe, bulk.c.id.in_(ids)))

    def _record(self, connection: sa.Connection, part: Sequence[str], *, action: Action) -> None:
        lock_queue(connection, self.recipe)
        mine = (bulk.c.recipe == self.recipe, bulk.c.id == action.id)
        if connection.execute(sa.select(bulk.c.undo_started_at).where(*mine)).scalar_one():
            return  # the undo has gone, or goes, past these items
        waiting = self._waiting(connection, action.id, part, bulk_items.c.sequence)
        why = self._sort_out(connection, set(waiting), action.person, action.decision)
        votes = [
            Vote(
                item_key=key,
                decision=action.decision,
                reviewer=action.person,
                reason=action.reason,
                token=hash_text(f"bulk/{action.id}/{key}"),
                details=VoteDetails(origin="chosen"),
            )
            for key in waiting
            if key not in why
        ]
        said = append_votes(connection, self.recipe, votes) if votes else []
        sequences = {verdict.key: verdict.sequence for verdict in said}
        self._note(connection, action.id, "sequence", {key: sequences.get(key, 0) for key in waiting})
        if said:
            first = sa.case((bulk.c.first_sequence == 0, said[0].sequence), else_=bulk.c.first_sequence)
            self._update(connection, action.id, first_sequence=first, last_sequence=said[-1].sequence)

    def _take_back(self, connection: sa.Connection, part: Sequence[str], *, action: Action, person: str) -> None:
        lock_queue(connection, self.recipe)
        waiting = self._waiting(connection, action.id, part, bulk_items.c.undo_sequence)
        query = sa.select(bulk_items.c.item_key, bulk_items.c.sequence).where(*self._items_of(action.id))
        rows = connection.execute(query.where(bulk_items.c.item_key.in_(waiting))).all()
        given = {row.item_key: row.sequence for row in rows if row.sequence}
        standing = self._standing(connection, given)
        votes = [
            Vote(
                item_key=key,
                decision="undo",
                reviewer=person,
                reason="bulk action undone",
                token=hash_text(f"bulk-undo/{action.id}/{key}"),
                supersedes=given[key],
            )
            for key in sorted(standing)
        ]
        said = append_votes(connection, self.recipe, votes) if votes else []
        sequences = {verdict.key: verdict.sequence for verdict in said}
        self._note(connection, action.id, "undo_sequence", {key: sequences.get(key, 0) for key in waiting})

    def _standing(self, connection: sa.Connection, given: Mapping[str, int]) -> set[str]:
        """Return the items whose verdict was neither changed nor undone nor adjudicated since, and that are still listed."""
        standing, adjudicated = set(), set()
        for slot in select_rows(connection, schema.slots, "item_key", self.recipe, set(given)):
            if slot["done_sequence"] and slot["role"] == "adjudication":
                adjudicated.add(slot["item_key"])
            elif slot["is_listed"] and slot["done_sequence"] == given[slot["item_key"]]:
                standing.add(slot["item_key"])
        return standing - adjudicated

    def _sort_out(self, connection: sa.Connection, keys: set[str], person: str, decision: Decision) -> dict[str, str]:
        """Return item key -> why this person cannot vote on it now, for those on which they cannot."""
        now = database_now(connection)
        slots: dict[str, list[dict[str, Any]]] = {}
        for slot in select_rows(connection, schema.slots, "item_key", self.recipe, keys):
            slots.setdefault(slot["item_key"], []).append(slot)
        why = dict.fromkeys(keys, "withdrawn")
        for item in self._select_items(connection, keys):
            reason = _why_not(item, slots.get(item.item_key, []), person, decision, now)
            if reason:
                why[item.item_key] = reason
            else:
                del why[item.item_key]
        return why

    def _select_items(self, connection: sa.Connection, keys: set[str]) -> list[Any]:
        table, ordered = schema.items.c, sorted(keys)
        found: list[Any] = []
        query = sa.select(table.item_key, table.kind, table.state, table.is_listed)
        for start in range(0, len(ordered), PART):
            chosen = (table.recipe == self.recipe, table.item_key.in_(ordered[start : start + PART]))
            found += connection.execute(query.where(*chosen)).all()
        return found

    # -- tables ---------------------------------------------------------------------------------------------------

    def _in_parts(self, keys: Sequence[str], work: Callable[..., None]) -> None:
        for start in range(0, len(keys), PART):
            self._try(functools.partial(work, part=keys[start : start + PART]))

    def _try(self, work: Callable[[sa.Connection], None]) -> None:
        for number in range(_TRIES):
            try:
                self.queue.database.write(work)
            except (VerdictConflictError, LeaseLostError, ItemWithdrawnError):  # PostgreSQL: taken while we looked
                if number == _TRIES - 1:
                    raise
            else:
                return

    def _waiting(self, connection: sa.Connection, bulk_id: str, part: Sequence[str], column: Any) -> list[str]:
        chosen = (*self._items_of(bulk_id), bulk_items.c.item_key.in_(part), column.is_(None))
        return list(
            connection.execute(sa.select(bulk_items.c.item_key).where(*chosen).order_by(bulk_items.c.item_key)).scalars()
        )

    def _note(self, connection: sa.Connection, bulk_id: str, column: str, numbers: Mapping[str, int]) -> None:
        if numbers:
            one = bulk_items.update().where(*self._items_of(bulk_id), bulk_items.c.item_key == sa.bindparam("one"))
            rows = [{"one": key, "number": number} for key, number in numbers.items()]
            connection.execute(one.values({column: sa.bindparam("number")}), rows)

    def _items_of(self, bulk_id: str) -> tuple[sa.ColumnElement[bool], ...]:
        return bulk_items.c.recipe == self.recipe, bulk_items.c.bulk_id == bulk_id

    def _keys(self, bulk_id: str) -> list[str]:
        with self.queue.database.read() as connection:
            query = sa.select(bulk_items.c.item_key).where(*self._items_of(bulk_id))
            return sorted(connection.execute(query).scalars())

    def _update(self, connection: sa.Connection, bulk_id: str, **values: Any) -> None:
        connection.execute(bulk.update().where(bulk.c.recipe == self.recipe, bulk.c.id == bulk_id).values(**values))

    def _stamp(self, bulk_id: str, column: str, **values: Any) -> None:
        """Write down the time, unless it stands there from a run that broke off."""
        time = sa.case((bulk.c[column] == "", _now()), else_=bulk.c[column])
        self.queue.database.write(lambda connection: self._update(connection, bulk_id, **{column: time}, **values))

    def _get(self, connection: sa.Connection, bulk_id: str) -> Action:
        query = sa.select(bulk).where(bulk.c.recipe == self.recipe, bulk.c.id == bulk_id)
        row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise UnknownIdError(id=bulk_id)
        sequence, undone = bulk_items.c.sequence, bulk_items.c.undo_sequence
        numbers = sa.select(
            *(
                sa.func.coalesce(sa.func.sum(sa.case((test, 1), else_=0)), 0)
                for test in (sequence > 0, sequence == 0, undone > 0)
            )
        )
        num_done, num_changed, num_undone = connection.execute(numbers.where(*self._items_of(bulk_id))).one()
        left_out = json.loads(row["left_out"]) | ({"changed": num_changed} if num_changed else {})
        values = {name: value for name, value in row.items() if name not in ("recipe", "left_out")}
        return Action(**values, left_out=left_out, num_done=num_done, num_undone=num_undone)


def _why_not(item: Any, slots: Sequence[dict[str, Any]], person: str, decision: Decision, now: float) -> str:
    """Return why a person cannot vote on an item; empty if they can."""
    if not item.is_listed:
        return "withdrawn"
    if decision not in (PAIR_DECISIONS if item.kind == "pair" else ANSWER_DECISIONS):
        return "kind"
    reviewing = [slot for slot in slots if slot["role"] == "review"]
    if any(slot["holder"] == person and slot["done_sequence"] for slot in slots):
        return "yours"
    free = [slot for slot in reviewing if not slot["done_sequence"]]
    if item.state in ("decided", "disputed") or not free:
        return "decided"
    usable = any(not is_live(slot, now) or slot["holder"] == person for slot in free)
    return "" if usable else "leased"


def _sum_up(why: Mapping[str, str]) -> str:
    reasons = list(why.values())
    return (
        ", ".join(f"{reasons.count(name):,} {text}" for name, text in WHY_LEFT_OUT.items() if name in reasons)
        or "there are none"
    )


def _token(action: Action, recipe: str, keys: Sequence[str]) -> str:
    return content_hash([recipe, action.id, action.person, action.decision, action.reason, list(keys)])


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
