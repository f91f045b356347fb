"""Real data passes the guard against itself; three rounds of drawing from fewer and fewer of its rows do not."""

import csv
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from curation.collapse.assess import assess_collapse
from curation.collapse.config import CollapseConfig
from curation.records import Example
from tests.curation.collapse.collapse_rows import row

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif("REALDATA_DIR" not in os.environ, reason="REALDATA_DIR is not set: unpack the real data and export it"),
]


def _texts(name: str) -> list[str]:
    folder = Path(os.environ["REALDATA_DIR"])
    if name == "gsm8k":
        lines = (folder / "gsm8k/data/train.jsonl").read_text(encoding="utf-8").splitlines()
        return [f"{one['question']}|{one['answer']}" for one in map(json.loads, lines)]
    if name == "alpaca":
        rows: list[dict[str, Any]] = json.loads((folder / "llamafactory_demo/alpaca_en_demo.json").read_text(encoding="utf-8"))
        return [f"{one['instruction']} {one['input']}|{one['output']}" for one in rows]
    with (folder / "banking77/train.csv").open(encoding="utf-8", newline="") as lines:
        return [f"{one['text']}|{one['category']}" for one in csv.DictReader(lines)]


def _halves(name: str) -> tuple[list[Example], list[str]]:
    texts = _texts(name)
    random.Random(0).shuffle(texts)
    middle = len(texts) // 2
    return [row(f"people/{number}", text, "human") for number, text in enumerate(texts[:middle])], texts[middle:]


def _synthetic(texts: list[str]) -> list[Example]:
    return [row(f"model/{number}", text, "synthetic", depth=1) for number, text in enumerate(texts)]


@pytest.mark.parametrize("name", ["gsm8k", "alpaca", "banking77"])
def test_the_other_half_of_real_data_passes(name: str) -> None:
    human, other = _halves(name)
    report = assess_collapse([*human, *_synthetic(other)], CollapseConfig(), seed_rows=human)
    assert report.alarms == ()
    assert min(finding.retained for finding in report.findings if finding.retained is not None) > 0.85


@pytest.mark.parametrize("name", ["gsm8k", "alpaca", "banking77"])
def test_three_rounds_that_lose_the_tail_fail(name: str) -> None:
    human, pool = _halves(name)
    rng, size = random.Random(1), len(pool)
    for _ in range(3):
        kept = rng.sample(pool, max(5, len(pool) // 3))
        pool = [rng.choice(kept) for _ in range(size)]
    report = assess_collapse([*human, *_synthetic(pool)], CollapseConfig(), seed_rows=human)
    failed = {finding.measure for finding in report.findings if finding.status == "fail"}
    assert {"distinct_2", "distinct_3", "self_similarity"} <= failed
    assert "tail_coverage" in {finding.measure for finding in report.alarms}
