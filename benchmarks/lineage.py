"""Lineage at a million rows: is it complete, what does it weigh, and how fast are `trace` and `withdraw`?

python -m benchmarks.lineage [--rows 1000000] [--quick] [--keep FOLDER]        the last line is JSON

Rows are generated in the shape of real ones (a question from a document with verbatim spans and a teacher call, every tenth
a rewrite of another row, every fifth judged) and stored as one table, which four stages hold and a model learnt from.
`trace_ms` is the median over 50 random ids (keys and hash prefixes) of the look-up in a running process; `tunewright
trace` needs the start of Python and imports besides: `trace_process_s`. `withdraw_s` is the slowest of withdrawing a document,
a pattern, a source of a thousandth of the rows and that of all others, with the entry in the ledger; the index was written
with the tables.
"""

import argparse
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from curation.home import Home
from curation.ids import hash_text, stable_bucket, stable_fraction
from curation.lineage.completeness import missing_fields
from curation.lineage.search import find_descendants, open_table
from curation.lineage.subject import Subject
from curation.records import Document, Example, JudgeVote, Message, Provenance, SourceSpan, record_hash
from curation.store import Snapshot, Store, TableRef
from curation.table_layout import shard_path
from pipelines.trace import print_trace, trace_id
from pipelines.withdraw import withdraw

ROWS_PER_DOCUMENT = 5
TEMPLATES = ("grounded_qa/3", "raft/2", "conversation/1", "variation/4")
SENTENCE = "the valve opens when pressure in the line falls below a set point and closes after ten seconds unless held"
_RANDOM = random.Random(0)
POOL = [_RANDOM.choice(SENTENCE.split()) + str(_RANDOM.randrange(1000)) * (_RANDOM.random() < 0.2) for _ in range(50_000)]
RECIPE = "bench"
ASSETS = ("candidates", "curated_examples", "verified_examples", "sft_dataset")


def text_of(seed: str, num_words: int) -> str:
    """Return some words that depend on the seed alone."""
    start = stable_bucket(seed, len(POOL) - num_words)
    return f"{' '.join(POOL[start : start + num_words])} ({seed})"


def document_key(number: int) -> str:
    """Return the key of a document: a thousandth of them belong to the source `rare`."""
    source = "rare" if number % 1000 == 7 else "handbook"
    return f"{source}/chapter-{number // 100:04d}/section-{number % 100:02d}.md"


def row_key(document: int, number: int) -> str:
    """Return the key of a row: one of those made from a document."""
    return f"{document_key(document)}#grounded_qa/{number % ROWS_PER_DOCUMENT}"


def parents_of(number: int) -> tuple[str, ...]:
    """Return the parents of a row: every tenth is a rewrite of one from the document before."""
    document = number // ROWS_PER_DOCUMENT
    is_rewrite = stable_bucket(str(number), 10) == 0 and document > 0
    return (row_key(document - 1, number),) if is_rewrite else ()


def make_row(number: int) -> Example:
    """Return one example in the shape of real ones."""
    document, fraction = number // ROWS_PER_DOCUMENT, stable_fraction(str(number), "benchmark")
    key, parents = row_key(document, number), parents_of(number)
    template = TEMPLATES[stable_bucket(str(number), len(TEMPLATES))]
    start = stable_bucket(str(number), 3000)
    span = SourceSpan(
        document_key=document_key(document), document_hash=hash_text(f"document {document}"), start=start, end=start + 180
    )
    votes = (JudgeVote(judge="gpt-5-mini", score=round(fraction, 2), reason=text_of(f"vote {number}", 9)),)
    return Example(
        key=key,
        task="qa",
        messages=(
            Message(role="user", content=text_of(f"q{number}", 14)),
            Message(role="assistant", content=text_of(f"a{number}", 40)),
        ),
        group=document_key(document),
        split="train",
        provenance=Provenance(
            origin="synthetic",
            method="variation" if parents else "grounded_qa",
            spans=() if parents else (span,),
            request_ids=(hash_text(f"request {number // 2}"),),
            template_id=template,
            template_hash=hash_text(template),
            teacher="gpt-5-mini",
            teacher_revision="gpt-5-mini-2026-04-14",
            sampling='{"max_tokens":800,"sample":0,"temperature":0.7}',
            generation_depth=2 if parents else 1,
            parents=parents,
            license="CC-BY-4.0",
            output_terms="no_competing_models",
            votes=votes if fraction > 0.8 else (),
            terms_verdict="allowed",
        ),
    )


