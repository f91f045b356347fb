"""How well near duplicates are found, and how fast, next to rensa, datasketch, datatrove and semhash on the same rows.

python -m benchmarks.near_duplicates [--quick] [--no-rivals]        the last line is JSON

Precision and recall are over removed rows: of a cluster of k copies, k - 1 should go. Times run from rows in memory to the
list of removed rows; machine code is compiled before. `cpu_s` is CPU time of all threads, which a busy machine does not
change. The siblings are 1,356 rows that look alike and ask for different things: none may go.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from benchmarks.near_duplicate_corpus import KINDS, make_corpus
from benchmarks.near_duplicate_rivals import run_rivals
from curation.duplicates.near_duplicates import Candidate, Resolved, resolve
from curation.duplicates.near_pairs import find_near_classes
from curation.garbage import collector_paused

THRESHOLD = 0.6
COUNTRIES = "France Spain Italy Norway Sweden Poland Greece Egypt Kenya India China Japan Brazil Chile Peru Canada Mexico Cuba"
COUNTRIES += " Iceland Ireland"


@collector_paused()
def find_removed(rows: list[str], *, guard: bool = True, threshold: float = THRESHOLD) -> Resolved:
    """Remove near duplicates as a curation run does: candidates, verification, guard, choice of the survivor."""
    label = ("all",)
    candidates = [Candidate(row, label, label) for row in rows]
    return resolve(candidates, find_near_classes(rows, threshold), guard=guard)


def make_siblings() -> list[str]:
    """Return 1,000 products, 336 dates and 20 capitals."""
    products = [f"What is {one} times {two}?" for one in range(3, 103) for two in range(7, 17)]
    days = [date(2024, 1, 1) + timedelta(days=at) for at in range(336)]
    dates = [f"Which day of the week was {day.isoformat()}, and how many days were left in that month?" for day in days]
    return [*products, *dates, *(f"What is the capital of {country}?" for country in COUNTRIES.split())]


def score(removed: list[int], clusters: list[int]) -> tuple[float, float]:
    """Return precision and recall of the removed rows; the last row of a cluster must not go."""
    sizes, gone = Counter(clusters), Counter(clusters[at] for at in removed)
    right = sum(min(number, sizes[cluster] - 1) for cluster, number in gone.items())
    return right / max(1, len(removed)), right / sum(size - 1 for size in sizes.values())


def recall_by_kind(removed: list[int], clusters: list[int], kinds: list[str]) -> dict[str, float]:
    """Return which share of the copies of each kind was told from its original (whichever of the two went)."""
    gone = {clusters[at] for at in removed}
    copies = [(kind, cluster in gone) for kind, cluster in zip(kinds, clusters, strict=True) if kind in KINDS]
    return {
        kind: sum(found for name, found in copies if name == kind) / sum(name == kind for name, _ in copies) for kind in KINDS
    }


def measure(num_rows: int, repeats: int) -> dict[str, Any]:
    """Measure our own finder on a corpus of a size; the time is that of the quickest run."""
    rows, clusters, kinds = make_corpus(num_rows)
    find_removed(rows[:2500])
    times = []
    for _ in range(repeats):
        started, cpu = time.perf_counter(), time.process_time()
        removed = list(find_removed(rows).found)
        times.append((time.perf_counter() - started, time.process_time() - cpu))
    seconds, cpu_s = min(times)
    precision, recall = score(removed, clusters)
    return {
        "rows": num_rows,
        "seconds": seconds,
        "cpu_s": cpu_s,
        "rows_per_s": num_rows / seconds,
        "precision": precision,
        "recall": recall,
        "rss_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "chars_per_row": sum(map(len, rows)) / num_rows,
        "by_kind": recall_by_kind(removed, clusters, kinds),
    }


def measure_in_child(num_rows: int, repeats: int) -> dict[str, Any]:
    """Measure in a fresh process, so that its peak memory is that of one run (the rows included)."""
    command = [sys.executable, "-m", "benchmarks.near_duplicates", "--rows", str(num_rows), "--repeats", str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def measure_guard(num_rows: int) -> dict[str, Any]:
    """Measure what the sibling guard saves, and what it costs on planted copies."""
    siblings = make_siblings()
    rows, clusters, _ = make_corpus(num_rows, seed=7)
    recalls = [score(list(find_removed(rows, guard=guard).found), clusters)[1] for guard in (True, False)]
    return {
        "siblings": len(siblings),
        "siblings_removed": len(find_removed(siblings).found),
        "siblings_removed_without_guard": len(find_removed(siblings, guard=False).found),
        "guard_recall_loss": recalls[1] - recalls[0],
    }


def measure_rivals(num_rows: int, quick: bool) -> dict[str, dict[str, Any]]:
    """Measure the rivals on the same corpus."""
    rows, clusters, _ = make_corpus(num_rows)
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        file.write_text(json.dumps(rows))
        for name, (what, result) in run_rivals(file, quick).items():
            precision, recall = score(result["removed"], clusters)
            figures[name] = {
                "what": what,
                "precision": precision,
                "recall": recall,
                "seconds": result["seconds"],
                "rows_per_s": num_rows / result["seconds"],
            }
    return figures


def _show(name: str, figures: dict[str, Any]) -> None:
    print(
        f"{name:<58} {figures['seconds']:>8.1f} s {figures['rows_per_s']:>9,.0f} rows/s"
        f"   precision {figures['precision']:.4f}   recall {figures['recall']:.4f}"
    )


def main() -> None:
    """Measure, print a table, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10,000 and 30,000 rows, two rivals")
    parser.add_argument("--no-rivals", action="store_true", help="our own figures only")
    parser.add_argument("--rows", type=int, default=0, help="only measure our own finder on so many rows")
    parser.add_argument("--repeats", type=int, default=1, help="with --rows: how often, the quickest counts")
    given = parser.parse_args()
    if given.rows:
        print(json.dumps(measure(given.rows, given.repeats)))
        return
    small, large = (10_000, 30_000) if given.quick else (100_000, 1_000_000)
    ours = measure_in_child(small, repeats=3)
    _show(f"ours, {small:,} rows", ours)
    million = measure_in_child(large, repeats=1)
    _show(f"ours, {large:,} rows", million)
    guard = measure_guard(small)
    print(f"{'peak memory at ' + format(large, ',') + ' rows':<58} {million['rss_gb']:>8.2f} GB")
    bare, cost = guard["siblings_removed_without_guard"], guard["guard_recall_loss"]
    print(f"{'siblings removed':<58} {guard['siblings_removed']:>8} of {guard['siblings']:,}", end="")
    print(f" ({bare:,} without the guard, whose cost is {cost:.4f} of recall)")
    print(f"{'recall by kind':<58} {ours['by_kind']}")
    rivals = {} if given.no_rivals else measure_rivals(small, given.quick)
    for figures in rivals.values():
        _show(figures["what"], figures)
    result = {key: ours[key] for key in ("precision", "recall", "rows_per_s", "cpu_s", "chars_per_row", "by_kind")}
    of_large = {
        "seconds_1m": "seconds",
        "cpu_s_1m": "cpu_s",
        "rss_gb_1m": "rss_gb",
        "precision_1m": "precision",
        "recall_1m": "recall",
    }
    result |= {name: None if given.quick else million[figure] for name, figure in of_large.items()}
    result |= {**guard, "rivals": rivals}
    print(json.dumps(result, default=float))


if __name__ == "__main__":
    main()
