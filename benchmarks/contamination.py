"""How well contamination is found: planted copies of evaluation items, and rewritten ones.

python -m benchmarks.contamination [--quick] [--cache FOLDER]        the last line is JSON

1. A training set of invented words, half of it from six templates, with five copies of each of 2,000 items (100,000 rows).
   Rivals on the same rows: "any shared 8-gram" (the rule of open-instruct's decontamination, re-implemented here in a few
   lines), and the Janitor of lm-evaluation-harness (13-grams), installed on demand.
2. With REALDATA_DIR: the rewritten GSM8K test of llm-decontaminator against the GSM8K test, with the GSM8K training set as
   the clean side. Thresholds are chosen on one half of both and scored on the other. Then its rewritten HumanEval.
"""

import argparse
import contextlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.contamination_corpus import KINDS, Corpus, make_corpus
from benchmarks.rivals import rival_python, run_rival
from curation.contamination.config import ContaminationConfig
from curation.contamination.find import ContaminationIndex, find_contamination
from curation.contamination.items import EvalItem
from curation.contamination.paraphrases import Neighbour, ParaphraseIndex, find_neighbours, needed_cosine
from curation.contamination.word_hashes import words_of
from curation.embedding.choose import open_embedder
from curation.embedding.embedder import Embedder
from curation.errors import EmbeddingModelMissingError
from curation.records import Example, Message, Provenance

MAX_FALSE_ALARMS = 0.005
"""Share of clean rows that the calibration half may flag: half of the target, so that the other half stays below it."""
JANITOR = """
import contextlib, io, json, sys, time
arguments = json.loads(sys.argv[1])
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    from lm_eval.decontamination.janitor import Janitor
data = json.load(open(arguments["file"]))
started = time.perf_counter()
janitor = Janitor(minimum_slice_length=0)
for item in data["items"]:
    janitor.register_contaminant_python(item)
flagged = [number for number, row in enumerate(data["rows"]) if janitor.clean_python(row) != [row]]
print(json.dumps({"flagged": flagged, "seconds": time.perf_counter() - started}))
"""


def example(key: str, prompt: str, answer: str) -> Example:
    """Return a training row."""
    messages = (Message(role="user", content=prompt), Message(role="assistant", content=answer))
    return Example(
        key=key, task="qa", messages=messages, group=key, provenance=Provenance(origin="human", method="demonstration")
    )


class Score(NamedTuple):
    """Precision and recall over flagged rows."""

    precision: float
    recall: float


def score_rows(flagged: set[int], corpus: Corpus) -> Score:
    """Compare the flagged rows with the planted ones."""
    planted = {row for row, item in enumerate(corpus.planted_item) if item >= 0}
    right = len(flagged & planted)
    return Score(right / max(1, len(flagged)), right / len(planted))


def measure_planted(num_clean: int, num_items: int, folder: Path) -> dict[str, Any]:
    """Find the planted copies; the index of items is made once and not timed with the rows (it takes milliseconds)."""
    corpus = make_corpus(num_clean, num_items)
    rows = [example(f"train/{number}", text, "ok") for number, text in enumerate(corpus.rows)]
    items = [EvalItem(key=str(number), benchmark="bench", prompt=text) for number, text in enumerate(corpus.items)]
    config = ContaminationConfig()
    index = ContaminationIndex.build(items, config)
    find_contamination(rows[:1000], index, config)
    walls, cpus = [], []
    for _ in range(5):
        wall, cpu = time.perf_counter(), time.process_time()
        report = find_contamination(rows, index, config)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    flagged = {int(key.split("/")[1]) for key in report.contaminated_rows}
    ours = score_rows(flagged, corpus)
    right = sum(str(corpus.planted_item[int(pair.record_key.split("/")[1])]) == pair.item_key for pair in report.pairs)
    show("Tunewright", ours, len(rows) / min(walls))
    kinds = {kind: [row for row, name in enumerate(corpus.kinds) if name == kind] for kind in KINDS}
    for kind, members in kinds.items():
        print(f"    {kind:<18} recall {sum(row in flagged for row in members) / len(members):.4f}")
    figures = {
        "rows": len(rows), "precision": ours.precision, "recall": ours.recall, "rows_per_s": len(rows) / min(walls),
        "rows_per_cpu_s": len(rows) / min(cpus), "pair_precision": right / max(1, len(report.pairs)),
    }  # fmt: skip
    return figures | measure_naive(corpus) | measure_janitor(corpus, folder)


def measure_naive(corpus: Corpus, size: int = 8) -> dict[str, float]:
    """The usual rule: a row is contaminated if it shares any run of 8 words with an item."""
    started = time.perf_counter()
    known = {run for text in corpus.items for run in runs_of(text, size)}
    flagged = {row for row, text in enumerate(corpus.rows) if not known.isdisjoint(runs_of(text, size))}
    rate = len(corpus.rows) / (time.perf_counter() - started)
    score = score_rows(flagged, corpus)
    show("any 8-gram", score, rate)
    return {"naive_8gram_precision": score.precision, "naive_8gram_recall": score.recall, "naive_8gram_rows_per_s": rate}


