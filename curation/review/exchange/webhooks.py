"""Webhooks: telling other programs what reviewers decided. Every message is written down before it is sent.

    hook = add_webhook(database, "sdk_assistant", "https://example.org/hook", ["item.decided"], now=time.time())
    deliver_due(database, now=time.time())               DeliveryReport(num_written=3, num_sent=3, num_failed=0, num_dead=0)

A message is JSON; `Tunewright-Signature` is the HMAC-SHA256 of TIMESTAMP.BODY with the webhook's secret, and
`Tunewright-Delivery` an id that stays the same over all tries (a receiver drops what it has seen). Where a receiver does not
answer with 2xx, it is tried again after 1 s, 10 s, 60 s, 10 min, 1 h and 6 h; then the message is dead, visible, and can be
sent again.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import sqlalchemy as sa

from curation.database import Database
from curation.ids import content_hash
from curation.record_rows import as_row
from curation.records import Verdict
from curation.review import schema
from curation.review.errors import UnknownWebhookError, WebhookRefusedError
from curation.review.exchange.tables import deliveries, webhooks
from curation.review.exchange.webhook_send import Answer, check_url, post
from curation.review.payload import encodable
from curation.review.queue.append import select_rows
from curation.review.queue.chain import as_verdict
from curation.review.queue.resolution import resolve

Event = Literal["verdict", "item.decided", "item.disputed", "lot.decided"]
EVENTS: tuple[Event, ...] = get_args(Event)
DeliveryState = Literal["waiting", "sent", "dead"]
RETRY_SECONDS = (1.0, 10.0, 60.0, 600.0, 3_600.0, 21_600.0)
SENDING_SECONDS = 60.0
"""A message that is being sent is left alone by others for so long."""
MAX_VERDICTS = 500
MAX_SENT = 100

Send = Callable[..., Answer]
"""As `webhook_send.post`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Webhook:
    """A receiver of one recipe's events."""

    id: str
    recipe: str
    url: str
    secret: str
    events: tuple[str, ...]
    cursor: int
    """The last verdict that it was told about."""
    is_active: bool
    allows_private: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A message to one receiver."""

    id: str
    webhook_id: str
    recipe: str
    event: str
    body: str
    state: DeliveryState
    num_tries: int
    next_at: float
    created_at: float
    sent_at: float
    """0 until it was taken."""
    answer: str
    """What the receiver said last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryReport:
    """What one round did."""

    num_written: int = 0
    num_sent: int = 0
    num_failed: int = 0
    """Will be tried again."""
    num_dead: int = 0


def add_webhook(
    database: Database,
    recipe: str,
    url: str,
    events: Sequence[str],
    *,
    now: float,
    allows_private: bool = False,
    from_start: bool = False,
) -> Webhook:
    """Add a receiver; it is told of what is decided from now on, or with `from_start` of everything.

    Raises:
        WebhookRefusedError: if the address must not be reached, or an event does not exist.
        DatabaseError: if it cannot be stored.
    """
    check_url(url, allows_private=allows_private)
    unknown = [event for event in events if event not in EVENTS]
    if unknown or not events:
        raise WebhookRefusedError(problem=f"it has to name events: {', '.join(EVENTS)}.")

    def work(connection: sa.Connection) -> Webhook:
        query = sa.select(schema.queues.c.num_verdicts).where(schema.queues.c.recipe == recipe)
        hook = Webhook(
            id=f"hook_{secrets.token_hex(8)}",
            recipe=recipe,
            url=url,
            secret=f"whsec_{secrets.token_urlsafe(32)}",
            events=tuple(sorted(set(events))),
            cursor=0 if from_start else int(connection.execute(query).scalar_one_or_none() or 0),
            is_active=True,
            allows_private=allows_private,
        )
        row = {**as_row(hook), "events": ",".join(hook.events), "created_at": now}
        connection.execute(webhooks.insert(), row)
        return hook

    return database.write(work)


def list_webhooks(database: Database) -> list[Webhook]:
    """Return the receivers, the oldest first. Raises DatabaseError."""
    with database.read() as connection:
        return [_as_webhook(row) for row in connection.execute(sa.select(webhooks).order_by(webhooks.c.created_at)).mappings()]


