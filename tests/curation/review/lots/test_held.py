"""What a lot holds back is counted as such, and never as open: the stored counts are those of the items, whatever happens."""

import datetime
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.database import Database
from curation.records import Decision, Example, PreferencePair, ReviewItem
from curation.review.config import ReviewConfig
from curation.review.exchange.stats import read_stats
from curation.review.items import build_items
from curation.review.lots.config import LotConfig
from curation.review.lots.inspection import inspect_rows
from curation.review.lots.offers import store_lots
from curation.review.progress import read_progress
from curation.review.queue import Counts, ReviewQueue
from curation.review.reviewers.gold import NewGold, put_gold
from curation.review.reviewers.planting import num_missing

CONFIG = ReviewConfig(lots=LotConfig(n=4, c=1, quality_level=0.7))
Fill = Callable[..., list[ReviewItem]]


@pytest.fixture
def fill(queue: ReviewQueue, make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]) -> Fill:
    """Put 12 examples of two tasks and their pairs into four lots."""

    def put(config: ReviewConfig = CONFIG, into: ReviewQueue = queue) -> list[ReviewItem]:
        examples = [make_example(number, method="routing" if number % 3 else "qa") for number in range(12)]
        items = build_items(examples, [make_pair(example) for example in examples], lambda _: "", config)
        into.sync_items(items, config)
        store_lots(into, items, config)
        return items

    return put


def counted_one_by_one(queue: ReviewQueue, items: list[ReviewItem], config: ReviewConfig) -> tuple[int, int, int]:
    """Open, held back and decided items, by the functions that the gate asks."""
    verdicts = queue.current_verdicts()
    lots = inspect_rows(items, verdicts, config)
    decided = [item.key for item in items if item.key in verdicts]
    held = [item.key for item in items if item.key not in verdicts and (item.key in lots.held or item.key in lots.passed)]
    return len(items) - len(decided) - len(held), len(held), len(decided)


def as_tuple(counts: Counts) -> tuple[int, int, int]:
    return counts.num_open, counts.num_held, counts.num_decided


def test_only_the_samples_are_open(queue: ReviewQueue, fill: Fill) -> None:
    fill()
    assert as_tuple(queue.counts()) == (16, 8, 0)  # four lots of 4, 8, 4 and 8 items, of which 4 each are drawn
    assert as_tuple(queue.counts(kind="pair")) == (8, 4, 0)
    assert as_tuple(queue.counts(kind="example")) == (8, 4, 0)
    listed = {status: {entry.item.key for entry in queue.list_items(status)} for status in ("open", "held", "all")}
    assert (len(listed["open"]), len(listed["held"]), len(listed["all"])) == (16, 8, 24)
    assert listed["open"] | listed["held"] == listed["all"]


def test_an_accepted_lot_holds_the_rest_back_and_a_failed_one_nothing(queue: ReviewQueue, fill: Fill) -> None:
    items = fill()
    by_lot = {report.figures.lot: report for report in inspect_rows(items, {}, CONFIG).reports}
    for key in by_lot["example/routing"].sample[:3]:
        queue.submit(key, "approve", "Ada")
    assert as_tuple(queue.counts(kind="example")) == (4, 5, 3)
    for key in by_lot["pair/routing"].sample[:2]:
        queue.submit(key, "tie", "Ada")
    assert as_tuple(queue.counts(kind="pair")) == (10, 0, 2)
    assert as_tuple(queue.counts()) == counted_one_by_one(queue, items, CONFIG)


def test_progress_and_the_time_left_know_of_it(queue: ReviewQueue, fill: Fill) -> None:
    config = ReviewConfig(lots=CONFIG.lots, overlap=2)
    items = fill(config)
    sample = inspect_rows(items, {}, config).reports[1].sample  # 4 of 8
    for key in sample[:1]:
        queue.submit(key, "approve", "Ada")
        queue.submit(key, "reject", "Bob")
    progress = read_progress(queue, today=datetime.date(2026, 11, 29))
    assert (progress.votes_left, progress.num_held, progress.num_disputed) == (15 * 2 + 1, 8, 1)
    for parts in (progress.kinds, progress.tasks):
        assert [sum(getattr(part, name) for part in parts) for name in ("num_open", "num_held", "num_decided")] == [16, 8, 0]
    for key in sample[1:4]:
        for name in ("Ada", "Bob"):
            queue.submit(key, "approve", name)
    progress = read_progress(queue, today=datetime.date(2026, 11, 29))
    assert (progress.num_disputed, progress.num_held) == (0, counted_one_by_one(queue, items, config)[1])
    assert progress.votes_left == 2 * queue.counts().num_open
    assert sum(part.num_disputed for part in (*progress.kinds, *progress.tasks)) == 0
    assert progress.oldest_open is not None
    assert progress.oldest_open[0] in {entry.item.key for entry in queue.list_items("open")}


