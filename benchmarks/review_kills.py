"""Kill the review server while people decide: nothing acknowledged is lost, nothing is there twice, it is back at once.

    python -m benchmarks.review_kills [--quick] [--kills 500] [--database sqlite|postgresql]      last line: JSON

Twenty clients claim and decide over HTTP as fast as they can. The server is killed with SIGKILL at a random moment and
started again, over and over. A client whose request got no answer sends it again with the same idempotency token, as the
page does.

    lost             verdicts that a client was told are recorded, and that are not in the database
    duplicates       items with more verdicts of a person than that person gave, or tokens that stand there twice
    restart_p95_s    from the kill until the server answers a request for a page, 95th percentile
    unclean          times that SQLite's integrity check or the chain of the verdicts was not sound after a kill
"""

import argparse
import asyncio
import contextlib
import json
import random
import signal
import sqlite3
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import sqlalchemy as sa

from benchmarks.review_app import RECIPE, open_queue
from benchmarks.review_items import make_items
from benchmarks.review_server import FIELD, free_port, percentile, start_server
from curation.errors import LedgerTamperedError
from curation.review import schema
from curation.review.config import ReviewConfig
from tests.postgres_server import temporary_postgres

CLIENTS = 20
ITEMS_A_KILL = 400
SHORTEST_LIFE, LONGEST_LIFE = 0.3, 2.5


class Client:
    """One person who never gives up."""

    def __init__(self, name: str, base: str) -> None:
        self.name, self.base = name, base
        self.acknowledged: list[str] = []
        """Tokens of verdicts that the server said are recorded."""
        self.sent: set[str] = set()
        self.rng = random.Random(name)

    async def run(self, stop: asyncio.Event) -> None:
        """Decide one item after the other until told to stop."""
        headers = {"x-reviewer": self.name, "sec-fetch-site": "same-origin"}
        timeout = aiohttp.ClientTimeout(total=20)
        async with aiohttp.ClientSession(self.base, headers=headers, timeout=timeout) as session:
            path = f"/recipes/{RECIPE}/next"
            while not stop.is_set():
                status, page, path = await self._ask(session, "GET", path, None)
                if status in (301, 302, 303):
                    continue
                form = dict(FIELD.findall(page))
                if status != 200 or "generation" not in form:
                    path = f"/recipes/{RECIPE}/next"
                    await asyncio.sleep(0.02)
                    continue
                self.sent.add(form["token"])
                target = f"{path.partition('?')[0]}/verdict"
                status, _, path = await self._ask(session, "POST", target, form | {"decision": "approve"})
                if status == 303:
                    self.acknowledged.append(form["token"])
                else:
                    path = f"/recipes/{RECIPE}/next"

    async def _ask(
        self, session: aiohttp.ClientSession, method: str, path: str, form: dict[str, str] | None
    ) -> tuple[int, str, str]:
        """Send a request until an answer comes, and return its status, its text and where to go next."""
        while True:
            try:
                async with session.request(method, path, data=form, allow_redirects=False) as answer:
                    return answer.status, await answer.text(), answer.headers.get("location", path)
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(0.03 + 0.05 * self.rng.random())


async def wait_until_served(base: str) -> None:
    """Wait until the server answers with a page."""
    async with aiohttp.ClientSession(base, headers={"x-reviewer": "watch"}) as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(f"/recipes/{RECIPE}") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.005)


async def kill_often(location: str, kills: int, check: Any) -> dict[str, Any]:
    """Kill and start the server, let the clients work, and return what they were told and how long they waited."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    server = start_server(location, port)
    clients = [Client(f"reviewer {number}", base) for number in range(CLIENTS)]
    stop = asyncio.Event()
    tasks = [asyncio.create_task(client.run(stop)) for client in clients]
    rng, restarts, unclean = random.Random(11), [], 0
    for number in range(kills):
        await asyncio.sleep(rng.uniform(SHORTEST_LIFE, LONGEST_LIFE))
        server.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        server.wait()
        unclean += not check()
        checked = time.monotonic() - killed
        server = await asyncio.to_thread(start_server, location, port)
        await wait_until_served(base)
        restarts.append(time.monotonic() - killed - checked)
        if number % 20 == 19:
            print(f"{number + 1} kills, {sum(len(client.acknowledged) for client in clients):,} verdicts", flush=True)
    stop.set()
    await asyncio.gather(*tasks)
    server.terminate()
    server.wait()
    return {"clients": clients, "restarts": restarts, "unclean": unclean}


def judge(location: str, clients: list[Client]) -> dict[str, int]:
    """Compare what the clients were told with what is there."""
    queue = open_queue(location)
    queue.verify_chain()
    tokens = sa.select(schema.verdicts.c.token).where(schema.verdicts.c.recipe == RECIPE)
    with queue.database.read() as connection:
        stored = Counter(connection.execute(tokens).scalars())
    people = Counter((verdict.key, verdict.reviewer) for verdict in queue.verdicts_after(0))
    items = Counter(verdict.key for verdict in queue.verdicts_after(0))
    queue.close()
    acknowledged = {token for client in clients for token in client.acknowledged}
    sent = {token for client in clients for token in client.sent}
    assert set(stored) <= sent, "verdicts that nobody sent"
    twice = sum(num - 1 for num in stored.values()) + sum(num - 1 for num in people.values())
    return {
        "verdicts": len(acknowledged),
        "lost": len(acknowledged - set(stored)),
        "duplicates": twice + sum(num - 1 for num in items.values()),
    }


def check_sqlite(path: str) -> bool:
    """Tell whether a database file is sound, as it lies there after a kill."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return bool(connection.execute("PRAGMA quick_check").fetchone()[0] == "ok")


def check_chain(location: str) -> bool:
    """Tell whether the chain of the verdicts is sound."""
    queue = open_queue(location)
    try:
        queue.verify_chain()
    except LedgerTamperedError:
        return False
    finally:
        queue.close()
    return True


def run(location: str, kills: int, path: str | None) -> dict[str, Any]:
    """Fill a queue, kill its server, and return the figures."""
    queue = open_queue(location)
    queue.sync_items(make_items(kills * ITEMS_A_KILL), ReviewConfig())
    queue.close()
    checks = [lambda: check_sqlite(path)] if path else []
    found = asyncio.run(kill_often(location, kills, lambda: all(check() for check in [*checks, lambda: check_chain(location)])))
    return {
        "kills": kills,
        **judge(location, found["clients"]),
        "restart_p50_s": percentile([seconds * 1000 for seconds in found["restarts"]], 0.5) / 1000,
        "restart_p95_s": percentile([seconds * 1000 for seconds in found["restarts"]], 0.95) / 1000,
        "unclean": found["unclean"],
    }


def main() -> None:
    """Parse the options, run, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10 kills: under a minute")
    parser.add_argument("--kills", type=int, help="default 500")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    arguments = parser.parse_args()
    kills = arguments.kills or (10 if arguments.quick else 500)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.database == "sqlite":
            path = str(Path(folder) / "review.db")
            found = run(path, kills, path)
        else:
            with temporary_postgres(durable=True) as url:
                found = run(url, kills, None)
    print(json.dumps(found | {"database": arguments.database}))


if __name__ == "__main__":
    main()
