"""Nobody reviews what somebody else holds, each item is seen by exactly as many as asked, and nobody waits.

    python -m benchmarks.review_queue [--quick] [--database sqlite|postgresql|both] [--scale 1000000]     last line: JSON

First part, on each database, with an overlap of 1 and of 3: 50 clients claim and decide 20,000 items as fast as they can,
and try to get stale holds accepted: a used one, one given back, one that ran out, one of somebody else, a made-up one.
On SQLite the clients are threads of the one server process; on PostgreSQL they are spread over five processes.

    served_twice      times that an item was given to more people than it should be
    wrong_overlap     items that were not decided by exactly `overlap` different people
    stale_accepted    stale submissions that were recorded

Second part, on SQLite: the real server over HTTP with `--scale` items, and 20 reviewers who take a second for each item.

    next_p99_ms       getting the page of the next item, as long as a reviewer waits for it
    submit_p99_ms     recording a verdict and claiming the next item
    search_p95_ms     a full-text search, while all others work
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import sqlalchemy as sa

from benchmarks.review_items import make_items
from curation.database import Database
from curation.errors import TunewrightError
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.queue import ReviewQueue
from curation.review.queue.claims import Lease
from curation.review.queue.vote import Vote
from tests.postgres_server import find_binaries, temporary_postgres

RECIPE = "benchmark"
STALE_SHARE = 0.12
PROCESSES = 5
THINK_SECONDS = 1.0
WARM_UP_SECONDS = 3.0


@dataclass
class Seen:
    """What clients saw: who was served which item, who decided it, and what became of stale holds."""

    served: list[tuple[str, str]] = field(default_factory=list)
    decided: list[tuple[str, str]] = field(default_factory=list)
    stale_tried: int = 0
    stale_accepted: int = 0
    next_ms: list[float] = field(default_factory=list)
    submit_ms: list[float] = field(default_factory=list)


def open_queue(location: str) -> ReviewQueue:
    """Open the queue of the benchmark."""
    return ReviewQueue(Database.open(location, concern="review", migrations=schema.MIGRATIONS), RECIPE)


def fill(queue: ReviewQueue, num: int, overlap: int) -> float:
    """Put items into the queue and return how many went in a second."""
    started = time.perf_counter()
    queue.sync_items(make_items(num), ReviewConfig(overlap=overlap))
    return num / (time.perf_counter() - started)


# -- first part: as fast as they can -----------------------------------------------------------------------------------


def review_all(queue: ReviewQueue, name: str, seen: Seen) -> None:
    """Claim and decide until nothing is left, with an attempt to cheat now and then."""
    rng = random.Random(name)
    while True:
        started = time.perf_counter()
        lease = queue.claim(name)
        seen.next_ms.append((time.perf_counter() - started) * 1000)
        if lease is None:
            return
        seen.served.append((lease.item_key, name))
        trick = rng.choice(TRICKS) if rng.random() < STALE_SHARE else None
        if trick is not None:
            lease = trick(queue, lease, seen)
            if lease is None:
                continue
        started = time.perf_counter()
        queue.record([_vote(lease)])
        seen.submit_ms.append((time.perf_counter() - started) * 1000)
        seen.decided.append((lease.item_key, name))
        if rng.random() < STALE_SHARE:
            _try(queue, _vote(lease), seen)  # a hold that was used


def _vote(lease: Lease, **changes: Any) -> Vote:
    values = {"item_key": lease.item_key, "reviewer": lease.reviewer, "generation": lease.generation, "decision": "approve"}
    return Vote(**(values | changes))


def _try(queue: ReviewQueue, vote: Vote, seen: Seen) -> None:
    seen.stale_tried += 1
    try:
        queue.record([vote])
    except TunewrightError:
        return
    seen.stale_accepted += 1


def _give_back(queue: ReviewQueue, lease: Lease, seen: Seen) -> Lease | None:
    queue.release(lease)
    _try(queue, _vote(lease), seen)
    seen.served.remove((lease.item_key, lease.reviewer))
    return None


def _let_it_run_out(queue: ReviewQueue, lease: Lease, seen: Seen) -> Lease | None:
    one = "recipe = :recipe AND item_key = :item AND slot = :slot AND generation = :generation"
    run_out = sa.text(f"UPDATE review_slots SET expires_at = 1 WHERE {one}")
    values = {"recipe": RECIPE, "item": lease.item_key, "slot": lease.slot, "generation": lease.generation}
    queue.database.write(lambda connection: connection.execute(run_out, values))
    _try(queue, _vote(lease), seen)
    seen.served.remove((lease.item_key, lease.reviewer))
    return None


def _steal(queue: ReviewQueue, lease: Lease, seen: Seen) -> Lease | None:
    _try(queue, _vote(lease, reviewer="thief"), seen)
    return lease


def _make_up(queue: ReviewQueue, lease: Lease, seen: Seen) -> Lease | None:
    _try(queue, _vote(lease, generation=lease.generation + 1), seen)
    _try(queue, _vote(lease, generation=lease.generation - 1), seen)
    return lease


TRICKS = (_give_back, _let_it_run_out, _steal, _make_up)


def run_clients(location: str, names: list[str]) -> Seen:
    """Let threads of this process review everything."""
    queue = open_queue(location)
    found = [Seen() for _ in names]
    threads = [threading.Thread(target=review_all, args=(queue, name, seen)) for name, seen in zip(names, found, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue.close()
    return merge(found)


def merge(found: list[Seen]) -> Seen:
    """Put what several clients saw together."""
    total = Seen()
    for seen in found:
        for name in total.__dataclass_fields__:
            setattr(total, name, getattr(total, name) + getattr(seen, name))
    return total


def _client_process(location: str, names: list[str], queue: Any) -> None:
    queue.put(run_clients(location, names))


def race(location: str, *, clients: int, items: int, overlap: int, processes: int) -> dict[str, Any]:
    """Run the first part once and return what went wrong and how long it took."""
    queue = open_queue(location)
    import_rate = fill(queue, items, overlap)
    names = [f"reviewer {number}" for number in range(clients)]
    started = time.perf_counter()
    if processes == 1:
        seen = run_clients(location, names)
    else:
        context = multiprocessing.get_context("spawn")
        results = context.Queue()
        parts = [names[start::processes] for start in range(processes)]
        workers = [context.Process(target=_client_process, args=(location, part, results)) for part in parts]
        for worker in workers:
            worker.start()
        seen = merge([results.get() for _ in workers])
        for worker in workers:
            worker.join()
    seconds = time.perf_counter() - started
    queue.verify_chain()
    found = judge(queue, seen, items, overlap)
    queue.close()
    return found | {
        "verdicts_per_s": round(len(seen.decided) / seconds, 1),
        "import_per_s": round(import_rate),
        "saturated_next_p99_ms": percentile(seen.next_ms, 0.99),
        "saturated_submit_p99_ms": percentile(seen.submit_ms, 0.99),
    }


def judge(queue: ReviewQueue, seen: Seen, items: int, overlap: int) -> dict[str, Any]:
    """Compare what clients saw with what should be, and with what the database holds."""
    served: dict[str, list[str]] = {}
    for key, name in seen.served:
        served.setdefault(key, []).append(name)
    people: dict[str, set[str]] = {}
    for verdict in queue.verdicts_after(0):
        people.setdefault(verdict.key, set()).add(verdict.reviewer)
    acknowledged = {(key, name) for key, name in seen.decided}
    stored = {(key, name) for key, names in people.items() for name in names}
    assert acknowledged == stored, "acknowledged and stored verdicts differ"
    wrong = items - sum(len(names) == overlap for names in people.values())
    return {
        "served_twice": sum(max(0, len(names) - overlap) for names in served.values()),
        "wrong_overlap": wrong,
        "stale_tried": seen.stale_tried,
        "stale_accepted": seen.stale_accepted,
    }


# -- second part: people over HTTP -------------------------------------------------------------------------------------

SERVER = """
import sys
import uvicorn
from pathlib import Path
from benchmarks.review_queue import HeaderIdentity, open_queue
from curation.review.web.app import create_app
queue = open_queue(sys.argv[1])
app = create_app({queue.recipe: queue}, HeaderIdentity())
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


