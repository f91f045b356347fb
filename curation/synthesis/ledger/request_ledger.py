"""The request ledger: every reply that was paid for, under the hash of everything that determines it.

    with open_ledger(home, recipe="sdk_assistant") as ledger:
        ledger.put(request_id(teacher, request), teacher, request, reply)     # on disk when it returns
        ledger.get_reply("9f...").text
        ledger.totals(recipe="sdk_assistant").cost_usd

A reply is committed before anyone uses it; errors are never stored; a stored reply never changes. Threads that put at the
same time share one commit. Replies of older and newer versions are read as well: what a reply lacks has its default, what
this version does not know stays in the stored text.
"""

import dataclasses
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from curation.chat_model import ChatModel, ChatReply, ChatRequest, as_plain_request
from curation.database import Database
from curation.home import Home
from curation.records import TeacherCall, ToolCall

MIGRATIONS = Path(__file__).parent / "migrations"
IDS_PER_QUERY = 500
CALLS_PER_PAGE = 200
COST_DIGITS = 12
"""Sums of money are exact to this many decimal places of a dollar: a token of the cheapest model costs more."""

_calls = sa.Table(
    "teacher_calls",
    sa.MetaData(),
    sa.Column("key", sa.Text, primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("provider", "endpoint", "model", "revision", "request", "reply")),
    *(sa.Column(name, sa.BigInteger) for name in ("prompt_tokens", "completion_tokens")),
    sa.Column("cost_usd", sa.Float),
    *(sa.Column(name, sa.Text) for name in ("created_at", "recipe", "run_id")),
)
_CALL_COLUMNS = [_calls.c[field.name] for field in dataclasses.fields(TeacherCall)]
_REPLY_FIELDS = tuple(field.name for field in dataclasses.fields(ChatReply))
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerTotals:
    """What was paid."""

    num_calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: Decimal
    """The exact sum of what each call cost."""


class RequestLedger:
    """Stored replies by request id. Safe to use from several threads and processes. Use as a context manager."""

    def __init__(self, database: Database, *, recipe: str = "", run_id: str = "") -> None:
        self._database = database
        self._payer = {"recipe": recipe, "run_id": run_id}
        self._pending: list[_Ticket] = []
        self._pending_lock = threading.Lock()
        self._commit_lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def get(self, key: str) -> TeacherCall | None:
        """Return a call by its request id, or None."""
        return next(iter(self._select(sa.select(*_CALL_COLUMNS).where(_calls.c.key == key))), None)

    def get_reply(self, key: str) -> ChatReply | None:
        """Return a stored reply by its request id, or None."""
        return self.get_many([key]).get(key)

    def get_many(self, keys: Sequence[str]) -> dict[str, ChatReply]:
        """Return the stored replies among these request ids."""
        found: dict[str, ChatReply] = {}
        with self._database.read() as connection:
            for start in range(0, len(keys), IDS_PER_QUERY):
                chunk = keys[start : start + IDS_PER_QUERY]
                rows = connection.execute(sa.select(_calls.c.key, _calls.c.reply).where(_calls.c.key.in_(chunk)))
                found.update((row.key, load_reply(row.reply)) for row in rows)
        return found

    def find_stored(self, keys: Sequence[str]) -> set[str]:
        """Return those of the request ids that have a stored reply, without reading the replies."""
        with self._database.read() as connection:
            return _find_stored(connection, keys)

    def put(self, key: str, model: ChatModel, request: ChatRequest, reply: ChatReply) -> ChatReply:
        """Store a reply and return it once it is on disk; if another process stored one first, return that one.

        Raises:
            DatabaseError: if it cannot be committed; then nothing is stored.
        """
        return self.put_many([(key, model, request, reply)])[0]

    def put_many(self, calls: Sequence[tuple[str, ChatModel, ChatRequest, ChatReply]]) -> list[ChatReply]:
        """Store replies in one commit and return them once they are on disk, in order; see `put`."""
        tickets = [_Ticket(row=_as_row(*call) | self._payer, reply=call[3]) for call in calls]
        with self._pending_lock:
            self._pending.extend(tickets)
        with self._commit_lock:
            if not all(ticket.is_done for ticket in tickets):
                self._commit_pending()
        for ticket in tickets:
            if ticket.error is not None:
                raise ticket.error
        return [ticket.reply for ticket in tickets]

    def _commit_pending(self) -> None:
        with self._pending_lock:
            tickets, self._pending = self._pending, []
        try:
            lost = self._database.write(lambda connection: _insert(connection, [ticket.row for ticket in tickets]))
        except Exception as error:
            for ticket in tickets:
                ticket.error = error
            lost = {}
        for ticket in tickets:
            ticket.reply = lost.get(ticket.row["key"], ticket.reply)
            ticket.is_done = True

    def add_calls(self, calls: Sequence[TeacherCall], *, recipe: str = "", run_id: str = "") -> frozenset[str]:
        """Store calls that were paid for elsewhere (a batch, another ledger) in one commit; return the ids that are new.

        What is stored already stays as it is. Whoever calls answers for the ids being those of the requests.

        Raises:
            DatabaseError: if they cannot be committed; then none is stored.
        """
        rows = [_columns_of(call) | {"recipe": recipe, "run_id": run_id} for call in calls]
        return self._database.write(lambda connection: _insert_new(connection, rows)) if rows else frozenset()

    def totals(self, *, recipe: str | None = None, run_id: str | None = None) -> LedgerTotals:
        """Add up what was paid: in all, for a recipe, or in one run."""
        cost = sa.cast(sa.func.round(_calls.c.cost_usd * float(10**COST_DIGITS)), sa.BigInteger)
        columns = (_calls.c.prompt_tokens, _calls.c.completion_tokens, cost)
        sums = [sa.func.coalesce(sa.func.sum(column), 0) for column in columns]
        query = sa.select(sa.func.count(), *sums).select_from(_calls)
        for name, value in (("recipe", recipe), ("run_id", run_id)):
            query = query.where(_calls.c[name] == value) if value is not None else query
        with self._database.read() as connection:
            num_calls, prompt, completion, cost_sum = connection.execute(query).one()
        return LedgerTotals(
            num_calls=num_calls,
            prompt_tokens=int(prompt),
            completion_tokens=int(completion),
            cost_usd=Decimal(int(cost_sum)).scaleb(-COST_DIGITS),
        )

    def list_payers(self) -> list[tuple[str, str]]:
        """Return every recipe and run that something was paid for, sorted."""
        query = sa.select(_calls.c.recipe, _calls.c.run_id).distinct().order_by(_calls.c.recipe, _calls.c.run_id)
        with self._database.read() as connection:
            return [(row.recipe, row.run_id) for row in connection.execute(query)]

    def iter_calls(self, *, prefix: str = "", recipe: str | None = None) -> Iterator[TeacherCall]:
        """Yield the stored calls in the order of their ids: those whose id starts with `prefix`, those of one recipe.

        They are read page by page, so that writers and other readers are never held up. Calls that are added meanwhile
        may or may not be among them.
        """
        if not set(prefix) <= set("0123456789abcdef"):
            return
        query = sa.select(*_CALL_COLUMNS).where(_calls.c.key >= prefix, _calls.c.key < f"{prefix}g").order_by(_calls.c.key)
        query = query.where(_calls.c.recipe == recipe) if recipe is not None else query
        page = self._select(query.limit(CALLS_PER_PAGE))
        while page:
            yield from page
            page = self._select(query.where(_calls.c.key > page[-1].key).limit(CALLS_PER_PAGE))

    def _select(self, query: sa.Select[Any]) -> list[TeacherCall]:
        with self._database.read() as connection:
            return [TeacherCall(**row._mapping) for row in connection.execute(query)]