def runs_of(text: str, size: int) -> set[tuple[str, ...]]:
    """Return all runs of so many words."""
    words = words_of(text)
    return {tuple(words[start : start + size]) for start in range(len(words) - size + 1)}


def measure_janitor(corpus: Corpus, folder: Path) -> dict[str, float]:
    """lm-evaluation-harness 0.4.13 in its Python mode, 13-grams, everything else as it comes."""
    python = rival_python("lm-eval-janitor", ["--no-deps", "lm_eval==0.4.13"])
    file = folder / "corpus.json"
    file.write_text(json.dumps({"rows": corpus.rows, "items": corpus.items}))
    result = run_rival(python, JANITOR, {"file": str(file)}) if python else None
    if result is None:
        return {}
    score, rate = score_rows(set(result["flagged"]), corpus), len(corpus.rows) / result["seconds"]
    show("lm-eval Janitor", score, rate)
    return {"janitor_precision": score.precision, "janitor_recall": score.recall, "janitor_rows_per_s": rate}


def show(name: str, score: Score, rate: float) -> None:
    """Print one line of the table."""
    print(f"{name:<22} precision {score.precision:.4f}  recall {score.recall:.4f}  {rate:>10,.0f} rows/s")


class Side(NamedTuple):
    """Rows, and for each the neighbours among the items."""

    rows: list[Example]
    near: list[list[Neighbour]]


def found_share(side: Side, config: ContaminationConfig, *, cosine_only: bool = False) -> float:
    """Return the share of rows that a rule flags."""
    return len(found_rows(side, config, cosine_only=cosine_only)) / max(1, len(side.rows))


def found_rows(side: Side, config: ContaminationConfig, *, cosine_only: bool = False) -> list[int]:
    """Return the rows that have a neighbour which counts."""
    return [
        number
        for number, near in enumerate(side.near)
        if any(item.cosine >= (config.cosine if cosine_only else needed_cosine(item.agreement, config)) for item in near)
    ]


def without_answers(rows: Sequence[Example]) -> list[Example]:
    """Return the questions alone, so that numbers and names are the only evidence."""
    return [example(row.key, row.prompt[0].content, "") for row in rows]


def halves(side: Side) -> tuple[Side, Side]:
    """Return the rows of even and of odd number."""
    return Side(side.rows[0::2], side.near[0::2]), Side(side.rows[1::2], side.near[1::2])


def neighbours(rows: Sequence[Example], items: Sequence[EvalItem], embedder: Embedder, lowest: float) -> Side:
    """Embed the rows and the items, and return the neighbours of each row."""
    index = ParaphraseIndex.build(items, embedder)
    near: list[list[Neighbour]] = [[] for _ in rows]
    for found in find_neighbours(rows, index, embedder, lowest):
        near[found.row].append(found)
    return Side(list(rows), near)


def measure_paraphrases(embedder: Embedder, folder: Path, num_rows: int | None) -> dict[str, Any]:
    """The rewritten GSM8K test against the test; the training set is the clean side."""
    items = [
        EvalItem(key=str(number), benchmark="gsm8k", prompt=row["question"], answer=row["answer"])
        for number, row in enumerate(read(folder / "gsm8k/data/test.jsonl")[:num_rows])
    ]
    clean = [
        example(f"train/{number}", row["question"], row["answer"])
        for number, row in enumerate(read(folder / "gsm8k/data/train.jsonl")[:num_rows])
    ]
    texts = [
        row["text"].removeprefix("Question:").partition("Answer:")
        for row in read(folder / "llm_decontaminator/data/rephrase/rephrase_gsm8k.jsonl")[:num_rows]
    ]
    rewritten = [
        example(f"rewritten/{number}", question.strip(), answer.strip()) for number, (question, _, answer) in enumerate(texts)
    ]
    started = time.perf_counter()
    lowest = 0.55
    leaks, cleans = neighbours(rewritten, items, embedder, lowest), neighbours(clean, items, embedder, lowest)
    seconds = time.perf_counter() - started
    bare_leaks = neighbours(without_answers(rewritten), items, embedder, lowest)
    bare_cleans = neighbours(without_answers(clean), items, embedder, lowest)
    (leak_fit, leak_test), (clean_fit, clean_test) = halves(leaks), halves(cleans)
    print(f"\n{embedder.name}: rewritten items found / clean rows flagged, by cosine")
    print(f"{'cosine':>8} {'cosine only':>18} {'with evidence':>18} {'no answers':>18}")
    curve = []
    for step in range(70, 94, 2):
        config = at(step / 100)
        line = [
            (found_share(leaks, config, cosine_only=True), found_share(cleans, config, cosine_only=True)),
            (found_share(leaks, config), found_share(cleans, config)),
            (found_share(bare_leaks, config), found_share(bare_cleans, config)),
        ]
        curve.append([step / 100, *(round(value, 4) for pair in line for value in pair)])
        print(f"{step / 100:>8.2f} " + " ".join(f"{found:>8.4f} / {alarms:.4f} " for found, alarms in line))
    chosen = calibrate(leak_fit, clean_fit, cosine_only=False)
    plain = calibrate(leak_fit, clean_fit, cosine_only=True)
    default = ContaminationConfig()
    return {
        "paraphrase_model": embedder.name, "chosen_cosine": chosen.cosine, "paraphrase_recall": found_share(leak_test, chosen),
        "paraphrase_false_alarms": found_share(clean_test, chosen),
        "default_recall": found_share(leaks, default), "default_false_alarms": found_share(cleans, default),
        "cosine_only_at": plain.cosine, "cosine_only_recall": found_share(leak_test, plain, cosine_only=True),
        "cosine_only_false_alarms": found_share(clean_test, plain, cosine_only=True),
        "curve": curve, "embed_seconds": seconds, "ngram_only_recall": ngram_recall(rewritten, items),
    }  # fmt: skip


