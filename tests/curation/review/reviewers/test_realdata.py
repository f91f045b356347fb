"""PandaLM's three raters vote in a queue: their agreement is the published one, and what they differ on is disputed."""

import json
import os
from pathlib import Path

import pytest

from curation.ids import content_hash
from curation.records import Decision, Message, Provenance, ReviewItem
from curation.review.config import ReviewConfig
from curation.review.queue import ReviewQueue
from curation.review.queue.vote import Vote
from curation.review.reviewers.agreement import measure
from curation.review.reviewers.ratings import read_ratings

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif("REALDATA_DIR" not in os.environ, reason="REALDATA_DIR is not set"),
]
RATERS = ("annotator1", "annotator2", "annotator3")
DECISIONS: dict[int, Decision] = {0: "tie", 1: "prefer_a", 2: "prefer_b"}


def build_item(row: dict[str, str], config: ReviewConfig) -> ReviewItem:
    """Return a row as an item of its own: 99 of the 999 rows show the same texts as another one."""
    return ReviewItem(
        key=content_hash(["pandalm", row["idx"]]),
        kind="pair",
        prompt=(Message(role="user", content=f"{row['instruction']}\n{row['input']}"),),
        answer=str(row["response1"]),
        alternative=str(row["response2"]),  # one of them is `true`
        rubric_version=config.rubric_version,
        record_key=f"pandalm/{row['idx']}",
        record_hash=content_hash(row),
        evidence=(),
        task="compare",
        provenance=Provenance(origin="human", method="preference"),
    )


def test_pandalm_through_the_queue(queue: ReviewQueue) -> None:
    config = ReviewConfig(overlap=3)
    rows = json.loads((Path(os.environ["REALDATA_DIR"]) / "pandalm_testset/testset-v1.json").read_text("utf-8"))
    items = [build_item(row, config) for row in rows]
    queue.sync_items(items, config)
    for rater in RATERS:
        votes = [
            Vote(item_key=item.key, decision=DECISIONS[row[rater]], reviewer=rater)
            for item, row in zip(items, rows, strict=True)
        ]
        queue.record(votes)
    report = measure(read_ratings(queue))
    kappas = {(pair.one, pair.two): round(pair.kappa.value or 0, 3) for pair in report.pairs}
    assert kappas == {RATERS[:2]: 0.852, (RATERS[0], RATERS[2]): 0.879, RATERS[1:]: 0.862}
    assert all(pair.kappa.low is not None and 0.8 < pair.kappa.low < (pair.kappa.high or 0) for pair in report.pairs)
    assert report.num_disputed == 120
    counts = queue.counts()
    assert (counts.num_disputed, counts.num_decided, counts.num_items) == (120, 879, 999)
    served = 0
    while queue.claim(f"adjudicator {served}", role="adjudication") is not None:
        served += 1
    assert served == 120
