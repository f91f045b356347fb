"""What 100 kills at random moments cost: replies lost, replies paid twice, and what one more row and a changed question cost.

python -m benchmarks.ledger_kills [--quick]        the last line is JSON

A process asks a counting endpoint (20 to 50 ms a reply, in a process of its own) for one block of rows after another, through
`complete_all` and the ledger. It is killed with SIGKILL at a random moment of its life, the opening of the ledger included,
and started again. (It is forked, so that its life is not spent with imports.)

    lost                  replies that were in the ledger, or that the process had already used, and are not there any more
    paid_twice_share      replies that the endpoint sent although it had sent one to the same question before, as a share of all
                          questions. A reply counts as sent when it leaves the endpoint for a client that is still there. A kill
                          costs what arrives in the time of one commit, so the share falls with the time between kills:
                          with --quick they come every 2 s, and it is several times that of the full run, every 8 s
    asked_twice_share     the same for requests that came in, answered or not: what an endpoint that never notices would bill
    in_flight_bound_ok    after no kill more questions were open (asked, no reply in the ledger) than the engine had slots
    added_row_requests    requests for 1,002 rows of which 1,001 are in the ledger
    stale_replies         of 20 changes of prompt, endpoint, parameter, schema, model, revision and sample index: old replies
"""

import argparse
import json
import os
import random
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.counting_server import CountingServer, counting_server
from curation.chat_model import ChatRequest, request_id
from curation.home import Home
from curation.records import Message
from curation.synthesis.engine.complete import complete_all
from curation.synthesis.ledger.request_ledger import open_ledger
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.openai_model import OpenAIChatModel

CONCURRENCY = 16
ROWS_PER_BLOCK = 1001
NUM_KILLS, QUICK_KILLS = 100, 8
LONGEST_LIFE_SECONDS, QUICK_LIFE_SECONDS = 16.0, 4.0
SETTLE_SECONDS = 0.15
SYSTEM = "Answer in one word."


def make_request(number: int) -> ChatRequest:
    """Return the question of a row."""
    messages = (Message(role="system", content=SYSTEM), Message(role="user", content=f"question {number}"))
    return ChatRequest(messages=messages, parameters={"temperature": 0.7})


def make_config(url: str, **more: Any) -> TeacherConfig:
    """Return the teacher."""
    return TeacherConfig(**{"kind": "openai", "model": "m", "base_url": url, "concurrency": CONCURRENCY} | more)


def make_home(folder: Path) -> Home:
    """Return where the ledger is."""
    return Home(path=folder, store_url=str(folder / "store"), database_url="", review_url="")


