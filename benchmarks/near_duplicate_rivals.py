"""How other libraries de-duplicate the rows of the benchmark, each as its documentation shows, each in a venv of its own.

Every code below reads a JSON list of rows, times itself from rows in memory to the list of removed positions, and prints
{"seconds": ..., "removed": [...]}. The recommended settings were published for long web documents; the second entry of a
library is a setting that suits short rows better.
"""

from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.rivals import rival_python, run_rival

RENSA = """
import json, sys, time
from rensa import RMinHash, RMinHashDeduplicator
arguments = json.loads(sys.argv[1])
rows = json.load(open(arguments["rows"]))
start = time.perf_counter()
finder = RMinHashDeduplicator(threshold=arguments["threshold"], num_perm=128, use_lsh=True, num_bands=arguments["bands"])
removed, size = [], 4096
for first in range(0, len(rows), size):
    part = rows[first : first + size]
    prints = RMinHash.from_token_sets([row.lower().split() for row in part], num_perm=128, seed=42)
    added = finder.add_pairs([(str(first + at), one) for at, one in enumerate(prints)])
    removed += [first + at for at, new in enumerate(added) if not new]
print(json.dumps({"seconds": time.perf_counter() - start, "removed": removed}))
"""

DATASKETCH = """
import json, sys, time
from datasketch import MinHash, MinHashLSH
arguments = json.loads(sys.argv[1])
rows = json.load(open(arguments["rows"]))
start = time.perf_counter()
index, removed = MinHashLSH(threshold=arguments["threshold"], num_perm=128), []
for at, row in enumerate(rows):
    text = row.lower()
    parts = [text[i : i + 5] for i in range(len(text) - 4)] if arguments["chars"] else text.split()
    one = MinHash(num_perm=128)
    one.update_batch([part.encode() for part in parts])
    if index.query(one):
        removed.append(at)
    else:
        index.insert(at, one)
print(json.dumps({"seconds": time.perf_counter() - start, "removed": removed}))
"""

SEMHASH = """
import json, sys, time, zlib
import numpy as np
from semhash import SemHash

class HashedWords:
    def encode(self, inputs, **_):
        seen, out = {}, np.zeros((len(inputs), 256), dtype=np.float32)
        for at, text in enumerate(inputs):
            for word in text.lower().split():
                if word not in seen:
                    seen[word] = np.random.default_rng(zlib.crc32(word.encode())).standard_normal(256).astype(np.float32)
                out[at] += seen[word]
        return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)

arguments = json.loads(sys.argv[1])
rows = json.load(open(arguments["rows"]))
start = time.perf_counter()
records = [{"text": row, "id": str(at)} for at, row in enumerate(rows)]
found = SemHash.from_records(records, columns=["text"], model=HashedWords()).self_deduplicate(threshold=arguments["threshold"])
kept = {int(record["id"]) for record in found.selected}
print(json.dumps({"seconds": time.perf_counter() - start, "removed": [at for at in range(len(rows)) if at not in kept]}))
"""

DATATROVE = """
import json, os, shutil, sys, tempfile, time
from datatrove.data import Document
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter

def main():
    arguments = json.loads(sys.argv[1])
    rows = json.load(open(arguments["rows"]))
    folder = tempfile.mkdtemp()
    os.makedirs(folder + "/in")
    for part in range(2):
        with open(f"{folder}/in/{part}.jsonl", "w") as file:
            for at in range(part, len(rows), 2):
                file.write(json.dumps({"text": rows[at], "id": str(at)}) + chr(10))
    config = MinhashConfig(n_grams=arguments["grams"], num_buckets=14, hashes_per_bucket=8)
    reader = JsonlReader(folder + "/in")
    steps = [
        ([reader, MinhashDedupSignature(output_folder=folder + "/signatures", config=config)], 2),
        ([MinhashDedupBuckets(folder + "/signatures", folder + "/buckets", config=config)], 14),
        ([MinhashDedupCluster(folder + "/buckets", folder + "/remove", config=config)], 1),
        ([reader, MinhashDedupFilter(folder + "/remove"), JsonlWriter(folder + "/out", compression=None)], 2),
    ]
    start = time.perf_counter()
    for number, (pipeline, tasks) in enumerate(steps):
        LocalPipelineExecutor(pipeline=pipeline, tasks=tasks, workers=min(2, tasks), logging_dir=f"{folder}/logs{number}").run()
    seconds = time.perf_counter() - start
    kept = set()
    for name in os.listdir(folder + "/out"):
        kept |= {int(json.loads(line)["id"]) for line in open(folder + "/out/" + name)}
    shutil.rmtree(folder)
    print(json.dumps({"seconds": seconds, "removed": [at for at in range(len(rows)) if at not in kept]}))

if __name__ == "__main__":
    main()
"""


class Rival(NamedTuple):
    """A library with one setting."""

    name: str
    packages: list[str]
    code: str
    arguments: dict[str, Any]
    what: str


RIVALS = (
    Rival("rensa", ["rensa==0.5.0"], RENSA, {"threshold": 0.7, "bands": 16}, "rensa, words, 0.7, 16 bands"),
    Rival("datasketch", ["datasketch==2.0.0"], DATASKETCH, {"threshold": 0.7, "chars": False}, "datasketch, words, 0.7"),
    Rival("datasketch_chars", ["datasketch==2.0.0"], DATASKETCH, {"threshold": 0.6, "chars": True}, "datasketch, 5-grams, 0.6"),
    Rival(
        "datatrove",
        ["datatrove[io,processing]==0.10.1", "orjson", "spacy"],
        DATATROVE,
        {"grams": 5},
        "datatrove, word 5-grams (default)",
    ),
    Rival(
        "datatrove_words", ["datatrove[io,processing]==0.10.1", "orjson", "spacy"], DATATROVE, {"grams": 1}, "datatrove, words"
    ),
    Rival("semhash", ["semhash==0.5.0"], SEMHASH, {"threshold": 0.9}, "semhash, hashed words (its model needs a network), 0.9"),
)


def run_rivals(rows: Path, quick: bool) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return what each rival that could be installed and came to an end removed, and its seconds; the first two if quick."""
    found = {}
    for rival in RIVALS[:2] if quick else RIVALS:
        python = rival_python(rival.name.partition("_")[0], rival.packages)
        result = run_rival(python, rival.code, {"rows": str(rows), **rival.arguments}) if python else None
        if result is not None:
            found[rival.name] = (rival.what, result)
    return found
