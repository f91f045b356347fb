"""Whatever records verdicts settles their lots and announces the decision, in the same transaction."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from curation.records import Example, ReviewItem
from curation.review.bulk import Bulk, Plan
from curation.review.config import ReviewConfig
from curation.review.exchange.webhooks import add_webhook, list_deliveries
from curation.review.items import build_items
from curation.review.lots import tables
from curation.review.lots.config import LotConfig
from curation.review.lots.inspection import inspect_rows
from curation.review.lots.offers import store_lots
from curation.review.queue import ReviewQueue
from curation.review.queue.append import append_votes
from curation.review.queue.vote import Vote
from curation.review.reviewers.requeue import requeue_recent

CONFIG = ReviewConfig(lots=LotConfig(n=4, c=1, quality_level=0.7))


@pytest.fixture
def sample(queue: ReviewQueue, make_example: Callable[..., Example]) -> list[str]:
    """The sample of a lot of 12 items, of which a webhook wants to hear."""
    items: list[ReviewItem] = build_items([make_example(number) for number in range(12)], [], lambda _: "", CONFIG)
    queue.sync_items(items, CONFIG)
    store_lots(queue, items, CONFIG)
    add_webhook(queue.database, queue.recipe, "https://example.org/hook", ["lot.decided"], now=1.0)
    return list(inspect_rows(items, {}, CONFIG).reports[0].sample)


def stored(queue: ReviewQueue) -> tuple[str, int, int]:
    with queue.database.read() as connection:
        row = connection.execute(sa.select(tables.lots).where(tables.lots.c.recipe == queue.recipe)).one()
    return row.decision, row.num_inspected, row.num_bad


def announced(queue: ReviewQueue) -> int:
    return sum(delivery.recipe == queue.recipe for delivery in list_deliveries(queue.database))


def test_one_append_is_one_more_inspected_item(queue: ReviewQueue, sample: list[str]) -> None:
    vote = Vote(item_key=sample[0], decision="reject", reviewer="Ada", token="t")
    for _ in range(2):  # sent again, it is the same verdict
        queue.database.write(lambda connection: append_votes(connection, queue.recipe, [vote]))
        assert stored(queue) == ("undecided", 1, 1)
    assert announced(queue) == 0


def test_a_bulk_decision_and_its_undo_settle_the_lot(queue: ReviewQueue, sample: list[str]) -> None:
    bulk = Bulk(queue)
    preview = bulk.preview(sample[:3], Plan(person="Lea", decision="approve"))
    bulk.run(preview.id, preview.token, "Lea")
    assert stored(queue) == ("accept", 3, 0)
    assert announced(queue) == 1
    assert queue.claim("Ada") is None, "nothing of an accepted lot is served"
    bulk.undo(preview.id, "Lea")
    assert stored(queue) == ("undecided", 0, 0)
    lease = queue.claim("Ada")
    assert lease is not None
    assert lease.item_key in sample


def test_a_requeue_settles_the_lot(queue: ReviewQueue, sample: list[str]) -> None:
    for key in sample[:2]:
        queue.submit(key, "reject", "Bob")
    assert stored(queue) == ("reject", 2, 2)
    requeue_recent(queue, "Bob", 0, by="Lea", reason="too fast")
    assert stored(queue) == ("undecided", 0, 0)


def test_an_append_that_fails_leaves_the_lot_as_it_was(queue: ReviewQueue, sample: list[str]) -> None:
    def work(connection: sa.Connection) -> None:
        append_votes(connection, queue.recipe, [Vote(item_key=key, decision="approve", reviewer="Ada") for key in sample[:3]])
        raise RuntimeError("the power fails")

    with pytest.raises(RuntimeError, match="power"):
        queue.database.write(work)
    assert stored(queue) == ("undecided", 0, 0)
    assert announced(queue) == 0
