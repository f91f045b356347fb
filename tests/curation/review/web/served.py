"""The review server as people start it, a process of its own, over queues that hold something of everything.

with serving_review(tmp_path) as served:
    httpx.get(f"{served.address}/api/me", headers={"authorization": f"Bearer {served.tokens['lead']}"})
"""

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

from curation.home import Home
from curation.records import ReviewItem
from curation.review import schema
from curation.review.accounts.accounts import Accounts
from curation.review.accounts.person import ROLES, Role
from curation.review.accounts.tables import MIGRATIONS
from curation.review.config import ReviewConfig
from curation.review.lots.config import LotConfig
from curation.review.queue import ReviewQueue
from tests.browser.review_rows import make_rows
from tests.curation.review.accounts.conftest import FAST, PASSWORD
from tests.free_port import free_port

SERVE = (
    "from curation.home import Home; from curation.review.web.serve import serve; serve(Home.from_environment(), port={port})"
)
"""What `tunewright review serve` does once it has read its options."""
NUM_ROWS = 40
"""Rows of each of the four kinds."""
RECIPE = "demo"
LOTS_RECIPE = "lots"


class Served(NamedTuple):
    """A server that runs."""

    address: str
    tokens: dict[str, str]
    """Role -> an API token of somebody who has it, with all scopes."""
    keys: list[str]
    """Of items, decided and open, of every kind."""
    is_postgres: bool
    log: Path
    """What the server wrote; nothing, as long as nothing is wrong."""


@contextlib.contextmanager
def serving_review(folder: Path, database_url: str = "") -> Iterator[Served]:
    """Fill the databases of a home in `folder` (or at an URL), start `tunewright review serve`, and stop it in the end."""
    home = Home(path=folder, store_url=str(folder / "store"), database_url=database_url, review_url="http://127.0.0.1:3001")
    keys, tokens = fill_queues(home), add_people(home, {role: f"The {role}" for role in ROLES})
    with serving_home(home) as (address, log):
        yield Served(address, tokens, keys, bool(database_url), log)


@contextlib.contextmanager
def serving_home(home: Home) -> Iterator[tuple[str, Path]]:
    """Serve the databases of a home in a process of its own; gives its address and the file of its complaints."""
    environment = os.environ | {"TUNEWRIGHT_HOME": str(home.path), "TUNEWRIGHT_DATABASE_URL": home.database_url}
    port, log = free_port(), home.path / "server.log"
    with log.open("wb") as written:
        server = subprocess.Popen(
            [sys.executable, "-c", SERVE.format(port=port)], env=environment, stdout=subprocess.DEVNULL, stderr=written
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/health", server)
            yield f"http://127.0.0.1:{port}", log
        finally:
            server.terminate()
            server.wait(timeout=120)


def add_people(home: Home, people: dict[str, str], roles: dict[str, Role] | None = None) -> dict[str, str]:
    """Let people join: key -> name, with that role, or the one that the key is. Return a token of each, with all scopes."""
    with contextlib.closing(home.database("accounts", MIGRATIONS)) as database:
        accounts = Accounts(database, hasher=FAST)
        tokens = {}
        for key, name in people.items():
            role = roles[key] if roles else cast(Role, key)
            person = accounts.accept(accounts.invite(role, by="a test"), name, PASSWORD)
            tokens[key] = accounts.tokens.create(person.id, label="test", scopes={"read", "vote", "manage"}, days=2)
        return tokens


def fill_queues(home: Home) -> list[str]:
    """Put items of every kind and in every state into two queues, one of which is sampled; return some of the first's keys."""
    with contextlib.closing(home.database("review", schema.MIGRATIONS)) as database:
        queue, sampled = ReviewQueue(database, RECIPE), ReviewQueue(database, LOTS_RECIPE)
        items, config = make_rows(NUM_ROWS), ReviewConfig(overlap=2)
        queue.sync_items(items, config)
        _vote(queue, items)
        queue.sync_items([item for item in items if item is not items[0]], config)
        sampled.sync_items(items, ReviewConfig(lots=LotConfig()))
        for entry in sampled.list_items(limit=30):
            sampled.submit(entry.item.key, "tie" if entry.item.kind == "pair" else "approve", "Bob")
        return [item.key for kind in ("example", "pair", "task", "document") for item in items if item.kind == kind][::8]


def _vote(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    """Leave the first of each eight items undone, then: agreed, disputed, half decided, edited, automatic; two stay open."""
    for item in items[::8]:
        queue.undo(queue.submit(item.key, _yes(item), "Ada"), "Ada", "a slip")
    for who in ("Ada", "Bob"):
        for item in items[1::8]:
            queue.submit(item.key, _yes(item), who)
        for item in items[2::8]:
            queue.submit(item.key, _yes(item) if who == "Ada" else "both_bad" if item.kind == "pair" else "reject", who)
    for item in items[3::8]:
        queue.submit(item.key, _yes(item), "Ada", reason="\u00e9 <b>")
    for item in (item for item in items[4::8] if item.kind != "pair"):
        queue.submit(item.key, "edit", "Bob", edited_answer="=other")
    for item in (item for item in items[5::8] if item.kind == "example"):
        queue.submit(item.key, "approve", "automatic:length", "automatic")


def _yes(item: ReviewItem) -> str:
    return "prefer_a" if item.kind == "pair" else "approve"


def _wait_for(url: str, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(12_000):
        assert server.poll() is None, "the server has ended"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.05)
    raise AssertionError(f"{url} did not answer")
