"""Adding items beside those that are there."""

from collections.abc import Callable

from curation.records import Example
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.queue.sync import add_items


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
