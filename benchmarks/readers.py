"""Readers: how fast each format streams, and how much memory a large JSON Lines file takes on its way to records.

python -m benchmarks.readers [--quick]        the last line is JSON

The large file (2 GB and more; --quick 200 MB) is made here: chats of about 2 KB a row, one bad line in ten thousand. A child
process reads it through `iterate_shard`, which is what the pipeline does, and reports its own peak memory; another one
parses the rows only. Plain `json.loads` line by line, without checks, stands beside them.
"""

import argparse
import gzip
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from curation.ingest.config import SourceConfig
from curation.ingest.readers.limits import Limits
from curation.ingest.readers.opening import ReadOptions, open_rows
from curation.ingest.readers.unwrapping import unwrap
from curation.ingest.rows import BadRow
from curation.ingest.sources import iterate_shard
from curation.records import Rejection

GIGABYTE, MEGABYTE = 10**9, 10**6
BAD_EVERY = 10_000
WORDS = (
    "order",
    "sent",
    "back",
    "after",
    "ten",
    "days",
    "because",
    "its",
    "size",
    "did",
    "not",
    "fit",
    "new",
    "one",
    "your",
    "way",
)


def make_rows() -> Iterator[dict[str, str]]:
    """Yield rows of about 2 KB, each with words of its own."""
    chance = random.Random(0)
    answers = [" ".join(chance.choices(WORDS, k=380)) for _ in range(500)]
    number = 0
    while True:
        number += 1
        yield {
            "id": f"row-{number}",
            "question": f"What happened to order {number}, \u2018{answers[number % 499][:60]}\u2019?",
            "answer": f"Order {number}: {answers[number % 500]}",
        }


def write_lines(path: Path, size: int) -> tuple[int, int]:
    """Write a JSON Lines file of at least `size` bytes; return its rows and how many of them are bad."""
    written, number, bad = 0, 0, 0
    with path.open("wb", buffering=MEGABYTE) as file:
        for row in make_rows():
            number += 1
            line = json.dumps(row, ensure_ascii=False).encode()
            if number % BAD_EVERY == 0:
                line, bad = line[:-1], bad + 1
            written += file.write(line + b"\n")
            if written >= size:
                return number, bad
    return number, bad


