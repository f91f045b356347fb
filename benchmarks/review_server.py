"""Items by the million in the real review app: how long they take in and out, and what people wait for while they review.

    python -m benchmarks.review_server [--quick] [--items 1000000] [--database sqlite|postgres] [--clients 20]   last line: JSON

A file of items goes through `tunewright review import` and comes back through `tunewright review export`, each a process of
its own; then the app serves them over HTTP to people who take `--think` seconds for each item and search now and then.

    import_s, export_s      seconds of the two commands, their start included
    export_peak_mb          most memory that the export held (import_peak_mb likewise)
    next_p95_ms             getting the page of the next item, as long as a reviewer waits for it
    submit_p95_ms           recording a verdict and claiming the next item
    search_p95_ms           a full-text search while all others work, half of them by the best match; `search_newest` and
                            `search_relevance` tell them apart
    key_to_paint_p95_ms     with `--browser`: from a key to the next item painted in Chromium, while all others work
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from benchmarks.review_app import RECIPE, open_queue
from benchmarks.review_browser import press_keys
from benchmarks.review_items import make_items
from curation.record_rows import as_row
from curation.review.config import ReviewConfig
from curation.review.payload import json_line
from curation.review.queue import ReviewQueue
from tests.postgres_server import temporary_postgres

THINK_SECONDS = 1.0
WARM_UP_SECONDS = 3.0


def fill(queue: ReviewQueue, num: int, overlap: int) -> float:
    """Put items into the queue and return how many went in a second."""
    started = time.perf_counter()
    queue.sync_items(make_items(num), ReviewConfig(overlap=overlap))
    return num / (time.perf_counter() - started)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(location: str, port: int) -> subprocess.Popen[bytes]:
    """Start the review server and wait until it answers."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.review_app", location, str(port)], env=os.environ)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.02)
    raise RuntimeError("the review server did not start")


FIELD = re.compile(r'name="(token|expected|generation|role|origin|kind)" value="([^"]*)"')


async def review_by_http(base: str, name: str, *, seconds: float, think: float, times: dict[str, list[float]]) -> int:
    """Review as a person does: look at a page, think, decide; now and then search. The first seconds are not counted."""
    headers = {"x-reviewer": name, "sec-fetch-site": "same-origin"}
    rng = random.Random(name)
    decided = 0
    async with aiohttp.ClientSession(base, headers=headers) as session:
        await asyncio.sleep(rng.random() * think)
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
            await asyncio.sleep(rng.uniform(0.5, 1.5) * think)
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
    order = rng.choice(("newest", "relevance"))
    started = time.perf_counter()
    async with session.get(f"/recipes/{RECIPE}/search", params={"q": words, "sort": order}) as answer:
        await answer.read()
        if answer.status == 200:
            times[f"search_{order}"].append((time.perf_counter() - started) * 1000)


async def _all_people(base: str, people: int, *, seconds: float, think: float, times: dict[str, list[float]]) -> int:
    names = [f"reviewer {number}" for number in range(people)]
    work = [review_by_http(base, name, seconds=seconds, think=think, times=times) for name in names]
    return sum(await asyncio.gather(*work))


def serve_people(location: str, *, items: int, people: int, seconds: float) -> dict[str, Any]:
    """Fill a queue, let people review it, and return what they waited for."""
    queue = open_queue(location)
    import_rate = fill(queue, items, 1)
    queue.close()
    return {"scale": items, "scale_import_per_s": round(import_rate), **let_review(location, people=people, seconds=seconds)}


