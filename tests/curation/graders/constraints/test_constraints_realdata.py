"""Every prompt of IFEval can be graded, and the constraints tell its prompts apart."""

import collections
import json
import os
from pathlib import Path

import pytest

from curation.graders.constraints.grading import CHECKS, measure_accuracy, measure_constraints, read_constraints

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif("REALDATA_DIR" not in os.environ, reason="REALDATA_DIR is not set"),
]


def test_all_541_prompts_are_read_and_graded() -> None:
    lines = (Path(os.environ["REALDATA_DIR"]) / "ifeval/input_data.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    pairs = [zip(row["instruction_id_list"], row["kwargs"], strict=True) for row in rows]
    read = [read_constraints([{"id": name, "kwargs": kwargs} for name, kwargs in pair]) for pair in pairs]
    broken = [one for one in read if isinstance(one, str)]
    assert broken == []
    constraints = [one for one in read if not isinstance(one, str)]
    assert (len(constraints), sum(map(len, constraints))) == (541, 834)
    assert set(collections.Counter(one.id for prompt in constraints for one in prompt)) == set(CHECKS)
    echoed = [measure_constraints(row["prompt"], one) for row, one in zip(rows, constraints, strict=True)]
    accuracy = measure_accuracy(echoed)
    assert 0.1 < accuracy.prompt_strict <= accuracy.prompt_loose < 0.5  # a prompt as its own answer keeps the easy ones
    assert measure_accuracy([measure_constraints("", one) for one in constraints]).instruction_loose == 0
