"""Duplicates among real records with known answers: 3,337 child-care sites of 10 lists, 6,608 true pairs (dedupe_true_ids).

REALDATA_DIR=... python -m benchmarks.duplicates_truth [--quick] [--no-rivals]        the last line is JSON

The near-duplicate engine proposes pairs whose address, name or both are alike; a pair scores by its fields (weights below);
pairs above a threshold are joined. The threshold is chosen on the rows of one half of the true clusters (best F1) and
scored on the rows of the other half. The rival is what many would write first: datasketch MinHash LSH on the record as one
text, its threshold and its kind of shingle chosen on the same half.
"""

import argparse
import csv
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.rivals import rival_python, run_rival
from curation.duplicates.clusters import Clusters
from curation.duplicates.near_pairs import find_near_pairs
from curation.ids import stable_fraction

FILE = "dedupe_true_ids/csv_example_input_with_true_ids.csv"
THRESHOLDS = [number / 100 for number in range(20, 100)]
ADDRESS, NAME, PHONE, ZIP = 0.5, 0.2, 0.2, 0.1
"""Weights of the fields; a field that one of the two lacks does not count."""
SAME_PHONE, CLOSE_HOUSE, OTHER_HOUSE = 0.8, 0.6, 0.3
"""What remains of the score of two records whose house numbers differ: with one phone, at most 20 apart, else."""

_STREET_WORDS = {"street": "st", "avenue": "ave", "av": "ave", "boulevard": "blvd", "road": "rd", "drive": "dr", "place": "pl"}
_STREET_WORDS |= {"parkway": "pkwy", "north": "n", "south": "s", "east": "e", "west": "w", "court": "ct", "terrace": "ter"}
_DROPPED = {"st", "ave", "blvd", "rd", "dr", "pl", "pkwy", "ct", "ter", "chicago", "il", "floor", "fl", "suite"}
_NAME_DROPPED = {"inc", "the", "of", "and", "center", "school", "learning", "child", "care", "development", "day", "early"}
_NAME_DROPPED |= {"childhood", "public", "schools", "chicago", "head", "start", "academy", "site", "blended", "ctr"}

RIVAL_CODE = """
import json, sys
from datasketch import MinHash, MinHashLSH
arguments = json.loads(sys.argv[1])
rows = json.load(open(arguments["rows"]))
out = []
for kind in ("words", "chars"):
    prints = []
    for row in rows:
        text = row.lower()
        one = MinHash(num_perm=128)
        parts = text.split() if kind == "words" else [text[i : i + 5] for i in range(len(text) - 4)]
        one.update_batch([part.encode() for part in parts])
        prints.append(one)
    for threshold in arguments["thresholds"]:
        index = MinHashLSH(threshold=threshold, num_perm=128)
        for at, one in enumerate(prints):
            index.insert(at, one)
        pairs = {(other, at) for at, one in enumerate(prints) for other in index.query(one) if other < at}
        out.append({"kind": kind, "threshold": threshold, "pairs": sorted(pairs)})
print(json.dumps(out))
"""


class Site(NamedTuple):
    """A record, its fields normalised."""

    cluster: str
    name: str
    house: str
    street: str
    zip_code: str
    phone: str
    raw: str


class Score(NamedTuple):
    """Pairwise figures."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Return the harmonic mean."""
        return 2 * self.precision * self.recall / max(1e-9, self.precision + self.recall)


def read_sites(file: Path) -> list[Site]:
    """Read and normalise the records."""
    with file.open(encoding="utf-8", newline="") as lines:
        return [_site(row) for row in csv.DictReader(lines)]


def _site(row: dict[str, str]) -> Site:
    words = [_STREET_WORDS.get(word, word) for word in re.findall(r"[a-z0-9]+", row["Address"].lower())]
    words = [re.sub(r"^(\d+)(?:st|nd|rd|th)$", r"\1", word) for word in words]
    house = words[0] if words and words[0].isdigit() else ""
    street = [word for word in words[bool(house) :] if word not in _DROPPED and not (len(word) == 5 and word.startswith("606"))]
    name = [word for word in re.findall(r"[a-z0-9]+", row["Site name"].lower().replace("'", "")) if word not in _NAME_DROPPED]
    found_zip = re.findall(r"\b606\d\d\b", f"{row['Zip']} {row['Address']}")
    phone = re.sub(r"\D", "", row["Phone"])[-7:]
    raw = " ".join(row[field].replace("\n", " ").strip() for field in ("Site name", "Address", "Zip", "Phone"))
    return Site(row["True Id"], " ".join(name), house, " ".join(street), (found_zip or [""])[0], phone, raw)


def propose(sites: list[Site]) -> set[tuple[int, int]]:
    """Return the pairs that the engine finds by address, by name, by house and phone, by name and address."""
    views = (
        [f"{site.house} {site.street}" for site in sites],
        [f"{site.house} {site.phone}" for site in sites],
        [f"{site.name} {site.phone}" for site in sites],
        [f"{site.name} {site.house} {site.street}" for site in sites],
        [f"{site.name} {site.street}" for site in sites],
    )
    return {pair for view in views for pair in _pairs_of(view)}


def _pairs_of(texts: list[str]) -> Iterable[tuple[int, int]]:
    """Return similar pairs; texts that are equal are all paired with each other."""
    members: dict[str, list[int]] = {}
    for at, text in enumerate(texts):
        members.setdefault(text, []).append(at)
    groups = list(members.values())
    yield from (pair for group in groups for pair in combinations(group, 2))
    found = find_near_pairs(list(members), 0.5)
    for left, right in zip(found.left.tolist(), found.right.tolist(), strict=True):
        yield from ((min(one, two), max(one, two)) for one in groups[left] for two in groups[right])