def remove_webhook(database: Database, webhook_id: str) -> None:
    """Stop telling a receiver; its past messages stay visible, waiting ones die. Raises UnknownWebhookError."""

    def work(connection: sa.Connection) -> int:
        waiting = (deliveries.c.webhook_id == webhook_id, deliveries.c.state == "waiting")
        connection.execute(deliveries.update().where(*waiting).values(state="dead", answer="The webhook was removed."))
        return connection.execute(webhooks.delete().where(webhooks.c.id == webhook_id)).rowcount

    if not database.write(work):
        raise UnknownWebhookError(id=webhook_id)


def list_deliveries(database: Database, *, state: str = "", webhook_id: str = "", limit: int = 100) -> list[Delivery]:
    """Return messages, the newest first. Raises DatabaseError."""
    table = deliveries.c
    chosen = [*([table.state == state] if state else []), *([table.webhook_id == webhook_id] if webhook_id else [])]
    with database.read() as connection:
        query = sa.select(deliveries).where(*chosen).order_by(table.created_at.desc(), table.id).limit(limit)
        return [Delivery(**row) for row in connection.execute(query).mappings()]


def resend(database: Database, delivery_id: str, *, now: float) -> None:
    """Let a message be sent again, with all its tries. Raises UnknownWebhookError, also if its receiver was removed."""
    values = {"state": "waiting", "num_tries": 0, "next_at": now}
    receivers = sa.select(webhooks.c.id)
    chosen = (deliveries.c.id == delivery_id, deliveries.c.webhook_id.in_(receivers))
    update = deliveries.update().where(*chosen).values(**values)
    if not database.write(lambda connection: connection.execute(update).rowcount):
        raise UnknownWebhookError(id=delivery_id)


def announce(connection: sa.Connection, recipe: str, event: Event, subject: str, data: Mapping[str, Any], *, now: float) -> int:
    """Write a message to every receiver of an event, within the transaction that makes it true; return how many.

    `subject` names what happened once and for all (a lot and its decision): announced twice, it is one message.
    """
    rows = connection.execute(sa.select(webhooks).where(webhooks.c.recipe == recipe, webhooks.c.is_active)).mappings()
    hooks = [hook for hook in map(_as_webhook, rows) if event in hook.events]
    return _write(connection, [_delivery(hook, event, subject, data, now) for hook in hooks])


def deliver_due(database: Database, *, now: float, send: Send = post, limit: int = MAX_SENT) -> DeliveryReport:
    """Write the messages that verdicts call for, send those that are due, and say what came of them.

    Safe to run in several processes at once: a message is claimed before it is sent. Raises DatabaseError.
    """
    num_written = sum(_collect(database, hook, now) for hook in list_webhooks(database) if hook.is_active)
    outcomes = [_send_one(database, delivery, hook, now, send) for delivery, hook in _claim(database, now, limit)]
    return DeliveryReport(
        num_written=num_written,
        num_sent=outcomes.count("sent"),
        num_failed=outcomes.count("waiting"),
        num_dead=outcomes.count("dead"),
    )


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a message: HMAC-SHA256 (RFC 2104) over TIMESTAMP.BODY, in hexadecimal."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _as_webhook(row: Any) -> Webhook:
    values = {name: row[name] for name in Webhook.__dataclass_fields__}
    return Webhook(**values | {"events": tuple(row["events"].split(","))})


def _collect(database: Database, hook: Webhook, now: float) -> int:
    """Write what a receiver has to be told of the next verdicts, and move its cursor, in one transaction."""

    def work(connection: sa.Connection) -> int:
        table = schema.verdicts.c
        mine = webhooks.c.id == hook.id
        cursor = connection.execute(sa.select(webhooks.c.cursor).where(mine).with_for_update()).scalar_one_or_none()
        if cursor is None:
            return 0
        query = sa.select(schema.verdicts).where(table.recipe == hook.recipe, table.sequence > cursor)
        found = [as_verdict(row) for row in connection.execute(query.order_by(table.sequence).limit(MAX_VERDICTS)).mappings()]
        if not found:
            return 0
        rows = [_delivery(hook, *event, now) for event in _events(connection, hook, found)]
        connection.execute(webhooks.update().where(mine).values(cursor=found[-1].sequence))
        return _write(connection, rows)

    return database.write(work)


