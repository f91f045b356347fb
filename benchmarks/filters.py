"""What the filters cost and how much of good data they reject; what the collapse guard costs.

python -m benchmarks.filters [--quick]        the last line is JSON

Rows are short instructions written here, clean and with planted faults; with REALDATA_DIR set, real sets are added. CPU
seconds are those of this process on one core.
"""

import argparse
import csv
import json
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from curation.collapse.assess import assess_collapse
from curation.collapse.config import CollapseConfig
from curation.filters.calculator_marks import clean_marks
from curation.filters.language import detect_language
from curation.filters.rule_config import RuleConfig
from curation.filters.rule_table import check_rows
from curation.records import Example, Message, Origin, Provenance

WORDS = [
    *(
        "the",
        "table",
        "of",
        "column",
        "rows",
        "value",
        "text",
        "time",
        "list",
        "number",
        "file",
        "name",
        "first",
        "last",
        "open",
    ),
    *("read", "write", "sort", "join", "filter", "group", "count", "sum", "how", "can", "you", "make", "turn", "into", "with"),
    *("without", "from", "when", "each", "every", "only", "some", "other", "new", "old", "long", "short", "left", "right"),
    *("before", "after"),
]
FAULTS = {
    "refusal": "I'm sorry, but I cannot help with that.",
    "placeholder_answer": "N/A",
    "role_markers": "Use sort.<|im_end|>",
    "encoding_damage": "Use the caf\u00c3\u00a9 table.",
    "truncated_answer": "First open the file with care, then read all of its rows and write the",
    "looping_text": "Use the sort " + "and then the other " * 20,
}


def make_row(key: str, question: str, answer: str, origin: Origin = "human") -> Example:
    """Return a row of one turn."""
    messages = (Message(role="user", content=question), Message(role="assistant", content=answer))
    depth = 0 if origin == "human" else 1
    return Example(
        key=key,
        task="qa",
        messages=messages,
        group=key,
        provenance=Provenance(origin=origin, method="x", generation_depth=depth),
    )


def make_rows(num_rows: int, source: str, origin: Origin, seed: int = 0) -> list[Example]:
    """Return clean rows of about 240 characters."""
    rng = random.Random(seed)
    return [
        make_row(
            f"{source}/{number}",
            f"How do I {' '.join(rng.choices(WORDS, k=16))}?",
            f"You {' '.join(rng.choices(WORDS, k=30))} {number}.",
            origin,
        )
        for number in range(num_rows)
    ]


def plant_faults(rows: Sequence[Example]) -> tuple[list[Example], Counter[str]]:
    """Return the rows with every twentieth answer spoiled, and how many of each fault there are."""
    planted: Counter[str] = Counter()
    spoiled = list(rows)
    for number in range(0, len(rows), 20):
        name = list(FAULTS)[number // 20 % len(FAULTS)]
        spoiled[number] = make_row(rows[number].key, rows[number].messages[0].content, FAULTS[name])
        planted[name] += 1
    return spoiled, planted


def read_real(limit: int) -> dict[str, list[Example]]:
    """Return rows of the real sets; none without REALDATA_DIR."""
    if "REALDATA_DIR" not in os.environ:
        return {}
    folder = Path(os.environ["REALDATA_DIR"])
    with (folder / "banking77/train.csv").open(encoding="utf-8", newline="") as lines:
        banking = [(row["text"], row["category"]) for row in csv.DictReader(lines)]
    lines_of = (folder / "gsm8k/data/train.jsonl").read_text(encoding="utf-8").splitlines()
    maths = [(row["question"], row["answer"]) for row in map(json.loads, lines_of)]
    sets = {"banking77": banking, "gsm8k": maths}
    for name, path, field in (
        ("alpaca", "llamafactory_demo/alpaca_en_demo.json", "output"),
        ("gpteacher", "gpteacher_codegen/codegen-instruct.json", "response"),
    ):
        rows = json.loads((folder / path).read_text(encoding="utf-8"))
        sets[name] = [(f"{row['instruction']}\n\n{row['input']}".strip(), row[field]) for row in rows]
    return {
        name: [make_row(f"{name}/{number}", question, answer) for number, (question, answer) in enumerate(rows[:limit])]
        for name, rows in sets.items()
    }


def measure_rules(name: str, rows: Sequence[Example], config: RuleConfig) -> tuple[float, Counter[str]]:
    """Return rows per CPU second and the reasons found; print both."""
    started = time.process_time()
    problems = check_rows([clean_marks(row, config) for row in rows], config)
    speed = len(rows) / (time.process_time() - started)
    reasons = Counter(problem.reason for problem in problems if problem is not None)
    told = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
    print(f"{name:28} {len(rows):8,} {speed:12,.0f} {reasons.total() / len(rows):9.2%}  {told}")
    return speed, reasons


def measure_collapse(num_rows: int) -> float:
    """Return the seconds that the guard takes for rows of which two fifths are human."""
    human = make_rows(num_rows * 2 // 5, "people", "human", seed=1)
    rows = [*human, *make_rows(num_rows - len(human), "model", "synthetic", seed=2)]
    started = time.perf_counter()
    report = assess_collapse(rows, CollapseConfig(), seed_rows=human)
    seconds = time.perf_counter() - started
    print(f"\ncollapse guard: {len(rows):,} rows in {seconds:.1f} s: {report.status}")
    return seconds


def main() -> None:
    """Print the table and the JSON line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    num_rows = 10_000 if parser.parse_args().quick else 100_000
    plain, english = RuleConfig(), RuleConfig(languages=("en",))
    detect_language("Load the model before anything is timed, please.")
    print(f"{'rows':28} {'number':>8} {'rows/CPU-s':>12} {'rejected':>9}")
    clean = make_rows(num_rows, "rows", "human")
    spoiled, planted = plant_faults(clean)
    speed, false_alarms = measure_rules("clean", clean, plain)
    speed_language, _ = measure_rules("clean, language judged", clean, english)
    _, found = measure_rules("1 in 20 spoiled", spoiled, plain)
    rejected = {}
    for name, rows in read_real(num_rows // 10 if num_rows < 100_000 else num_rows).items():
        _, reasons = measure_rules(name, rows, english)
        rejected[name] = round(reasons.total() / len(rows), 4)
    result = {
        "rows_per_cpu_s": round(speed),
        "rows_per_cpu_s_with_language": round(speed_language),
        "false_alarms": false_alarms.total() / num_rows,
        "planted_found": sum(min(found[name], count) for name, count in planted.items()) / planted.total(),
        "rejected_share": rejected,
        "collapse_rows": num_rows,
        "collapse_seconds": round(measure_collapse(num_rows), 2),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
