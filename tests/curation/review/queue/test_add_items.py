"""Adding items beside those that are there."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa

from curation.ids import content_hash
from curation.records import Example, ReviewItem
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.queue.sync import add_items


@pytest.fixture
def make_item(make_example: Callable[..., Example]) -> Callable[[int], ReviewItem]:
    """Return a function that gives item 0, 1, 2, ..."""
    (like,) = build_items([make_example(0)], [], lambda span: "", ReviewConfig())
    return lambda number: replace(like, key=content_hash(number), record_key=f"demo/{number}")


def test_nothing_is_withdrawn_and_all_is_counted(queue: ReviewQueue, make_example: Callable[..., Example]) -> None:
    config = ReviewConfig()
    items = build_items([make_example(number, f"answer {number}") for number in range(6)], [], lambda span: "", config)
    queue.sync_items(items[:4], config)
    queue.submit(items[0].key, "approve", "Ada")
    queue.sync_items(items[1:4], config)
    assert queue.counts().num_items == 3
    report = add_items(queue.database, "demo", [items[0], items[3], *items[4:], items[5]], config)
    assert (report.added, report.kept, report.closed) == (3, 1, 0)
    counts = queue.counts()
    assert (counts.num_items, counts.num_human, counts.decisions) == (6, 1, {"approve": 1})
    assert add_items(queue.database, "demo", items, config).added == 0
    queue.sync_items(items, config)
    assert queue.counts() == counts


def test_a_new_overlap_reaches_the_items_that_are_there(queue: ReviewQueue, make_example: Callable[..., Example]) -> None:
    items = build_items([make_example(number) for number in range(2)], [], lambda span: "", ReviewConfig())
    queue.sync_items(items[:1], ReviewConfig())
    queue.submit(items[0].key, "approve", "Ada")
    add_items(queue.database, "demo", items[1:], ReviewConfig(overlap=2))
    assert queue.get_item(items[0].key).state == "partial"
    assert {queue.claim("Bob").item_key for _ in range(1)} <= {item.key for item in items}  # type: ignore[union-attr]


def test_adding_to_a_large_queue_looks_at_no_more_rows(queue: ReviewQueue, make_item: Callable[[int], ReviewItem]) -> None:
    """Counting what is new once read every listed item of the queue, part by part."""
    steps = [0]

    def watch(connection: sa.Connection) -> None:
        sqlite = connection.connection.dbapi_connection
        assert sqlite is not None
        sqlite.set_progress_handler(lambda: steps.__setitem__(0, steps[0] + 1), 10)

    def cost(first: int) -> int:
        before = steps[0]
        add_items(queue.database, "demo", [make_item(number) for number in range(first, first + 3)], ReviewConfig())
        return steps[0] - before

    add_items(queue.database, "demo", [make_item(number) for number in range(100)], ReviewConfig())
    queue.database.write(watch)
    small = cost(100)
    add_items(queue.database, "demo", [make_item(number) for number in range(103, 1_600)], ReviewConfig())
    assert small > 0
    assert cost(1_600) < 1.5 * small


def test_withdrawn_items_that_come_back_are_counted_with_what_was_said(
    queue: ReviewQueue, make_item: Callable[[int], ReviewItem]
) -> None:
    items = [make_item(number) for number in range(3)]
    queue.sync_items(items, ReviewConfig())
    queue.submit(items[0].key, "reject", "Ada", reason="wrong")
    queue.sync_items([], ReviewConfig())
    assert queue.counts().num_items == 0
    assert add_items(queue.database, "demo", [*items[:2], items[0]], ReviewConfig()).added == 2
    counts = queue.counts()
    assert (counts.num_items, counts.num_human, counts.decisions) == (2, 1, {"reject": 1})


def test_the_database_itself_lets_nobody_hold_an_item_twice(queue: ReviewQueue, make_item: Callable[[int], ReviewItem]) -> None:
    add_items(queue.database, "demo", [make_item(0), make_item(1)], ReviewConfig(overlap=3))  # free slots have no holder
    item, slot = schema.slots.c.item_key == make_item(0).key, schema.slots.c.slot
    hold = schema.slots.update().where(item, slot < 2).values(holder="Ada")
    with pytest.raises(sa.exc.IntegrityError):
        queue.database.write(lambda connection: connection.execute(hold))
    queue.database.write(lambda connection: connection.execute(hold.where(slot < 1)))