def open_ledger(home: Home, *, recipe: str = "", run_id: str = "") -> RequestLedger:
    """Open the ledger of an installation; what is paid from now on is booked on the recipe and run. Raises DatabaseError."""
    return RequestLedger(home.database("ledger", MIGRATIONS), recipe=recipe, run_id=run_id)


@dataclass(eq=False)
class _Ticket:
    """A reply on its way to the disk."""

    row: dict[str, Any]
    reply: ChatReply
    is_done: bool = False
    error: Exception | None = None


def _insert(connection: sa.Connection, rows: list[dict[str, Any]]) -> Mapping[str, ChatReply]:
    """Insert rows whose key is new; return the stored replies of the others."""
    stored = _insert_new(connection, rows)
    if len(stored) == len(rows):
        return {}
    found: dict[str, ChatReply] = {}
    lost = [row["key"] for row in rows]
    for start in range(0, len(lost), IDS_PER_QUERY):
        query = sa.select(_calls.c.key, _calls.c.reply).where(_calls.c.key.in_(lost[start : start + IDS_PER_QUERY]))
        found.update((row.key, load_reply(row.reply)) for row in connection.execute(query))
    return found


def _insert_new(connection: sa.Connection, rows: list[dict[str, Any]]) -> frozenset[str]:
    """Insert rows whose key is new and return their keys; of rows with the same key the first counts."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(_calls).on_conflict_do_nothing().returning(_calls.c.key)
    distinct = {row["key"]: row for row in reversed(rows)}
    return frozenset(connection.execute(statement, [distinct[key] for key in sorted(distinct)]).scalars())


def _find_stored(connection: sa.Connection, keys: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(keys), IDS_PER_QUERY):
        query = sa.select(_calls.c.key).where(_calls.c.key.in_(keys[start : start + IDS_PER_QUERY]))
        found.update(connection.execute(query).scalars())
    return found


def as_call(key: str, model: ChatModel, request: ChatRequest, reply: ChatReply) -> TeacherCall:
    """Describe a reply as the ledger stores it, paid for now."""
    return TeacherCall(
        key=key,
        provider=model.provider,
        endpoint=model.endpoint,
        model=model.model,
        revision=model.revision,
        request=_ENCODER.encode(as_plain_request(request)),
        reply=_ENCODER.encode(_as_plain_reply(reply)),
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        cost_usd=reply.cost_usd,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _as_row(key: str, model: ChatModel, request: ChatRequest, reply: ChatReply) -> dict[str, Any]:
    return _columns_of(as_call(key, model, request, reply))


def _columns_of(call: TeacherCall) -> dict[str, Any]:
    return {column.name: getattr(call, column.name) for column in _CALL_COLUMNS}


def _as_plain_reply(reply: ChatReply) -> dict[str, Any]:
    """Return the fields of a reply. They are stored as ASCII JSON, which any database takes: NUL and lone surrogates too."""
    return {name: _plain(getattr(reply, name)) for name in _REPLY_FIELDS}


def _plain(value: Any) -> Any:
    return [dataclasses.asdict(item) for item in value] if isinstance(value, tuple) else value


def load_reply(text: str) -> ChatReply:
    """Read a stored reply, whatever version wrote it.

    Raises:
        ValueError, TypeError, AttributeError, RecursionError: the text is no stored reply.
    """
    stored = json.loads(text)
    known = {name: stored[name] for name in _REPLY_FIELDS if name in stored}
    if "tool_calls" in known:
        known["tool_calls"] = tuple(ToolCall(**call) for call in known["tool_calls"])
    return ChatReply(**({"text": ""} | known))