def _events(connection: sa.Connection, hook: Webhook, found: list[Verdict]) -> list[tuple[Any, str, dict[str, Any]]]:
    """Return (event, subject, data) of what these verdicts changed."""
    query = sa.select(schema.queues.c.overlap).where(schema.queues.c.recipe == hook.recipe)
    overlap = int(connection.execute(query).scalar_one_or_none() or 1)
    said: dict[str, list[Verdict]] = {}
    keys = {verdict.key for verdict in found}
    for row in select_rows(connection, schema.verdicts, "item_key", hook.recipe, keys):
        said.setdefault(row["item_key"], []).append(as_verdict(row))
    events: list[tuple[Any, str, dict[str, Any]]] = []
    for verdict in found:
        subject = str(verdict.sequence)
        events.append(("verdict", subject, {"verdict": as_row(verdict)}))
        history = sorted(said[verdict.key], key=lambda each: each.sequence)
        before = resolve([each for each in history if each.sequence < verdict.sequence], overlap)
        after = resolve([each for each in history if each.sequence <= verdict.sequence], overlap)
        if after.state == "decided" and after.verdict != before.verdict:
            events.append(("item.decided", subject, {"item": verdict.key, "verdict": as_row(after.verdict)}))
        if after.state == "disputed" and before.state != "disputed":
            events.append(("item.disputed", subject, {"item": verdict.key, "votes": [as_row(vote) for vote in after.votes]}))
    return [event for event in events if event[0] in hook.events]


def _delivery(hook: Webhook, event: str, subject: str, data: Mapping[str, Any], now: float) -> dict[str, Any]:
    name = f"msg_{content_hash([hook.id, hook.recipe, event, subject])}"
    body = {"id": name, "event": event, "recipe": hook.recipe, "created_at": now, "data": data}
    return {
        "id": name,
        "webhook_id": hook.id,
        "recipe": hook.recipe,
        "event": event,
        "body": encodable(json.dumps(body, ensure_ascii=True, separators=(",", ":"))),
        "state": "waiting",
        "num_tries": 0,
        "next_at": now,
        "created_at": now,
        "sent_at": 0.0,
        "answer": "",
    }


def _write(connection: sa.Connection, rows: list[dict[str, Any]]) -> int:
    if not rows:
        return 0
    known = set(
        connection.execute(sa.select(deliveries.c.id).where(deliveries.c.id.in_([row["id"] for row in rows]))).scalars()
    )
    fresh = [row for row in rows if row["id"] not in known]
    if fresh:
        connection.execute(deliveries.insert(), fresh)
    return len(fresh)


def _claim(database: Database, now: float, limit: int) -> list[tuple[Delivery, Webhook]]:
    """Take messages that are due; each try is counted before it is made."""

    def work(connection: sa.Connection) -> list[tuple[Delivery, Webhook]]:
        hooks = {row["id"]: _as_webhook(row) for row in connection.execute(sa.select(webhooks)).mappings()}
        table = deliveries.c
        query = sa.select(deliveries).where(table.state == "waiting", table.next_at <= now).order_by(table.next_at, table.id)
        rows = connection.execute(query.limit(limit).with_for_update(skip_locked=True)).mappings().all()
        due = [Delivery(**row) for row in rows if row["webhook_id"] in hooks]
        taken = deliveries.update().where(table.id.in_([delivery.id for delivery in due]))
        connection.execute(taken.values(num_tries=table.num_tries + 1, next_at=now + SENDING_SECONDS))
        return [(delivery, hooks[delivery.webhook_id]) for delivery in due]

    return database.write(work)


def _send_one(database: Database, delivery: Delivery, hook: Webhook, now: float, send: Send) -> str:
    body, timestamp = delivery.body.encode(), str(int(now))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "tunewright-review",
        "Tunewright-Event": delivery.event,
        "Tunewright-Delivery": delivery.id,
        "Tunewright-Timestamp": timestamp,
        "Tunewright-Signature": sign(hook.secret, timestamp, body),
    }
    try:
        answer = send(hook.url, body, headers, allows_private=hook.allows_private)
    except WebhookRefusedError as error:
        answer = Answer(0, str(error))
    num_tries = delivery.num_tries + 1
    state = "sent" if answer.is_success else "waiting" if num_tries <= len(RETRY_SECONDS) else "dead"
    values: dict[str, Any] = {"state": state, "answer": encodable(f"{answer.status} {answer.detail}".replace("\0", ""))}
    if state == "waiting":
        values["next_at"] = now + RETRY_SECONDS[num_tries - 1]
    if state == "sent":
        values["sent_at"] = now
    mine = (deliveries.c.id == delivery.id, deliveries.c.num_tries == num_tries, deliveries.c.state == "waiting")
    database.write(lambda connection: connection.execute(deliveries.update().where(*mine).values(**values)).rowcount)
    return state