def work(url: str, folder: Path, block: int) -> None:
    """Ask for one block of rows after the other, for ever; say which rows were used, block by block."""
    teacher = OpenAIChatModel(make_config(url))
    used = os.open(folder / "used.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with open_ledger(make_home(folder)) as ledger:
        while True:
            requests = [make_request(number) for number in range(block * ROWS_PER_BLOCK, (block + 1) * ROWS_PER_BLOCK)]
            done = complete_all(requests, teacher, ledger, concurrency=CONCURRENCY, max_attempts=4)
            names = [item.request_id for item in done if item.reply is not None]
            os.write(used, "".join(f"{name}\n" for name in names).encode())
            block += 1


@dataclass
class Kills:
    """What the kills did."""

    num_kills: int = 0
    num_lost: int = 0
    most_open: int = 0
    """Questions that were asked and not in the ledger, at most, after one kill."""
    seen: set[str] = field(default_factory=set)
    """Replies that were in the ledger at some time."""


def kill_often(server: CountingServer, folder: Path, num_kills: int, longest_life: float, seed: int) -> Kills:
    """Start the work, kill it, and look at what is left, again and again."""
    kills, moments = Kills(), random.Random(seed)
    while kills.num_kills < num_kills:
        process = _start_work(server.url, folder, _next_block(folder))
        time.sleep(moments.uniform(0.0, longest_life))
        os.kill(process, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL, "the work ended by itself"
        time.sleep(SETTLE_SECONDS)
        kills.num_kills += 1
        _look(server, folder, kills)
        if kills.num_kills % 10 == 0:
            print(
                f"{kills.num_kills} kills: {len(kills.seen)} replies, {kills.num_lost} lost, {kills.most_open} open at most",
                flush=True,
            )
    return kills


def _start_work(url: str, folder: Path, block: int) -> int:
    process = os.fork()
    if process == 0:
        try:
            work(url, folder, block)
        finally:
            os._exit(1)
    return process


def _next_block(folder: Path) -> int:
    """Return the first block that was not used to its end."""
    return len(_used(folder)) // ROWS_PER_BLOCK


def _used(folder: Path) -> list[str]:
    path = folder / "used.log"
    return path.read_text().split() if path.exists() else []


def _look(server: CountingServer, folder: Path, kills: Kills) -> None:
    """Compare the ledger with what it held before, with what was used, and with what the endpoint was asked."""
    stored = _stored_ids(folder)
    kills.num_lost += len((kills.seen | set(_used(folder))) - stored)
    kills.seen |= stored
    kills.most_open = max(kills.most_open, len(server.count_asked()) - len(stored))


def _stored_ids(folder: Path) -> set[str]:
    if not (folder / "ledger.db").exists():
        return set()
    engine = sa.create_engine(f"sqlite:///{folder / 'ledger.db'}")
    try:
        with engine.connect() as connection:
            return set(connection.execute(sa.text("SELECT key FROM teacher_calls")).scalars())
    except sa.exc.OperationalError:  # killed before the table was there
        return set()
    finally:
        engine.dispose()


def finish(server: CountingServer, folder: Path) -> int:
    """Ask once more for everything that was ever begun, without a kill; return the number of rows."""
    num_blocks = _next_block(folder) + 1
    requests = [make_request(number) for number in range(num_blocks * ROWS_PER_BLOCK)]
    _complete(make_config(server.url), folder, requests)
    return len(requests)


def _complete(config: TeacherConfig, folder: Path, requests: Sequence[ChatRequest]) -> list[str]:
    """Return the texts of the replies."""
    teacher = OpenAIChatModel(config)
    try:
        with open_ledger(make_home(folder)) as ledger:
            done = complete_all(requests, teacher, ledger, concurrency=CONCURRENCY, max_attempts=4)
    finally:
        teacher.close()
    assert all(item.reply is not None for item in done)
    return [item.reply.text for item in done if item.reply is not None]


def add_one_row(server: CountingServer, folder: Path) -> int:
    """Return the requests that one row more costs, among 1,001 that are answered."""
    rows = [make_request(number) for number in range(ROWS_PER_BLOCK)]
    _complete(make_config(server.url), folder, rows)
    before = server.count_asked().total()
    _complete(make_config(server.url), folder, [*rows[:500], make_request(-1), *rows[500:]])
    return server.count_asked().total() - before


def count_stale(server: CountingServer, folder: Path) -> int:
    """Change one thing at a time, 20 times, and count replies that were given before."""
    base = make_request(0)
    seen = set(_complete(make_config(server.url), folder, [base]))
    changes = _changes(server.url, base)
    assert len(changes) == 20
    assert len({request_id(OpenAIChatModel(config), request) for config, request in changes}) == 20
    num_stale = 0
    for config, request in changes:
        before = server.count_asked().total()
        (text,) = _complete(config, folder, [request])
        num_stale += text in seen or server.count_asked().total() != before + 1
        seen.add(text)
    return num_stale


def _changes(url: str, base: ChatRequest) -> list[tuple[TeacherConfig, ChatRequest]]:
    config = make_config(url)
    systems = [SYSTEM + " ", SYSTEM.lower(), "Answer in two words.", ""]
    endpoints = [url.replace("/v1", "/v2"), url.replace("127.0.0.1", "localhost"), f"{url}/x"]
    parameters: list[dict[str, Any]] = [
        {"temperature": 0.70001},
        {"temperature": 0.7, "seed": 1},
        {"temperature": 0.7, "top_p": 1},
        {},
    ]
    schemas: list[dict[str, Any]] = [{"type": "object"}, {"type": "object", "title": "a"}, {}]
    changes = [(config, replace(base, messages=(Message(role="system", content=text), base.messages[1]))) for text in systems]
    changes += [(make_config(endpoint), base) for endpoint in endpoints]
    changes += [(config, replace(base, parameters=values)) for values in parameters]
    changes += [(config, replace(base, schema=schema)) for schema in schemas]
    changes += [(make_config(url, model=name), base) for name in ("m2", "M")]
    changes += [(make_config(url, revision=name), base) for name in ("r1", "r2")]
    return changes + [(config, replace(base, sample_index=number)) for number in (1, -1)]


def measure(folder: Path, num_kills: int, longest_life: float, seed: int) -> dict[str, Any]:
    """Return the figures of the last line."""
    with counting_server(folder) as server:
        kills = kill_often(server, folder, num_kills, longest_life, seed)
        num_rows = finish(server, folder)
        lost = kills.num_lost + len(kills.seen - _stored_ids(folder))
        asked, paid = server.count_asked(), server.count_paid()
        return {
            "kills": kills.num_kills,
            "rows": num_rows,
            "lost": lost,
            "paid_twice_share": round((paid.total() - len(paid)) / num_rows, 6),
            "asked_twice_share": round((asked.total() - len(asked)) / num_rows, 6),
            "most_open_after_a_kill": kills.most_open,
            "concurrency": CONCURRENCY,
            "in_flight_bound_ok": kills.most_open <= CONCURRENCY,
            "added_row_requests": add_one_row(server, folder),
            "stale_replies": count_stale(server, folder),
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="8 kills, under a minute")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    kills, life = (QUICK_KILLS, QUICK_LIFE_SECONDS) if arguments.quick else (NUM_KILLS, LONGEST_LIFE_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), kills, life, arguments.seed)))


if __name__ == "__main__":
    main()
