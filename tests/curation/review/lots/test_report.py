"""Lots as the pages read them from either database."""

from collections.abc import Callable

import pytest

from curation.errors import UnknownIdError
from curation.records import Example, ReviewItem
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.lots.config import LotConfig
from curation.review.lots.inspection import inspect_rows
from curation.review.lots.offers import store_lots
from curation.review.lots.report import NO_REASON, list_lots, read_report
from curation.review.queue import ReviewQueue

pytestmark = pytest.mark.slow

CONFIG = ReviewConfig(lots=LotConfig(n=4, c=1, quality_level=0.7))
LOTS = ("example/a", "example/b", "example/c")


@pytest.fixture
def queue(either_queue: ReviewQueue) -> ReviewQueue:
    return either_queue


@pytest.fixture
def items(queue: ReviewQueue, make_example: Callable[..., Example]) -> list[ReviewItem]:
    rows = [make_example(number, method="abc"[number % 3]) for number in range(30)]
    items = build_items(rows, [], lambda _: "", CONFIG)
    queue.sync_items(items, CONFIG)
    store_lots(queue, items, CONFIG)
    return items


def test_failed_lots_come_first_with_their_open_items_and_reasons(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    first, second, third = inspect_rows(items, {}, CONFIG).reports
    for key in first.sample:
        queue.submit(key, "approve", "Ada")
    queue.submit(third.sample[0], "reject", "Ada", reason="wrong,format: no")
    queue.submit(third.sample[1], "reject", "Ada", reason="wrong")
    queue.submit(third.items[9], "reject", "Ada", reason="It is just bad")
    assert [(lot.lot, lot.decision) for lot in list_lots(queue)] == [
        ("example/c", "reject"),
        ("example/b", "undecided"),
        ("example/a", "accept"),
    ]
    failed, waiting, accepted = (read_report(queue, lot) for lot in reversed(LOTS))
    assert [item.key for item in failed.open_items][:2] == list(third.sample[2:])
    assert {item.key for item in failed.open_items} == set(third.items[2:9])
    assert (failed.num_open, failed.num_decided, failed.num_bad) == (7, 3, 3)
    assert (failed.figures.num_inspected, failed.figures.num_bad) == (2, 2), "what was chosen counts in no estimate"
    assert failed.reasons == (("wrong", 2), ("format", 1), (NO_REASON, 1))
    assert [item.key for item in waiting.open_items] == list(second.sample)
    assert (accepted.num_open, accepted.open_items, accepted.reasons) == (0, (), ())


def test_the_figures_are_those_of_the_pure_functions(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    for report in inspect_rows(items, {}, CONFIG).reports:
        queue.submit(report.sample[0], "reject", "Ada")
        queue.submit(report.sample[1], "approve", "Bob")
    expected = {report.figures for report in inspect_rows(items, queue.current_verdicts(), CONFIG).reports}
    assert set(list_lots(queue)) == expected


def test_a_lot_that_is_not_there(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    with pytest.raises(UnknownIdError):
        read_report(queue, "example/none")