def let_review(
    location: str, *, people: int, seconds: float, think: float = THINK_SECONDS, with_browser: bool = False
) -> dict[str, Any]:
    """Serve a queue to people who review it, one of them in a browser if asked for, and return what they waited for."""
    port = free_port()
    server = start_server(location, port)
    times: dict[str, list[float]] = {"next": [], "submit": [], "search_newest": [], "search_relevance": []}
    base = f"http://127.0.0.1:{port}"
    try:
        with ThreadPoolExecutor(1) as pool:
            keys = pool.submit(press_keys, base, RECIPE, seconds=seconds) if with_browser else None
            decided = asyncio.run(_all_people(base, people, seconds=seconds, think=think, times=times))
            times |= {"key_to_paint": keys.result()} if keys else {}
    finally:
        server.terminate()
        server.wait()
    times["search"] = times["search_newest"] + times["search_relevance"]
    return {
        "people": people,
        "think_s": think,
        "decided_per_s": round(decided / seconds, 1),
        **{f"{name}_p{p}_ms": percentile(times[name], p / 100) for name in times for p in (50, 95, 99)},
    }


def percentile(values: list[float], share: float) -> float | None:
    """Return a percentile, rounded; None without values."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1) if ordered else None


class Ran(NamedTuple):
    """What a command cost."""

    seconds: float
    peak_mb: float


def run_command(*arguments: str, home: Path, url: str) -> Ran:
    """Run `tunewright review ...`. Raises RuntimeError if it fails."""
    environment = os.environ | {"TUNEWRIGHT_HOME": str(home), "TUNEWRIGHT_DATABASE_URL": url}
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "pipelines.cli", "review", *arguments], env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"tunewright review {arguments[0]} ended with {process.returncode}")
    return Ran(round(time.perf_counter() - started, 1), round(usage.ru_maxrss / 1024, 1))


def write_items(path: Path, num: int) -> None:
    """Write items as the file that a user would import."""
    with path.open("wb") as file:
        for item in make_items(num):
            file.write(json_line({"item": as_row(item)}))


@contextlib.contextmanager
def _database(name: str) -> Iterator[str]:
    """Give the URL of the database that is asked for; empty: SQLite in the home."""
    if name == "sqlite":
        yield ""
        return
    with temporary_postgres(durable=True) as url:
        yield url


def measure(folder: Path, url: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Take items in, out and through people's hands, and return the figures."""
    source, target = folder / "items.jsonl", folder / "out.jsonl"
    write_items(source, arguments.items)
    taken = run_command("import", str(source), "--queue", RECIPE, home=folder, url=url)
    print(f"import: {taken}", flush=True)
    given = run_command("export", str(target), "--queue", RECIPE, home=folder, url=url)
    print(f"export: {given}", flush=True)
    with target.open("rb") as file:
        assert sum(1 for _ in file) == arguments.items, "the export has not all items"
    source.unlink()
    target.unlink()
    location = url or str(folder / "review.db")
    people = {"people": arguments.clients, "seconds": arguments.seconds, "think": arguments.think}
    found = let_review(location, **people, with_browser=arguments.browser)
    inout = {
        "import_s": taken.seconds,
        "import_peak_mb": taken.peak_mb,
        "export_s": given.seconds,
        "export_peak_mb": given.peak_mb,
    }
    return {"items": arguments.items, **inout, **found, "database": arguments.database}


def main() -> None:
    """Parse the options, run, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="5,000 items, 8 seconds: under a minute")
    parser.add_argument("--items", type=int, help="default 1,000,000")
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--clients", type=int, default=20, help="people who review")
    parser.add_argument("--think", type=float, default=THINK_SECONDS, help="seconds that people take for an item (1)")
    parser.add_argument("--browser", action="store_true", help="one of them in Chromium, by the keyboard")
    parser.add_argument("--seconds", type=float, help="how long they do (120; quick: 8)")
    arguments = parser.parse_args()
    arguments.items = arguments.items or (5_000 if arguments.quick else 1_000_000)
    arguments.seconds = arguments.seconds or (8.0 if arguments.quick else 120.0)
    with tempfile.TemporaryDirectory() as folder, _database(arguments.database) as url:
        print(json.dumps(measure(Path(folder), url, arguments)))


if __name__ == "__main__":
    main()
