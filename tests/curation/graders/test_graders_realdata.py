"""The numeric grader agrees with the record on every solution of the GSM8K authors' four models; choices of AQuA as well."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from curation.graders.choice import grade_choice
from curation.graders.number import grade_number

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif("REALDATA_DIR" not in os.environ, reason="REALDATA_DIR is not set"),
]
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


def read(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (Path(os.environ["REALDATA_DIR"]) / name).read_text("utf-8").splitlines()]


@pytest.mark.parametrize(("model", "num_right"), [*zip(MODELS, (286, 515, 458, 742), strict=True)])
def test_the_number_grader_agrees_with_the_record(model: str, num_right: int) -> None:
    rows = read("gsm8k/data/example_model_solutions.jsonl")
    grades = [grade_number(row[model]["solution"], row["ground_truth"]).is_right for row in rows]
    assert sum(right == row[model]["is_correct"] for right, row in zip(grades, rows, strict=True)) == 1319
    assert sum(grades) == num_right


def test_all_training_answers_of_gsm8k_are_right_by_themselves() -> None:
    rows = read("gsm8k/data/train.jsonl")
    assert sum(grade_number(row["answer"], row["answer"]).is_right for row in rows) == len(rows) == 7473


def test_rationales_of_aqua_that_name_a_letter_name_the_right_one() -> None:
    rows = read("aqua/test.json")
    found = [(grade_choice(row["rationale"], row["correct"]), row) for row in rows]
    named = [grade for grade, _ in found if grade.extracted]
    assert len(named) > 100
    assert sum(grade.is_right for grade in named) / len(named) > 0.98
