"""Recorded judges of LLMBar at the release gate: believed where they agree with people in both orders, and nowhere else."""

import json
import os
from pathlib import Path

import pytest

from benchmarks.judge_recorded import hear_recorded
from curation.synthesis.ledger.request_ledger import RequestLedger

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif("REALDATA_DIR" not in os.environ, reason="REALDATA_DIR is not set"),
]


@pytest.mark.parametrize(
    ("folder", "model", "num_flips", "believed", "said"),
    [
        ("Natural", "GPT-4", 5, True, "at or above the floor"),
        ("Natural", "ChatGPT", 29, False, "29% of 100 comparisons change with the order"),
        ("Adversarial/Neighbor", "ChatGPT", 38, False, "below the floor"),
        ("Adversarial/Manual", "GPT-4", 8, False, "50 are needed"),
    ],
)
def test_recorded_judges(ledger: RequestLedger, folder: str, model: str, num_flips: int, believed: bool, said: str) -> None:
    path = Path(os.environ["REALDATA_DIR"]) / "llmbar" / folder / "evaluators" / model / "Vanilla/result.json"
    rows = json.loads(path.read_text("utf-8"))
    (judge,) = hear_recorded(model, rows, ledger).judges
    assert (judge.num_judged, round(judge.flip_share * judge.num_rounds)) == (len(rows), num_flips)
    assert judge.may_gate is believed
    assert said in judge.reason
