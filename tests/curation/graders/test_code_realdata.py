"""The code grader passes what HumanEval and MBPP call solutions, and names why it does not pass the rest."""

import collections
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from curation.graders.code import grade_code
from curation.graders.grade import Grade
from tests.curation.sandbox.levels import level_here

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif("REALDATA_DIR" not in os.environ, reason="REALDATA_DIR is not set"),
    pytest.mark.skipif(level_here() == "none", reason="this machine has no sandbox of any level"),
]
MBPP = "mbpp_sanitized/CodeT/data/dataset/mbpp_sanitized_for_code_generation.jsonl"


def read(name: str) -> list[dict[str, Any]]:
    content = (Path(os.environ["REALDATA_DIR"]) / name).read_bytes()
    text = gzip.decompress(content) if name.endswith(".gz") else content
    return [json.loads(line) for line in text.decode().splitlines()]


def grade(row: dict[str, Any], answer: str) -> Grade:
    return grade_code(
        answer, json.dumps({"tests": row["test"], "entry_point": row["entry_point"], "prompt": row["prompt"], "seconds": 20})
    )


def test_all_canonical_solutions_of_human_eval_pass() -> None:
    rows = read("humaneval/HumanEval.jsonl.gz")
    assert [row["task_id"] for row in rows if not grade(row, row["canonical_solution"]).is_right] == []
    assert len(rows) == 164


def test_an_empty_body_passes_no_test_of_human_eval() -> None:
    rows = read("humaneval/HumanEval.jsonl.gz")[:40]
    assert [row["task_id"] for row in rows if grade(row, "    return None\n").is_right] == []


def test_solutions_of_mbpp_pass_but_for_those_that_are_broken_themselves() -> None:
    rows = read(MBPP)
    details = [grade(row, row["canonical_solution"]).detail for row in rows]
    kinds = collections.Counter(detail.partition(":")[2].strip().partition(" is not defined")[0][:22] for detail in details)
    # Ten solutions use `math` without importing it; one is called `check` as the test function is, and calls itself.
    assert kinds == {"": 416, "NameError: name 'math'": 10, "RecursionError: maximum"[:22]: 1}
