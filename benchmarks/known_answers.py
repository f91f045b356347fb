"""Whether the tasks of the evaluation grade as the data sets say: recorded solutions in, the known figures out.

    REALDATA_DIR=... python -m benchmarks.known_answers [--quick]        the last line is JSON

GSM8K (Cobbe et al. 2021): which of the recorded solutions of four models are right, `gsm8k_equal` of 4 x 1,319. HumanEval
(Chen et al. 2021) and MBPP, sanitized (Austin et al. 2021): canonical solutions have to pass their own tests in the sandbox;
what does not pass is told by class. Files are read, items built and answers scored exactly as an evaluation does. `--quick`
takes the first items of the code tasks only.
"""

import argparse
import json
import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from curation.graders.code import grade_code
from curation.ids import canonical_json, content_hash
from curation.ingest.table_rows import read_table_rows
from evaluation.config import EvaluationConfig
from evaluation.records import EvalAnswer, EvalItem
from evaluation.scoring import Scored, score_all
from evaluation.tasks.config import TaskConfig
from evaluation.tasks.task_items import build_items

MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
QUICK_ITEMS = 40
SECONDS = 40
"""Longest run of one solution, on a machine that does other things as well."""
CODE = {
    "humaneval": "humaneval/HumanEval.jsonl.gz",
    "mbpp": "mbpp_sanitized/CodeT/data/dataset/mbpp_sanitized_for_code_generation.jsonl",
}
KNOWN = {"humaneval": (164, 164), "mbpp": (416, 427)}


def read_items(task: TaskConfig) -> tuple[dict[str, EvalItem], list[dict[str, Any]]]:
    """Return the items of a file by question, and its rows as they are."""
    config = EvaluationConfig(tasks=(task,), max_items=100_000)
    built = build_items(config, (), read_table_rows)
    rows = [row for _, _, row, _ in read_table_rows(task.data) if row is not None]
    assert not built.rejections, built.rejections[0].detail
    return {item.prompt[-1].content: item for item in built.items}, rows


def as_answer(name: str, item: EvalItem, text: str) -> EvalAnswer:
    """Return a recorded solution as the answer of a comparator."""
    return EvalAnswer(
        key=f"{name}/{item.key}",
        comparator=name,
        model_hash=content_hash(name),
        item_key=item.key,
        item_hash="",
        group=item.group,
        prompt="",
        reference=item.reference,
        answer=text,
        num_tokens=0,
        task=item.task,
    )


def score(task: TaskConfig, items: dict[str, EvalItem], answers: list[EvalAnswer]) -> Scored:
    """Return the scores of recorded solutions."""
    found = score_all(answers, items.values(), EvaluationConfig(tasks=(task,)))
    assert not found.failures, found.failures[0]
    return found


def with_time(item: EvalItem) -> EvalItem:
    """Return an item whose programs may run for long: on a busy machine a right one is slow."""
    return replace(item, reference=canonical_json({**json.loads(item.reference), "seconds": SECONDS}))


def measure_gsm8k(root: Path) -> dict[str, Any]:
    """Return for how many solutions our verdict is the recorded one, by model."""
    task = TaskConfig(name="gsm8k", kind="number", data=str(root / "gsm8k/data/test.jsonl"))
    solved = TaskConfig(
        name="gsm8k", kind="number", data=str(root / "gsm8k/data/example_model_solutions.jsonl"), reference="ground_truth"
    )
    items, _ = read_items(task)
    by_question, rows = read_items(solved)
    assert items.keys() == by_question.keys()
    figures: dict[str, Any] = {}
    for model in MODELS:
        recorded = {items[row["question"]].key: row[model] for row in rows}
        answers = [as_answer(model, item, recorded[item.key]["solution"]) for item in items.values()]
        right = {row.item_key: row.value == 1.0 for row in score(task, items, answers).scores}
        num_equal = sum(right[key] == bool(said["is_correct"]) for key, said in recorded.items())
        figures[f"gsm8k_{model}"] = num_equal
        print(f"gsm8k      {model:18} equal {num_equal} of {len(right)}, right {100 * sum(right.values()) / len(right):.2f} %")
    figures |= {"gsm8k_items": len(items), "gsm8k_equal": all(figures[f"gsm8k_{model}"] == len(items) for model in MODELS)}
    return figures


def measure_code(name: str, root: Path, *, quick: bool) -> dict[str, Any]:
    """Return how many canonical solutions pass their tests, and why the others do not."""
    task = TaskConfig(name=name, kind="code", data=str(root / CODE[name]))
    read, rows = read_items(task)
    items = {text: with_time(item) for text, item in read.items()}
    rows = rows[:QUICK_ITEMS] if quick else rows
    answers = [as_answer("canonical", items[row["prompt"]], row["canonical_solution"]) for row in rows]
    began = time.monotonic()
    values = {row.key: row.value for row in score(task, items, answers).scores if row.metric == "tests_pass"}
    num_right = sum(value == 1.0 for value in values.values())
    wrong = [answer for answer in answers if values[f"{answer.key}#tests_pass"] < 1]
    classes = Counter(_class_of(answer) for answer in wrong)
    print(f"{name:10} {num_right} of {len(rows)} pass in {time.monotonic() - began:.0f} s")
    for reason, count in classes.most_common():
        print(f"{'':10} {count} x {reason}")
    return {f"{name}_right": num_right, f"{name}_items": len(rows), f"{name}_wrong": dict(classes)}


def _class_of(answer: EvalAnswer) -> str:
    """Return how a solution fails: the error without what is particular to it."""
    detail = grade_code(answer.answer, answer.reference).detail
    return detail.strip().splitlines()[-1].partition(". Did you mean")[0][:60] if detail.strip() else "unknown"


def main() -> None:
    """Print the figures, and as the last line JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"the first {QUICK_ITEMS} items of the code tasks")
    quick = parser.parse_args().quick
    root = Path(os.environ["REALDATA_DIR"])
    figures = measure_gsm8k(root)
    for name in CODE:
        figures |= measure_code(name, root, quick=quick)
    is_known = quick or all((figures[f"{name}_right"], figures[f"{name}_items"]) == known for name, known in KNOWN.items())
    print(json.dumps({**figures, "all_known": bool(figures["gsm8k_equal"]) and is_known}))


if __name__ == "__main__":
    main()
