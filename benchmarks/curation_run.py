"""A whole curation run over real data: read, screened, checked, de-duplicated, decontaminated, judged; then one row is edited.

REALDATA_DIR=... python -m benchmarks.curation_run [--quick]        the last line is JSON

The second run starts from the store of the first with one row of one file changed: `rerun_rows` counts the rows that single-row
work was done on again. Reading the one file that changed and comparing all rows with each other is done again as well.
"""

import argparse
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.curation_sources import sources
from curation.curate.intake import TakenIn, take_in
from curation.curate.row_checks import RowCheck
from curation.curate.settings import CurateSettings
from curation.curate.stage import Curated, curate
from curation.ids import merkle_root
from curation.ingest.config import SourceConfig
from curation.ingest.sources import list_shards
from curation.records import Example, PreferencePair, Rejection, UnpairedPreference
from curation.store import Store, TableRef

QUICK = ("alpaca", "dpo", "kto", "glaive", "chats", "gsm8k_test", "httpx_docs", "aqua", "abcd")
VERSION = "benchmark"
ROWS = {"examples": Example, "pairs": PreferencePair, "unpaired": UnpairedPreference}


class Run:
    """One run: what was taken in, what curation made of it, and where the time went."""

    def __init__(self, store: Store, found: Sequence[SourceConfig], before: "Run | None" = None) -> None:
        self.seconds: Counter[str] = Counter()
        started = time.perf_counter()
        settings = CurateSettings(licenses={source.name: source.license for source in found})
        self.taken: dict[str, tuple[str, TakenIn]] = {}
        for source in found:
            fingerprint = merkle_root(shard.fingerprint for shard in list_shards(source))
            old = before.taken.get(source.name) if before else None
            if old is not None and old[0] == fingerprint:
                self.taken[source.name] = old
                continue
            self.taken[source.name] = (fingerprint, take_in(store, source, f"{source.name}-0of1", settings))
        self._lap("read and screen", started)
        rows = {name: self._read(store, name) for name in ROWS}
        known = list(store.read_table(RowCheck, before.checks.root)) if before else []
        self._lap("read from the store", started)
        self.curated: Curated = curate(*rows.values(), settings, version=VERSION, known=known)  # type: ignore[arg-type]
        self.seconds.update(self.curated.seconds)
        writing = time.perf_counter()
        self.checks: TableRef = store.write_table(RowCheck, self.curated.row_checks)
        for name, cls in ROWS.items():
            store.write_table(cls, getattr(self.curated, name))
        store.write_table(Rejection, self.curated.rejections)
        self.seconds["write to the store"] = time.perf_counter() - writing
        self.total = time.perf_counter() - started
        self.num_rows = sum(item.rows_in for _, item in self.taken.values())

    def _lap(self, step: str, started: float) -> None:
        self.seconds[step] = time.perf_counter() - started - sum(self.seconds.values())

    def _read(self, store: Store, name: str) -> list[Any]:
        tables = [item.tables[name] for _, item in self.taken.values() if name in item.tables]
        return [row for table in tables for row in store.read_table(ROWS[name], table.root)]


def edit_one_row(path: Path) -> None:
    """Change the answer of the first row of a JSON Lines file or a JSON list."""
    rows = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    rows[0]["answer"] = rows[0]["answer"].replace("####", "So that is it.\n####", 1)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def print_run(title: str, run: Run) -> None:
    """Print one run as a table."""
    print(f"\n{title}: {run.num_rows:,} rows in {run.total:.1f} s, {run.curated.num_checked:,} worked on by themselves")
    for step, seconds in run.seconds.most_common():
        print(f"  {step:<22} {seconds:>8.2f} s  {seconds / run.total:>6.1%}")


def print_reasons(run: Run) -> None:
    """Print what was kept and why the rest was not."""
    curated = run.curated
    print(f"\nkept {len(curated.examples):,} examples, {len(curated.pairs):,} pairs, {len(curated.unpaired):,} rated answers")
    for reason, count in Counter(rejection.reason for rejection in curated.rejections).most_common(25):
        print(f"  {reason:<34} {count:>7,}")
    for alarm in curated.alarms[:5]:
        print(f"  alarm: {alarm[:150]}")


def main() -> None:
    """Run twice and print the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few small sources instead of all")
    quick = parser.parse_args().quick
    if not os.environ.get("REALDATA_DIR"):
        sys.exit("set REALDATA_DIR to the unpacked real data")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "data"
        shutil.copytree(os.environ["REALDATA_DIR"], folder)
        found = [source for source in sources(folder) if not quick or source.name in QUICK]
        store = Store(str(Path(temporary) / "store"))
        first = Run(store, found)
        edit_one_row(folder / "gsm8k/data/test.jsonl")
        second = Run(store, found, first)
    print_run("first run", first)
    print_run("one row edited", second)
    print_reasons(first)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    figures = {
        "rows": first.num_rows,
        "rows_per_s": round(first.num_rows / first.total),
        "rss_gb": round(peak, 2),
        "rerun_rows": second.curated.num_checked,
        "seconds": round(first.total, 1),
        "rerun_seconds": round(second.total, 1),
        "shares": {step: round(seconds / first.total, 3) for step, seconds in first.seconds.most_common()},
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