def test_the_figures_of_a_queue_tell_it_apart(queue: ReviewQueue, fill: Fill) -> None:
    config = ReviewConfig(lots=CONFIG.lots, overlap=2)
    items = fill(config)
    sample = inspect_rows(items, {}, config).reports[1].sample
    for key, decisions in zip(sample, (("approve", "reject"), *[("approve", "approve")] * 3), strict=True):
        for name, decision in zip(("Ada", "Bob"), decisions, strict=True):
            queue.submit(key, decision, name)  # type: ignore[arg-type]
    counts = queue.counts()
    assert (counts.num_held, counts.num_disputed) == (8 + 1, 0), "the dispute is closed with its lot"
    states = read_stats(queue.database, queue.recipe, datetime.datetime.now(datetime.UTC)).states
    assert states == {"decided": 3, "held": 9, "open": 12}


def test_nothing_is_open_once_every_lot_is_accepted(queue: ReviewQueue, fill: Fill) -> None:
    items = fill()
    for report in inspect_rows(items, {}, CONFIG).reports:
        for key in report.sample:
            queue.submit(key, "prefer_a" if report.figures.lot.startswith("pair") else "approve", "Ada")
    assert as_tuple(queue.counts()) == (0, 8, 16)
    progress = read_progress(queue, today=datetime.date(2026, 11, 29))
    assert (progress.votes_left, progress.hours_left, progress.oldest_open) == (0, None, None)
    assert queue.next_item() is None


def test_gold_stands_among_what_is_on_offer(queue: ReviewQueue, fill: Fill) -> None:
    items = fill()
    assert num_missing(queue, 0.25) == 5  # of the 16 that are open and 5 more, not of all 24
    example = next(item for item in items if item.kind == "example")
    made = put_gold(queue, [NewGold(origin=example, kind="gold", expected=("approve",))] * 5, by="Lea", seed=1)
    served: list[str] = []
    while lease := queue.claim("Zoe"):
        served.append(lease.item_key)
        queue.submit(lease.item_key, "prefer_a" if lease.item_key in pairs(items) else "approve", "Zoe")
    assert {gold.item_key for gold in made} <= set(served)


def pairs(items: list[ReviewItem]) -> set[str]:
    return {item.key for item in items if item.kind == "pair"}


Step = tuple[str, int, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["vote", "undo", "sync"]), st.integers(0, 23), st.integers(0, 3)), min_size=1, max_size=14
)


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_stored_counts_are_those_of_the_items(lots_database: Database, fill: Fill, steps: list[Step]) -> None:
    queue = ReviewQueue(lots_database, f"held {secrets.token_hex(8)}")
    items = fill(into=queue)
    for action, number, choice in steps:
        item = items[number]
        match action:
            case "vote":
                decisions: list[Decision] = ["prefer_a", "tie"] if item.kind == "pair" else ["approve", "reject"]
                queue.submit(item.key, decisions[choice % 2], "Ada")
            case "undo":
                _undo(queue, item)
            case "sync":
                queue.sync_items(items, CONFIG)
                store_lots(queue, items, CONFIG)
        assert as_tuple(queue.counts()) == counted_one_by_one(queue, items, CONFIG)
    for status, num in zip(("open", "held", "decided"), as_tuple(queue.counts()), strict=True):
        assert len(queue.list_items(status)) == num  # type: ignore[arg-type]


def _undo(queue: ReviewQueue, item: ReviewItem) -> None:
    given: Any = queue.resolution(item.key).verdict
    if given is not None:
        queue.undo(given, "Ada")