def main() -> None:
    """Run both parts and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer items: under a minute")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--items", type=int, help="items of the first part (20,000; quick: 600)")
    parser.add_argument("--scale", type=int, help="items of the second part (1,000,000; quick: 5,000)")
    parser.add_argument("--people", type=int, default=20, help="reviewers of the second part")
    parser.add_argument("--seconds", type=float, help="how long they review (120; quick: 8)")
    arguments = parser.parse_args()
    items = arguments.items or (600 if arguments.quick else 20_000)
    scale = arguments.scale or (5_000 if arguments.quick else 1_000_000)
    seconds = arguments.seconds or (8 if arguments.quick else 120)
    databases = ["sqlite", "postgresql"] if arguments.database == "both" else [arguments.database]
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in databases:
            found[name] = run_races(name, Path(folder), arguments.clients, items)
            print(name, json.dumps(found[name]), flush=True)
        people = serve_people(f"{folder}/people.db", items=scale, people=arguments.people, seconds=seconds)
        print("people", json.dumps(people), flush=True)
    races = [race for of_database in found.values() for race in of_database.values()]
    names = ("served_twice", "wrong_overlap", "stale_tried", "stale_accepted")
    total = {name: sum(race[name] for race in races) for name in names}
    told = {"clients": arguments.clients, "items": items, **total, **people, "database": "+".join(found), "races": found}
    print(json.dumps(told))


def run_races(name: str, folder: Path, clients: int, items: int) -> dict[str, Any]:
    """Run the first part on one database, with an overlap of 1 and of 3."""
    if name == "sqlite":
        return {
            f"overlap_{overlap}": race(f"{folder}/race{overlap}.db", clients=clients, items=items, overlap=overlap, processes=1)
            for overlap in (1, 3)
        }
    if find_binaries() is None:
        print("no PostgreSQL server binaries on this machine: that part is left out", flush=True)
        return {}
    results = {}
    with temporary_postgres(durable=True) as url:
        for overlap in (1, 3):
            admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
            with admin.connect() as connection:
                connection.exec_driver_sql(f"CREATE DATABASE race{overlap}")
            admin.dispose()
            location = url.rpartition("/")[0] + f"/race{overlap}"
            results[f"overlap_{overlap}"] = race(location, clients=clients, items=items, overlap=overlap, processes=PROCESSES)
    return results


if __name__ == "__main__":
    main()