@dataclass(frozen=True)
class Built:
    """A home full of rows."""

    home: Home
    table: TableRef
    seconds: float
    incomplete: int


def build(folder: Path, num_rows: int) -> Built:
    """Fill a home: all stages and one model."""
    started = time.perf_counter()
    home = Home(path=folder, store_url=str(folder / "store"), database_url="", review_url="http://127.0.0.1:3001")
    store, incomplete = home.store(), 0
    with store.table_writer(Example) as writer:
        for number in range(num_rows):
            row = make_row(number)
            incomplete += bool(missing_fields(row))
            writer.add(row)
        table = writer.finish()
    for asset in ASSETS:
        put(store, asset, {"examples": table})
    put(store, "sft_model", {}, {"model": write_model(store, folder, table)})
    documents = (make_document(number) for number in range(min(num_rows // ROWS_PER_DOCUMENT, 20_000)))
    put(store, "documents", {"documents": store.write_table(Document, documents)}, partition="handbook-0of1")
    return Built(home, table, time.perf_counter() - started, incomplete)


def put(
    store: Store, asset: str, tables: dict[str, TableRef], folders: dict[str, str] | None = None, partition: str = ""
) -> None:
    """Make tables the newest version of an asset."""
    name = f"{RECIPE}/{asset}"
    store.put_snapshot(Snapshot(asset=name, partition=partition, version="1", tables=tables, folders=folders or {}))


def make_document(number: int) -> Document:
    """Return one source document."""
    key = document_key(number)
    return Document(
        key=key,
        source=key.partition("/")[0],
        title=key,
        kind="markdown",
        text=text_of(key, 80),
        sections=(),
        group=key,
        license="CC-BY-4.0",
        output_terms="",
    )


def write_model(store: Store, folder: Path, table: TableRef) -> str:
    """Store a model folder that says what it was trained on."""
    work = folder / "work" / "model"
    work.mkdir(parents=True, exist_ok=True)
    (work / "manifest.json").write_text(json.dumps({"data": {"examples": table.root}, "parent": "", "seed": 0}))
    return store.put_folder(work)


@dataclass(frozen=True)
class Weight:
    """Bytes a row, compressed, in Parquet; and those of the index beside it."""

    provenance: float
    whole: float
    index: float
    by_column: dict[str, float]


def weigh(built: Built) -> Weight:
    """Add up the column chunks of all shards of the table."""
    store, sizes, whole = built.home.store(), dict[str, int](), 0
    for shard in store.read_manifest(built.table.root)["shards"]:
        data = store.files.read_bytes(shard_path(shard["hash"]))
        whole += len(data)
        metadata = pq.read_metadata(pa.BufferReader(data))
        for group in range(metadata.num_row_groups):
            for number in range(metadata.num_columns):
                column = metadata.row_group(group).column(number)
                name = column.path_in_schema
                sizes[name] = sizes.get(name, 0) + column.total_compressed_size
    rows = built.table.num_rows
    mine = {name: size / rows for name, size in sizes.items() if name.startswith(("provenance", "group", "split"))}
    index = sum(file.stat().st_size for file in (built.home.path / "store" / "lineage").rglob("*.arrow"))
    return Weight(sum(mine.values()), whole / rows, index / rows, mine)


def sample_ids(built: Built, num_ids: int) -> Iterator[str]:
    """Yield keys, hash prefixes and request ids of random rows."""
    chosen = random.Random(1)
    for turn in range(num_ids):
        row = make_row(chosen.randrange(built.table.num_rows))
        yield (row.key, record_hash(row)[:12], row.key)[turn % 3]


def time_traces(built: Built) -> list[float]:
    """Return the milliseconds of 50 traces, each from nothing but the home, with what is printed."""
    quiet, found = Console(file=io.StringIO(), width=200), list[float]()
    for id in sample_ids(built, 50):
        started = time.perf_counter()
        print_trace(trace_id(built.home, id), quiet)
        found.append((time.perf_counter() - started) * 1000)
    return found


def time_requests(built: Built) -> float:
    """Return the median milliseconds to find the rows of a teacher call in one table."""
    chosen, found = random.Random(2), []
    for _ in range(20):
        wanted = make_row(chosen.randrange(built.table.num_rows)).provenance.request_ids[0]
        started = time.perf_counter()
        table = open_table(built.home.store(), built.table.root)
        assert table.find_request(wanted)
        found.append((time.perf_counter() - started) * 1000)
    return statistics.median(found)


def time_process(built: Built) -> float:
    """Return the seconds of `tunewright trace KEY` as a command, with the start of Python."""
    command = [sys.executable, "-m", "pipelines.cli", "trace", make_row(3).key]
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "TUNEWRIGHT_HOME": str(built.home.path)})
    return time.perf_counter() - started


def time_withdrawals(built: Built) -> dict[str, tuple[float, int]]:
    """Withdraw a document, a pattern and a source; return seconds and rows reached of each, checked against a plain count."""
    found: dict[str, tuple[float, int]] = {}
    for text in (document_key(11), "handbook/chapter-0000/*", "rare", "handbook"):
        subject = Subject.parse(text)
        started = time.perf_counter()
        entry, reach = withdraw(built.home, subject, who="benchmark", reason="benchmark")
        seconds = time.perf_counter() - started
        assert entry.models != "[]", "the model learnt from these rows"
        assert reach.num_rows == len(reach.keys)
        found[text] = (seconds, reach.num_rows)
    return found


def count_plainly(built: Built, text: str) -> int:
    """Return how many rows descend from a subject, by going through all of them."""
    subject, known, children = Subject.parse(text), set[str](), dict[str, list[str]]()
    for number in range(built.table.num_rows):
        document = number // ROWS_PER_DOCUMENT
        key, parents = row_key(document, number), parents_of(number)
        for parent in parents:
            children.setdefault(parent, []).append(key)
        if subject.covers(key) or (not parents and subject.covers(document_key(document))):
            known.add(key)
    pending = list(known)
    while pending:
        fresh = [key for key in children.get(pending.pop(), ()) if key not in known]
        known.update(fresh)
        pending += fresh
    return len(known)


def measure(folder: Path, num_rows: int) -> dict[str, Any]:
    """Build, measure, print, and return the last line."""
    built = build(folder, num_rows)
    weight = weigh(built)
    for name, size in sorted(weight.by_column.items(), key=lambda item: -item[1]):
        print(f"{size:8.1f} B/row  {name}")
    print(f"{weight.whole:8.1f} B/row  whole shard files; {weight.index:.1f} B/row in the index")
    traces = time_traces(built)
    print(f"trace: median {statistics.median(traces):.1f} ms, slowest {max(traces):.1f} ms (first {traces[0]:.1f} ms)")
    withdrawn = time_withdrawals(built)
    for text, (seconds, reached) in withdrawn.items():
        print(f"withdraw {text}: {seconds:.3f} s, {reached:,} rows and documents")
    is_right = len(_rows_reached(built, "rare")) == count_plainly(built, "rare")
    return {
        "rows": num_rows,
        "complete_share": 1 - built.incomplete / num_rows,
        "bytes_per_row": round(weight.provenance, 1),
        "trace_ms": round(statistics.median(traces), 1),
        "withdraw_s": round(max(seconds for seconds, _ in withdrawn.values()), 3),
        "trace_slowest_ms": round(max(traces), 1),
        "trace_process_s": round(time_process(built), 2),
        "request_lookup_ms": round(time_requests(built), 1),
        "descendants_equal_plain_count": is_right,
        "index_bytes_per_row": round(weight.index, 1),
        "build_s": round(built.seconds, 1),
    }


def _rows_reached(built: Built, text: str) -> list[str]:
    table = open_table(built.home.store(), built.table.root)
    return table.keys(find_descendants([table], [Subject.parse(text)])[0])


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="20,000 rows: under a minute")
    parser.add_argument("--keep", type=Path, help="build the home here, and leave it there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(arguments.keep or Path(folder), 20_000 if arguments.quick else arguments.rows)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
