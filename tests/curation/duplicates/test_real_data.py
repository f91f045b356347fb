"""What is known of real rows: Alpaca's demo repeats 14 of them, the grade-school problems are all different."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from curation.duplicates.config import DuplicateConfig
from curation.duplicates.duplicates import Deduplicated, drop_duplicates
from curation.records import Example, Message, Provenance

pytestmark = pytest.mark.realdata


def _file(name: str) -> Path:
    if "REALDATA_DIR" not in os.environ:
        pytest.skip("REALDATA_DIR is not set")
    return Path(os.environ["REALDATA_DIR"]) / name


def _deduplicate(rows: list[tuple[str, str]]) -> Deduplicated:
    provenance = Provenance(origin="human", method="demonstration")
    examples = [
        Example(
            key=f"rows/{at:05}",
            task="qa",
            messages=(Message(role="user", content=prompt), Message(role="assistant", content=answer)),
            group=str(at),
            provenance=provenance,
        )
        for at, (prompt, answer) in enumerate(rows)
    ]
    return drop_duplicates(examples, DuplicateConfig())


def test_the_repeated_rows_of_alpaca_are_found() -> None:
    rows = json.loads(_file("llamafactory_demo/alpaca_en_demo.json").read_text())
    done = _deduplicate([(f"{row['instruction']}\n{row['input']}", row["output"]) for row in rows])
    assert Counter(rejection.reason for rejection in done.rejections) == {"exact_duplicate": 14}
    assert done.alarms == ()


def test_no_problem_of_gsm8k_is_taken_for_a_copy_of_another() -> None:
    rows = [json.loads(line) for line in _file("gsm8k/data/train.jsonl").read_text().splitlines()]
    done = _deduplicate([(row["question"], row["answer"]) for row in rows])
    assert (len(done.kept), done.rejections) == (7473, ())
