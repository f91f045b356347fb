"""`tunewright review webhooks`: tell other programs what reviewers decided.

tunewright review webhooks add https://example.org/hook --queue sdk_assistant --event item.decided
tunewright review webhooks deliveries --state dead
"""

import contextlib
import datetime
import time
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from curation.database import Database
from curation.home import Home
from pipelines.terminal import say

webhooks_app = typer.Typer(no_args_is_help=True, help="Tell other programs what reviewers decided, by signed messages.")


@webhooks_app.command("add")
def add(
    url: Annotated[str, typer.Argument(help="Address that takes a POST of JSON; https, and not in a private network.")],
    queue: Annotated[str, typer.Option("--queue", "-q", help="Queue whose events are sent.")],
    event: Annotated[list[str], typer.Option(help="verdict, item.decided, item.disputed, lot.decided. May be repeated.")],
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Also this machine and private networks, and http (never link-local).")
    ] = False,
    from_start: Annotated[bool, typer.Option("--from-start", help="Send what was decided before, too.")] = False,
) -> None:
    """Add a receiver and print its secret, once. It checks HMAC-SHA256(secret, TIMESTAMP.BODY) in `Tunewright-Signature`."""
    from curation.review.exchange.webhooks import add_webhook
    from curation.review.queue import list_recipes

    with _database() as database:
        names = list_recipes(database)
        if queue not in names:
            raise typer.BadParameter(f"'{queue}' is none of: {', '.join(names) or 'none yet'}", param_hint="--queue")
        hook = add_webhook(database, queue, url, event, now=time.time(), allows_private=allow_private, from_start=from_start)
    say(f"{hook.id}: {url} is told of {', '.join(hook.events)}")
    say(f"secret {hook.secret}")


@webhooks_app.command("list")
def print_webhooks() -> None:
    """Print all receivers; secrets are not shown again."""
    from curation.review.exchange.webhooks import list_webhooks

    table = Table("id", "queue", "address", "events", "told up to")
    with _database() as database:
        for hook in list_webhooks(database):
            table.add_row(hook.id, escape(hook.recipe), escape(hook.url), ", ".join(hook.events), f"verdict {hook.cursor:,}")
    Console(highlight=False).print(table)


@webhooks_app.command("remove")
def remove(id: Annotated[str, typer.Argument(help="Id of the webhook.")]) -> None:
    """Remove a receiver; its past messages stay visible."""
    from curation.review.exchange.webhooks import remove_webhook

    with _database() as database:
        remove_webhook(database, id)
    say(f"{id} is removed")


@webhooks_app.command("deliveries")
def print_deliveries(
    state: Annotated[str, typer.Option(help="Only those that are waiting, sent or dead.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, the newest first.")] = 50,
) -> None:
    """Print messages, the newest first, with what their receivers said."""
    from curation.review.exchange.webhooks import list_deliveries

    if state not in ("", "waiting", "sent", "dead"):
        raise typer.BadParameter(f"'{state}' is none of: waiting, sent, dead", param_hint="--state")
    table = Table("id", "event", "written", "state", "tries", "answer")
    with _database() as database:
        for message in list_deliveries(database, state=state, limit=limit):
            written = datetime.datetime.fromtimestamp(message.created_at, datetime.UTC).isoformat(timespec="seconds")
            table.add_row(
                message.id, message.event, written, message.state, str(message.num_tries), escape(message.answer[:80])
            )
    Console(highlight=False).print(table)


@webhooks_app.command("resend")
def send_again(id: Annotated[str, typer.Argument(help="Id of the message.")]) -> None:
    """Let a message be sent again, with all its tries."""
    from curation.review.exchange.webhooks import resend

    with _database() as database:
        resend(database, id, now=time.time())
    say(f"{id} waits to be sent")


@webhooks_app.command("deliver")
def deliver() -> None:
    """Send what is due now. The review app does so by itself; use this where it does not run."""
    from curation.review.exchange.webhooks import deliver_due

    with _database() as database:
        report = deliver_due(database, now=time.time())
    say(f"{report.num_written:,} written, {report.num_sent:,} sent")
    say(f"{report.num_failed:,} to be tried again, {report.num_dead:,} dead")


@contextlib.contextmanager
def _database() -> Iterator[Database]:
    from curation.review.schema import MIGRATIONS

    database = Home.from_environment().database("review", MIGRATIONS)
    try:
        yield database
    finally:
        database.close()
