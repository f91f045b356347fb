"""The real review server over HTTP, and people who review there: shared by the benchmarks `review_queue` and `review_kills`.

serve_people("/tmp/people.db", items=1000, people=20, seconds=10)     {"scale": 1000, "next_p99_ms": 60.1, ...}
"""

import asyncio
import os
import random
import re
import socket
import subprocess
import sys
import time
from typing import Any

import aiohttp

from benchmarks.review_items import make_items
from curation.database import Database
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.queue import ReviewQueue

RECIPE = "benchmark"
THINK_SECONDS = 1.0
WARM_UP_SECONDS = 3.0


def open_queue(location: str) -> ReviewQueue:
    """Open the queue of the benchmark."""
    return ReviewQueue(Database.open(location, concern="review", migrations=schema.MIGRATIONS), RECIPE)


def fill(queue: ReviewQueue, num: int, overlap: int) -> float:
    """Put items into the queue and return how many went in a second."""
    started = time.perf_counter()
    queue.sync_items(make_items(num), ReviewConfig(overlap=overlap))
    return num / (time.perf_counter() - started)


SERVER = """
import sys
import uvicorn
from pathlib import Path
from benchmarks.review_server import HeaderIdentity, open_queue
from curation.garbage import relax_collector
from curation.review.web.app import create_app
queue = open_queue(sys.argv[1])
app = create_app({queue.recipe: queue}, HeaderIdentity())
relax_collector()
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
"""


class HeaderIdentity:
    """Believes who the client says it is: for this benchmark, in place of a log-in."""

    def identify(self, request: Any) -> Any:
        """Return the person named in the header."""
        from curation.review.accounts.person import Person

        name = request.headers.get("x-reviewer")
        return Person(name=name, role="lead") if name else None


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(location: str, port: int) -> subprocess.Popen[bytes]:
    """Start the review server and wait until it answers."""
    process = subprocess.Popen([sys.executable, "-c", SERVER, location, str(port)], env=os.environ)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.02)
    raise RuntimeError("the review server did not start")


FIELD = re.compile(r'name="(token|expected|generation|role|origin|kind)" value="([^"]*)"')


async def review_by_http(base: str, name: str, seconds: float, times: dict[str, list[float]]) -> int:
    """Review as a person does: look at a page, think, decide; now and then search. The first seconds are not counted."""
    headers = {"x-reviewer": name, "sec-fetch-site": "same-origin"}
    rng = random.Random(name)
    decided = 0
    async with aiohttp.ClientSession(base, headers=headers) as session:
        await asyncio.sleep(rng.random() * THINK_SECONDS)
        async with session.get(f"/recipes/{RECIPE}/next", allow_redirects=False) as answer:
            path = answer.headers["location"]
        counted_from = time.monotonic() + WARM_UP_SECONDS
        deadline = counted_from + seconds
        while time.monotonic() < deadline and "/items/" in path:
            started = time.perf_counter()
            async with session.get(path) as answer:
                page = await answer.text()
                assert answer.status == 200, page
            _note(times["next"], started, counted_from)
            await asyncio.sleep(rng.uniform(0.5, 1.5) * THINK_SECONDS)
            form = dict(FIELD.findall(page)) | {"decision": "approve"}
            started = time.perf_counter()
            async with session.post(f"{path.partition('?')[0]}/verdict", data=form, allow_redirects=False) as answer:
                assert answer.status == 303, await answer.text()
                path = answer.headers["location"]
            _note(times["submit"], started, counted_from)
            decided += time.monotonic() > counted_from
            if rng.random() < 0.05:
                await _search(session, rng, times)
    return decided


def _note(times: list[float], started: float, counted_from: float) -> None:
    if time.monotonic() > counted_from:
        times.append((time.perf_counter() - started) * 1000)


async def _search(session: aiohttp.ClientSession, rng: random.Random, times: dict[str, list[float]]) -> None:
    words = rng.choice(("casts the window", '"folds a plan"', "hashes stream -sorts", f"column_{rng.randrange(10_000)}"))
    started = time.perf_counter()
    async with session.get(f"/recipes/{RECIPE}/items", params={"q": words}) as answer:
        await answer.read()
        if answer.status == 200:
            times["search"].append((time.perf_counter() - started) * 1000)


async def _all_people(base: str, people: int, seconds: float, times: dict[str, list[float]]) -> int:
    work = [review_by_http(base, f"reviewer {number}", seconds, times) for number in range(people)]
    return sum(await asyncio.gather(*work))


def serve_people(location: str, *, items: int, people: int, seconds: float) -> dict[str, Any]:
    """Run the second part and return what people waited for."""
    queue = open_queue(location)
    import_rate = fill(queue, items, 1)
    queue.close()
    port = free_port()
    server = start_server(location, port)
    times: dict[str, list[float]] = {"next": [], "submit": [], "search": []}
    try:
        decided = asyncio.run(_all_people(f"http://127.0.0.1:{port}", people, seconds, times))
    finally:
        server.terminate()
        server.wait()
    return {
        "scale": items,
        "people": people,
        "decided_per_s": round(decided / seconds, 1),
        "scale_import_per_s": round(import_rate),
        **{f"{name}_p{p}_ms": percentile(times[name], p / 100) for name in times for p in (50, 95, 99)},
    }


def percentile(values: list[float], share: float) -> float | None:
    """Return a percentile, rounded; None without values."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1) if ordered else None