def write_formats(folder: Path, size: int) -> dict[str, Path]:
    """Write the same rows in every record format, about `size` bytes each."""
    rows = [row for row, _ in zip(make_rows(), range(size // 2000), strict=False)]
    lines = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
    table = pa.Table.from_pylist(rows)
    quoted = "\n".join(",".join('"' + value.replace('"', '""') + '"' for value in row.values()) for row in rows)
    fields = ("".join(f"<{name}>{value}</{name}>" for name, value in row.items()) for row in rows)
    contents = {
        "json_lines.jsonl": lines,
        "array.json": json.dumps(rows, ensure_ascii=False).encode(),
        "object.json": json.dumps({"version": 1, "data": rows}, ensure_ascii=False).encode(),
        "table.csv": f"id,question,answer\n{quoted}\n".encode(),
        "records.xml": ("<faq>" + "".join(f"<row>{row}</row>" for row in fields) + "</faq>").encode(),
        "json_lines.jsonl.gz": gzip.compress(lines, 6),
        "json_lines.jsonl.zst": zstandard.ZstdCompressor().compress(lines),
        "utf16.jsonl": lines.decode().encode("utf-16"),
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    pq.write_table(table, folder / "table.parquet")
    with pa.ipc.new_file(str(folder / "table.arrow"), table.schema) as writer:
        writer.write_table(table, max_chunksize=1000)
    return {path.name: path for path in sorted(folder.iterdir())}


def count_rows(path: Path) -> tuple[int, int]:
    """Read a file with its reader only; return rows and bad rows."""
    rows, bad = 0, 0
    with path.open("rb") as stream:
        for file in unwrap(path.name, stream, Limits()):
            assert file.stream is not None
            for row in open_rows(file.inner_name, file.stream, ReadOptions()):
                rows += 1
                bad += isinstance(row, BadRow)
    return rows, bad


def count_records(path: Path) -> tuple[int, int]:
    """Read a file to the records that the pipeline stores; return records and rejections together, and rejections."""
    source = SourceConfig(name="large", kind="files", role="demonstrations", path=str(path))
    rows, bad = 0, 0
    for item in iterate_shard(source, "large-0of1"):
        rows += 1
        bad += isinstance(item, Rejection)
    return rows, bad


def count_plain(path: Path) -> tuple[int, int]:
    """Parse a file as most scripts do: line by line, nothing checked."""
    rows, bad = 0, 0
    with path.open(encoding="utf-8") as file:
        for line in file:
            rows += 1
            try:
                json.loads(line)
            except ValueError:
                bad += 1
    return rows, bad


MEASURES = {"rows": count_rows, "records": count_records, "plain": count_plain}


def measure_here(kind: str, path: Path) -> None:
    """Measure in this process, and print what `Measured` holds."""
    started, used = time.perf_counter(), time.process_time()
    rows, bad = MEASURES[kind](path)
    print(json.dumps([time.perf_counter() - started, time.process_time() - used, peak_memory(), rows, bad]))


def peak_memory() -> int:
    """Return the peak resident memory of this program in bytes; `ru_maxrss` would count the parent before exec, too."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Measured(NamedTuple):
    """What one pass over a file took."""

    seconds: float
    cpu_seconds: float
    peak: int
    """Bytes."""
    rows: int
    bad: int


def measure(kind: str, path: Path) -> Measured:
    """Measure in a process of its own, so that the peak is its own."""
    command = [sys.executable, "-m", "benchmarks.readers", "--child", kind, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Measured(*json.loads(done.stdout.splitlines()[-1]))


def show(name: str, size: int, found: Measured) -> None:
    """Print one line of the table."""
    rate = f"{size / MEGABYTE / found.seconds:>7.1f} MB/s {size / MEGABYTE / found.cpu_seconds:>7.1f} MB/CPU-s"
    rows = f"{found.rows / found.seconds:>9,.0f} rows/s {found.rows:>9,} rows"
    print(f"{name:<30} {size / MEGABYTE:>7.1f} MB {found.seconds:>7.2f} s {rate} {rows} {found.peak / GIGABYTE:>6.3f} GB peak")


def run(folder: Path, large: int, small: int) -> dict[str, object]:
    """Measure everything; return the figures of the last line."""
    (folder / "formats").mkdir()
    for name, path in write_formats(folder / "formats", small).items():
        show(f"reader: {name}", path.stat().st_size, measure("rows", path))
    path = folder / "large.jsonl"
    expected = write_lines(path, large)
    size = path.stat().st_size
    found = {kind: measure(kind, path) for kind in ("plain", "rows", "records")}
    for kind, measured in found.items():
        show(f"large file: {kind}", size, measured)
    records = found["records"]
    return {
        "gb": round(size / GIGABYTE, 3),
        "rss_gb": round(records.peak / GIGABYTE, 3),
        "mb_per_s": round(size / MEGABYTE / records.seconds, 1),
        "mb_per_cpu_s": round(size / MEGABYTE / records.cpu_seconds, 1),
        "rows": records.rows,
        "rejected": records.bad,
        "nothing_lost": (records.rows, records.bad) == expected == found["rows"][3:],
        "reader_mb_per_s": round(size / MEGABYTE / found["rows"].seconds, 1),
        "reader_mb_per_cpu_s": round(size / MEGABYTE / found["rows"].cpu_seconds, 1),
        "plain_json_mb_per_cpu_s": round(size / MEGABYTE / found["plain"].cpu_seconds, 1),
    }


def main() -> None:
    """Measure, print a table, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a file of 200 MB instead of 2 GB")
    parser.add_argument("--gb", type=float, default=0.0, help="size of the large file")
    parser.add_argument("--child", nargs=2, metavar=("KIND", "PATH"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        measure_here(arguments.child[0], Path(arguments.child[1]))
        return
    large = int(arguments.gb * GIGABYTE) or (200 * MEGABYTE if arguments.quick else 2100 * MEGABYTE)
    with tempfile.TemporaryDirectory() as folder:
        figures = run(Path(folder), large, 5 * MEGABYTE if arguments.quick else 50 * MEGABYTE)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
