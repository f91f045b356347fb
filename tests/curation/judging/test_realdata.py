"""Published figures of recorded judges and people come out of our code: LLMBar in both orders, PandaLM's three raters."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from curation.judging.agreement import cohen_kappa
from curation.judging.judgements import PairJudgement, PairVote, Position, judge_rounds
from curation.judging.report import report_pairs
from tests.curation.judging.ruled_judge import judge_config

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif("REALDATA_DIR" not in os.environ, reason="REALDATA_DIR is not set"),
]
PLACES: dict[str, Position] = {"Output (a)": "first", "Output (b)": "second"}


def read(name: str) -> Any:
    return json.loads((Path(os.environ["REALDATA_DIR"]) / name).read_text("utf-8"))


def judged(row: Any) -> PairJudgement:
    """Return a recorded verdict in both orders as our judge would have returned it."""
    said = row["results"][0]
    votes = (
        PairVote(judge="j", order="ab", sample_index=0, position=PLACES[said["swap = False"]["completion"][0]], reason=""),
        PairVote(judge="j", order="ba", sample_index=0, position=PLACES[said["swap = True"]["completion"][0]], reason=""),
    )
    winner, num_rounds, num_flips = judge_rounds(votes)
    length = len(row["output_1"]) - len(row["output_2"])
    return PairJudgement(
        key=row["input"],
        status="judged",
        winner=winner,
        votes=votes,
        num_rounds=num_rounds,
        num_flips=num_flips,
        length_difference=length,
    )


@pytest.mark.parametrize(
    ("folder", "model", "first", "swapped", "both"),
    [
        ("Natural", "GPT-4", 95, 96, 93),
        ("Adversarial/Manual", "GPT-4", 35, 39, 33),
        ("Natural", "ChatGPT", 80, 83, 67),
        ("Adversarial/Neighbor", "ChatGPT", 30, 22, 7),
    ],
)
def test_llmbar(folder: str, model: str, first: int, swapped: int, both: int) -> None:
    rows = read(f"llmbar/{folder}/evaluators/{model}/Vanilla/result.json")
    judgements = [judged(row) for row in rows]
    gold = [{1: "a", 2: "b"}[row["label"]] for row in rows]
    by_order = [[item.votes[at].winner for item in judgements] for at in (0, 1)]
    right = [sum(one == two for one, two in zip(found, gold, strict=True)) for found in by_order]
    assert right == [first, swapped]
    assert sum(item.winner == label for item, label in zip(judgements, gold, strict=True)) == both
    recorded = read(f"llmbar/{folder}/evaluators/{model}/Vanilla/statistics.json")
    assert cohen_kappa(*by_order).value == pytest.approx(recorded["kappa_agreement"])
    report = report_pairs(judgements, judge_config())
    assert report.flip_share == pytest.approx(1 - float(recorded["equal"].split("/")[0]) / len(rows))
    assert bool(report.problems) == (report.flip_share > 0.15)


def test_pandalm() -> None:
    ratings = [[row[f"annotator{at}"] for at in (1, 2, 3)] for row in read("pandalm_testset/testset-v1.json")]
    kappas = [
        cohen_kappa([row[one] for row in ratings], [row[two] for row in ratings]) for one, two in ((0, 1), (0, 2), (1, 2))
    ]
    assert [round(kappa.value or 0, 3) for kappa in kappas] == [0.852, 0.879, 0.862]
    assert all(kappa.low is not None and kappa.low > 0.8 for kappa in kappas)
    splits = Counter(len(set(row)) for row in ratings)
    assert (splits[1], splits[2], splits[3]) == (879, 120, 0)
