"""The request ledger: every reply that was paid for, under the hash of everything that determines it.

    with open_ledger(home, recipe="sdk_assistant") as ledger:
        ledger.put(request_id(teacher, request), teacher, request, reply)     # on disk when it returns
        ledger.get_reply("9f...").text
        ledger.totals(recipe="sdk_assistant").cost_usd

A reply is committed before anyone uses it; errors are never stored; a stored reply never changes. Threads that put at the
same time share one commit.
"""

import dataclasses
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from curation.chat_model import ChatModel, ChatReply, ChatRequest, as_plain_request
from curation.database import Database
from curation.home import Home
from curation.records import TeacherCall

MIGRATIONS = Path(__file__).parent / "migrations"
IDS_PER_QUERY = 500

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


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerTotals:
    """What was paid."""

    num_calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float


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
        return next(self._select(sa.select(*_CALL_COLUMNS).where(_calls.c.key == key)), None)

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
                found.update((row.key, _load_reply(row.reply)) for row in rows)
        return found

    def put(self, key: str, model: ChatModel, request: ChatRequest, reply: ChatReply) -> ChatReply:
        """Store a reply and return it once it is on disk; if another process stored one first, return that one.

        Raises:
            DatabaseError: if it cannot be committed; then nothing is stored.
        """
        ticket = _Ticket(row=_as_row(key, model, request, reply) | self._payer, reply=reply)
        with self._pending_lock:
            self._pending.append(ticket)
        with self._commit_lock:
            if not ticket.is_done:
                self._commit_pending()
        if ticket.error is not None:
            raise ticket.error
        return ticket.reply

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

    def totals(self, *, recipe: str | None = None, run_id: str | None = None) -> LedgerTotals:
        """Add up what was paid: in all, for a recipe, or in one run."""
        sums = [sa.func.coalesce(sa.func.sum(_calls.c[name]), 0) for name in ("prompt_tokens", "completion_tokens", "cost_usd")]
        query = sa.select(sa.func.count(), *sums).select_from(_calls)
        for name, value in (("recipe", recipe), ("run_id", run_id)):
            query = query.where(_calls.c[name] == value) if value is not None else query
        with self._database.read() as connection:
            calls, prompt, completion, cost = connection.execute(query).one()
        return LedgerTotals(num_calls=calls, prompt_tokens=int(prompt), completion_tokens=int(completion), cost_usd=float(cost))

    def iter_calls(self, *, prefix: str = "") -> Iterator[TeacherCall]:
        """Yield the stored calls in the order of their ids; only those whose id starts with `prefix`."""
        query = sa.select(*_CALL_COLUMNS).where(_calls.c.key.startswith(prefix, autoescape=True)).order_by(_calls.c.key)
        yield from self._select(query)

    def _select(self, query: sa.Select[Any]) -> Iterator[TeacherCall]:
        with self._database.read() as connection:
            for row in connection.execute(query):
                yield TeacherCall(**row._mapping)


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
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(_calls).on_conflict_do_nothing().returning(_calls.c.key)
    distinct = {row["key"]: row for row in reversed(rows)}
    stored = set(connection.execute(statement, list(distinct.values())).scalars())
    if len(stored) == len(rows):
        return {}
    lost = [row["key"] for row in rows]
    found = connection.execute(sa.select(_calls.c.key, _calls.c.reply).where(_calls.c.key.in_(lost)))
    return {row.key: _load_reply(row.reply) for row in found}


def _as_row(key: str, model: ChatModel, request: ChatRequest, reply: ChatReply) -> dict[str, Any]:
    call = TeacherCall(
        key=key,
        provider=model.provider,
        endpoint=model.endpoint,
        model=model.model,
        revision=model.revision,
        request=_ascii_json(as_plain_request(request)),
        reply=_ascii_json(dataclasses.asdict(reply)),
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        cost_usd=reply.cost_usd,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return dataclasses.asdict(call)


def _ascii_json(value: Any) -> str:
    """Serialise so that any database takes it: NUL and lone surrogates, which replies may hold, stay escaped."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _load_reply(text: str) -> ChatReply:
    return ChatReply(**json.loads(text))
