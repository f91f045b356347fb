"""How fast a teacher is asked, and how well an undisclosed limit is used, next to other libraries at the same server.

python -m benchmarks.teacher [--quick] [--no-rivals]        the last line is JSON

The server is on this machine, in a process of its own, and answers after 50 ms. Throughput is 100-way, with every reply
committed to the ledger; the CPU time is that of the client's process, which a busy machine changes little. Under the cap the
server lets 100 requests a second through and answers 429 to others, and says so in no header.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.teacher_rivals import run_rivals
from benchmarks.teacher_server import teacher_server
from curation.chat_model import ChatRequest
from curation.database import Database
from curation.records import Message
from curation.synthesis.engine.complete import complete_all, report_calls
from curation.synthesis.ledger.request_ledger import MIGRATIONS, RequestLedger
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.openai_model import OpenAIChatModel

CAPS = ("bucket:100:10", "window:100", "sliding:100")


def make_requests(number: int) -> list[ChatRequest]:
    """Return distinct requests of 60 words."""
    text = "Write one question that this passage answers, and the answer in its own words. " * 3
    return [
        ChatRequest(messages=(Message(role="user", content=f"{text}Passage {at}."),), parameters={"max_tokens": 64})
        for at in range(number)
    ]


def ask(number: int, cap: str) -> dict[str, Any]:
    """Ask so many things and return what it took."""
    with (
        teacher_server(cap=cap) as server,
        tempfile.TemporaryDirectory() as folder,
        RequestLedger(Database.open(Path(folder) / "ledger.db", concern="ledger", migrations=MIGRATIONS)) as ledger,
    ):
        teacher = OpenAIChatModel(TeacherConfig(kind="openai", model="m", base_url=server.url))
        requests = make_requests(number)
        started, cpu = time.perf_counter(), time.process_time()
        report = report_calls(complete_all(requests, teacher, ledger, concurrency=100, max_attempts=4))
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu
        teacher.close()
        seen, stored = server.stats(), ledger.totals().num_calls
    return {
        "requests": number,
        "answered": report.num_calls,
        "stored": stored,
        "requests_per_s": report.num_calls / seconds,
        "cpu_ms_per_request": 1000 * cpu_s / number,
        "share_429": seen["limited"] / (seen["ok"] + seen["limited"]),
        "most_in_flight": seen["most_in_flight"],
    }


def show(name: str, free: dict[str, Any], capped: dict[str, Any] | None) -> None:
    """Print a line of the table."""
    line = f"{name:<34} {free['requests_per_s']:>8.0f} requests/s"
    line += f" {free['cpu_ms_per_request']:>7.2f} ms CPU" if free.get("cpu_ms_per_request") is not None else ""
    if capped:
        line += f"   cap of 100/s: {capped['requests_per_s']:>6.1f} used, {100 * capped['share_429']:>6.2f} % refused"
        line += f", {capped['answered']:,} of {capped['requests']:,} answered"
    print(line, flush=True)


def main() -> None:
    """Measure, print a table, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3,000 requests, 1,500 under one cap, no rivals but the plain SDK")
    parser.add_argument("--no-rivals", action="store_true", help="our own figures only")
    given = parser.parse_args()
    free = ask(3000 if given.quick else 20_000, "none")
    caps = {cap: ask(1500 if given.quick else 5000, cap) for cap in (CAPS[:1] if given.quick else CAPS)}
    for cap, capped in caps.items():
        show(f"ours ({cap})", free, capped)
    rivals = {} if given.no_rivals else run_rivals(CAPS[0], quick=given.quick)
    for name, figures in rivals.items():
        show(name, figures["free"], figures.get("capped"))
    result = {
        "requests_per_s": free["requests_per_s"],
        "cpu_ms_per_request": free["cpu_ms_per_request"],
        "cap_used": min(capped["requests_per_s"] for capped in caps.values()),
        "share_429": max(capped["share_429"] for capped in caps.values()),
        "most_in_flight": free["most_in_flight"],
        "lost": free["requests"] - free["stored"],
        "caps": caps,
        "rivals": rivals,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
