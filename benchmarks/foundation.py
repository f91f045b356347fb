"""How fast the foundation is: rows into the store and back, beside plain Parquet; one edited row; replies into the ledger.

python -m benchmarks.foundation [--quick]        the last line is JSON

Plain Parquet writes the same rows as one file without ids, hashes or shards: the price of content addressing is the ratio.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from curation.chat_model import ChatReply, ChatRequest, request_id
from curation.home import Home
from curation.records import Example, Message, Provenance, SourceSpan
from curation.store import Store
from curation.synthesis.ledger.request_ledger import RequestLedger, open_ledger
from curation.synthesis.teachers.extractive import ExtractiveTeacher
from curation.tables import from_arrow, to_arrow


def make_examples(num_rows: int) -> list[Example]:
    """Return rows of the size that a real data set has."""
    span = SourceSpan(document_key="api/name", document_hash="0" * 32, start=0, end=80)
    provenance = Provenance(origin="synthetic", method="routing", spans=(span,), request_ids=("1" * 32,), teacher="extractive")
    return [
        Example(
            key=f"api/object.{number}#routing/0",
            task="routing",
            messages=(
                Message(role="user", content=f"What do I call to make thing number {number} do what it should do?"),
                Message(role="assistant", content='{"part":"strings"}'),
            ),
            group=f"object{number // 5}",
            provenance=provenance,
        )
        for number in range(num_rows)
    ]


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure_store(folder: Path, num_rows: int) -> dict[str, float]:
    """Measure writing, reading and editing one row of a table, beside plain Parquet."""
    rows, store, plain = make_examples(num_rows), Store(str(folder / "store")), folder / "plain.parquet"
    write = seconds_of(lambda: store.write_table(Example, rows))
    root = store.write_table(Example, rows).root
    read = seconds_of(lambda: list(store.read_table(Example, root)))
    plain_write = seconds_of(lambda: pq.write_table(to_arrow(Example, rows), plain, compression="zstd"))
    plain_read = seconds_of(lambda: list(from_arrow(Example, pq.read_table(plain))))
    before = set((folder / "store" / "shards").rglob("*.parquet"))
    edited = [replace(rows[0], group="other"), *rows[1:]]
    edit = seconds_of(lambda: store.write_table(Example, edited))
    return {
        "write_rows_per_s": num_rows / write,
        "read_rows_per_s": num_rows / read,
        "plain_write_rows_per_s": num_rows / plain_write,
        "plain_read_rows_per_s": num_rows / plain_read,
        "edit_one_row_s": edit,
        "shards_written_by_an_edit": len(set((folder / "store" / "shards").rglob("*.parquet")) - before),
    }


def measure_ledger(folder: Path, num_replies: int) -> dict[str, float]:
    """Measure replies committed one after the other: each is on disk before the next."""
    teacher = ExtractiveTeacher()
    reply = ChatReply(text="{}", finish_reason="stop", prompt_tokens=9, completion_tokens=9, cost_usd=0.0, raw="{}")
    home = Home(path=folder, store_url=str(folder / "store"), database_url="", review_url="")
    with open_ledger(home) as ledger:
        took = seconds_of(lambda: _put_all(ledger, teacher, reply, num_replies))
    return {"ledger_commits_per_s": num_replies / took}


def _put_all(ledger: RequestLedger, teacher: ExtractiveTeacher, reply: ChatReply, num_replies: int) -> None:
    for number in range(num_replies):
        request = ChatRequest(messages=(Message(role="user", content=str(number)),))
        ledger.put(request_id(teacher, request), teacher, request, reply)


def main() -> None:
    """Measure, print a table, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20,000 rows instead of 200,000")
    num_rows = 20_000 if parser.parse_args().quick else 200_000
    with tempfile.TemporaryDirectory() as folder:
        figures = {"rows": num_rows, **measure_store(Path(folder), num_rows), **measure_ledger(Path(folder), num_rows // 50)}
    for name, value in figures.items():
        print(f"{name:<28} {value:>14,.2f}")
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