def at(cosine: float) -> ContaminationConfig:
    """Return the rules with another cosine."""
    return ContaminationConfig(cosine=cosine, cosine_alone=max(cosine, ContaminationConfig().cosine_alone))


def calibrate(leaks: Side, cleans: Side, *, cosine_only: bool) -> ContaminationConfig:
    """Return the cosine that finds most at an acceptable share of false alarms; the highest of several."""
    rules = [at(step / 100) for step in range(98, 65, -1)]
    allowed = [rule for rule in rules if found_share(cleans, rule, cosine_only=cosine_only) <= MAX_FALSE_ALARMS]
    return max(allowed, key=lambda rule: (found_share(leaks, rule, cosine_only=cosine_only), rule.cosine))


def ngram_recall(rows: Sequence[Example], items: Sequence[EvalItem]) -> float:
    """Return what word runs alone find."""
    return len(find_contamination(rows, items, ContaminationConfig()).contaminated_rows) / max(1, len(rows))


def measure_humaneval(embedder: Embedder, folder: Path) -> dict[str, Any]:
    """Rewritten HumanEval solutions in Python and JavaScript; MBPP, tasks of the same kind, is the clean side."""
    root = folder / "llm_decontaminator/data"
    items = [
        EvalItem(key=str(number), benchmark="humaneval", prompt=row["text"])
        for number, row in enumerate(read(root / "test/HumanEval.jsonl"))
    ]
    clean = [
        example(f"mbpp/{number}", row["prompt"], "")
        for number, row in enumerate(read(next(folder.glob("mbpp_sanitized/**/*.jsonl"))))
    ]
    cleans = neighbours(clean, items, embedder, 0.5)
    figures: dict[str, Any] = {}
    print("\nHumanEval rewritten: found / MBPP flagged")
    for language in ("python", "js"):
        rows = [
            example(f"{language}/{number}", row["text"], "")
            for number, row in enumerate(read(root / f"rephrase/humaneval_{language}.jsonl"))
        ]
        leaks = neighbours(rows, items, embedder, 0.5)
        default, plain = ContaminationConfig(), calibrate(leaks, cleans, cosine_only=True)
        best = found_share(leaks, plain, cosine_only=True), found_share(cleans, plain, cosine_only=True)
        shares = found_share(leaks, default), found_share(cleans, default)
        print(f"  {language:<8} default {shares[0]:.4f} / {shares[1]:.4f}", end="")
        print(f"   cosine >= {plain.cosine:.2f} {best[0]:.4f} / {best[1]:.4f}")
        figures |= {
            f"humaneval_{language}_recall": found_share(leaks, default),
            f"humaneval_{language}_best_cosine_only": best[0],
        }
    return figures


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


@contextlib.contextmanager
def model(cache: str) -> Iterator[Embedder | None]:
    """Give the offline model, or None where it is not installed."""
    try:
        embedder = open_embedder("offline-minilm", cache_url=cache)
    except EmbeddingModelMissingError as error:
        print(error)
        yield None
        return
    try:
        yield embedder
    finally:
        embedder.close()


def main() -> None:
    """Measure, print tables, then the JSON line."""
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fifth of the planted rows, 250 rewritten items, no HumanEval")
    parser.add_argument("--cache", default="", help="folder where embeddings are kept for the next run")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure_planted(*((18_000, 400) if arguments.quick else (90_000, 2_000)), Path(folder))
    real = os.environ.get("REALDATA_DIR")
    if not real:
        print("REALDATA_DIR is not set: paraphrases are left out")
    with tempfile.TemporaryDirectory() as folder, model(arguments.cache or folder) as embedder:
        if real and embedder is not None:
            figures |= measure_paraphrases(embedder, Path(real), 250 if arguments.quick else None)
            figures |= {} if arguments.quick else measure_humaneval(embedder, Path(real))
    print(json.dumps({name: round(value, 4) if isinstance(value, float) else value for name, value in figures.items()}))


if __name__ == "__main__":
    main()
