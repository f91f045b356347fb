"""Gold leaves by no door: no export, no training file, no API, and nothing that comes in may pose as gold. Both databases."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curation.database import Database
from curation.records import Example, ReviewItem
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.exchange.export import export_items, export_training
from curation.review.exchange.import_items import import_items
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.reviewers.agreement import measure
from curation.review.reviewers.detection import detect, gold_results
from curation.review.reviewers.gold import GoldItem, list_gold, set_gold, withdraw_gold
from curation.review.reviewers.guidelines import add_version, link_case, list_cases, newest_version
from curation.review.reviewers.planting import num_missing, plant_errors
from curation.review.reviewers.ratings import read_ratings
from curation.review.reviewers.requeue import requeue_recent
from curation.review.reviewers.settings import ReviewerSettings, read_settings, store_settings
from curation.review.reviewers.statistics import reviewer_statistics

pytestmark = pytest.mark.slow

CONFIG = ReviewConfig()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def both(request: pytest.FixtureRequest) -> Iterator[ReviewQueue]:
    if request.param == "sqlite":
        yield request.getfixturevalue("queue")
        return
    database = Database.open(request.getfixturevalue("postgres_url"), concern="review", migrations=schema.MIGRATIONS)
    yield ReviewQueue(database, "demo")
    database.close()


def plant(queue: ReviewQueue, make_example: Callable[..., Example]) -> tuple[list[ReviewItem], list[GoldItem]]:
    """Return four approved items, and their damaged copies, which somebody approved as well."""
    items = build_items(
        [make_example(number, f"It takes {number + 10} days.") for number in range(4)], [], lambda _: "", CONFIG
    )
    queue.sync_items(items, CONFIG)
    for item in items:
        queue.submit(item.key, "approve", "Ada")
    golds = plant_errors(queue, 4, by="Lea", seed=1)
    for gold in golds:
        queue.submit(gold.item_key, "approve", "Bob")
    return items, golds


@pytest.mark.parametrize("shape", ["sft", "kto", "dpo"])
def test_no_training_file_holds_gold(
    queue: ReviewQueue, make_example: Callable[..., Example], tmp_path: Path, shape: str
) -> None:
    items, golds = plant(queue, make_example)
    num = export_training(queue, tmp_path / "rows.jsonl", shape)  # type: ignore[arg-type]
    text = (tmp_path / "rows.jsonl").read_text("utf-8")
    assert num == (0 if shape == "dpo" else len(items))
    assert not any(queue.get_item(gold.item_key).item.answer in text for gold in golds)


def test_no_export_holds_gold_and_no_import_poses_as_it(
    queue: ReviewQueue, make_example: Callable[..., Example], tmp_path: Path
) -> None:
    items, _ = plant(queue, make_example)
    export_items(queue, tmp_path / "items.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "items.jsonl").read_text("utf-8").splitlines()]
    assert {row["item"]["key"] for row in rows} == {item.key for item in items}
    rows[0]["item"] |= {"record_key": "gold:x/y", "answer": "another one"}
    (tmp_path / "posing.jsonl").write_text(json.dumps(rows[0]) + "\n", "utf-8")
    other = ReviewQueue(queue.database, "other")
    report = import_items(other, tmp_path / "posing.jsonl")
    assert other.counts().num_items == 0
    assert report.num_rows == 1


def test_everything_on_both_databases(both: ReviewQueue, make_example: Callable[..., Example]) -> None:
    items, golds = plant(both, make_example)
    known = set_gold(both, items[0].key, ["approve"], by="Lea")
    assert {gold.item_key for gold in list_gold(both)} == {known.item_key, *(gold.item_key for gold in golds)}
    assert num_missing(both, 0.5) == 0
    found = detect(gold_results(both), floor=0.7)["Bob"]
    assert (found.share.value, found.share.num) == (0, 4)
    assert both.sync_items(items[:2], CONFIG).closed == 2
    assert both.counts().num_items == 7
    withdraw_gold(both, known.item_key)
    assert both.counts().num_items == 6
    assert requeue_recent(both, "Ada", by="Lea").num == 2
    assert both.claim("Cyd") is not None
    assert measure(read_ratings(both)).num_items == 2  # on items that are gone the votes stand
    assert list(reviewer_statistics(both)) == ["Ada", "Bob"]
    store_settings(both, ReviewerSettings(gold_floor=0.8))
    store_settings(both, ReviewerSettings(gold_floor=0.9))
    assert read_settings(both).gold_floor == 0.9
    add_version(both, "# One", by="Lea", based_on=0)
    link_case(both, items[0].key, "A case.", by="Lea")
    assert (newest_version(both) is not None, len(list_cases(both))) == (True, 1)
    assert both.verify_chain()
