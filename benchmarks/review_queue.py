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
import json
import multiprocessing
import random
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.review_app import RECIPE, open_queue
from benchmarks.review_server import fill, percentile, serve_people
from curation.errors import TunewrightError
from curation.review.queue import ReviewQueue
from curation.review.queue.claims import Lease
from curation.review.queue.vote import Vote
from tests.postgres_server import find_binaries, temporary_postgres

STALE_SHARE = 0.12
PROCESSES = 5


@dataclass
class Seen:
    """What clients saw: who was served which item, who decided it, and what became of stale holds."""

    served: list[tuple[str, str]] = field(default_factory=list)
    decided: list[tuple[str, str]] = field(default_factory=list)
    stale_tried: int = 0
    stale_accepted: int = 0
    next_ms: list[float] = field(default_factory=list)
    submit_ms: list[float] = field(default_factory=list)


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