def similarity(one: Site, two: Site) -> float:
    """Return how alike two records are, 0 to 1."""
    parts = [(ADDRESS, _alike(one.street, two.street))] if one.street and two.street else []
    parts += [(NAME, _alike(one.name, two.name))] if one.name and two.name else []
    parts += [(PHONE, float(one.phone == two.phone))] if one.phone and two.phone else []
    parts += [(ZIP, float(one.zip_code == two.zip_code))] if one.zip_code and two.zip_code else []
    total = sum(weight * value for weight, value in parts) / max(1e-9, sum(weight for weight, _ in parts))
    return total * _house_factor(one, two)


def _house_factor(one: Site, two: Site) -> float:
    if one.house == two.house:
        return 1.0
    if one.phone and one.phone == two.phone:
        return SAME_PHONE
    is_close = bool(one.house and two.house) and abs(int(one.house) - int(two.house)) <= 20
    return CLOSE_HOUSE if is_close else OTHER_HOUSE


def _alike(one: str, two: str) -> float:
    mine, theirs = _grams(one), _grams(two)
    return len(mine & theirs) / len(mine | theirs)


def _grams(text: str) -> set[str]:
    text = f" {text} "
    return {text[at : at + 3] for at in range(max(1, len(text) - 2))}


def join(pairs: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return all pairs of records that hang together."""
    clusters = Clusters()
    for one, two in pairs:
        clusters.join(one, two)
    return {pair for group in clusters.groups() for pair in combinations(group, 2)}


def score(found: set[tuple[int, int]], truth: set[tuple[int, int]], rows: set[int]) -> Score:
    """Return pairwise precision and recall among some rows."""
    mine = {pair for pair in found if pair[0] in rows and pair[1] in rows}
    right = len(mine & truth)
    return Score(right / max(1, len(mine)), right / max(1, sum(one in rows and two in rows for one, two in truth)))


def measure(sites: list[Site], truth: set[tuple[int, int]], halves: tuple[set[int], set[int]]) -> dict[str, float]:
    """Choose the threshold on the first half, score on the second."""
    started = time.perf_counter()
    scored = [(pair, similarity(sites[pair[0]], sites[pair[1]])) for pair in propose(sites)]
    chosen, other = halves
    within = [[item for item in scored if item[0][0] in half and item[0][1] in half] for half in halves]
    best = max(THRESHOLDS, key=lambda least: score(join(p for p, value in within[0] if value >= least), truth, chosen).f1)
    result = score(join(pair for pair, value in within[1] if value >= best), truth, other)
    bound = score({pair for pair, _ in scored}, truth, other)
    return {
        "threshold": best,
        "precision": result.precision,
        "recall": result.recall,
        "f1": result.f1,
        "candidate_recall": bound.recall,
        "seconds": time.perf_counter() - started,
    }


def measure_rival(
    sites: list[Site], truth: set[tuple[int, int]], halves: tuple[set[int], set[int]], quick: bool
) -> dict[str, Any]:
    """Score datasketch, its setting chosen on the first half."""
    python = rival_python("datasketch", ["datasketch==2.0.0"])
    if python is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        file.write_text(json.dumps([site.raw for site in sites]))
        thresholds = [0.5, 0.7, 0.9] if quick else [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
        runs: Any = run_rival(python, RIVAL_CODE, {"rows": str(file), "thresholds": thresholds}) or []
    chosen, other = halves
    settings = [(run["kind"], run["threshold"], {(one, two) for one, two in run["pairs"]}) for run in runs]
    if not settings:
        return {}
    kind, threshold, pairs = max(settings, key=lambda setting: score(setting[2], truth, chosen).f1)
    result = score(pairs, truth, other)
    return {"setting": f"{kind}, {threshold}", "precision": result.precision, "recall": result.recall, "f1": result.f1}


def main() -> None:
    """Measure, print a table, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer settings of the rival")
    parser.add_argument("--no-rivals", action="store_true", help="our own figures only")
    given = parser.parse_args()
    if "REALDATA_DIR" not in os.environ:
        sys.exit("REALDATA_DIR is not set: unpack the real data and set it to the folder")
    sites = read_sites(Path(os.environ["REALDATA_DIR"]) / FILE)
    truth = {pair for pair in combinations(range(len(sites)), 2) if sites[pair[0]].cluster == sites[pair[1]].cluster}
    first = {at for at, site in enumerate(sites) if stable_fraction(site.cluster, "half") < 0.5}
    halves = (first, set(range(len(sites))) - first)
    ours = measure(sites, truth, halves)
    rival = {} if given.no_rivals else measure_rival(sites, truth, halves, given.quick)
    print(f"{len(sites):,} records, {len(truth):,} true pairs; scored on {len(halves[1]):,} records")
    for name, figures in (("ours", ours), ("datasketch", rival)):
        if figures:
            print(f"{name:<12} precision {figures['precision']:.4f}   recall {figures['recall']:.4f}   F1 {figures['f1']:.4f}")
    print(json.dumps({"rows": len(sites), "true_pairs": len(truth), **ours, "rivals": {"datasketch": rival} if rival else {}}))


if __name__ == "__main__":
    main()
