"""The counts beside the items say what counting the items would say, whatever happens."""

from collections.abc import Callable

import pytest

from curation.records import Example, PreferencePair, ReviewItem
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import Counts, ReviewQueue
from curation.review.queue.counts import read_counts, recount
from curation.review.queue.sync import add_items

LENIENT = ReviewConfig(accept="automatic", automatic=("length",), overlap=2)


@pytest.fixture
def items(make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]) -> list[ReviewItem]:
    examples = [make_example(number) for number in range(6)]
    found = build_items(examples, [make_pair(example) for example in examples[:2]], lambda _: "", LENIENT)
    return sorted(found, key=lambda item: (item.kind, item.key))


def vote_on_everything(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    """Leave the examples decided, disputed, partly voted, open with and without an automatic verdict, and one as it was."""
    queue.sync_items(items, LENIENT)
    for name in ("Ada", "Bob"):
        queue.submit(items[0].key, "reject", name, reason="wrong")
        queue.submit(items[6].key, "tie", name)
    queue.submit(items[1].key, "approve", "Ada")
    queue.submit(items[1].key, "reject", "Bob", reason="wrong")
    queue.submit(items[2].key, "approve", "Ada")
    for number in (0, 1, 2, 3, 4):
        queue.submit(items[number].key, "approve", "automatic:length v1", "automatic")


def test_automatic_verdicts_count_where_no_person_has_said_anything(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    vote_on_everything(queue, items)
    counts = queue.counts()
    assert (counts.num_items, counts.num_open, counts.num_disputed, counts.num_human, counts.num_automatic) == (8, 4, 1, 2, 2)
    assert counts.num_decided == 4
    assert list(counts.decisions.items()) == [("approve", 2), ("reject", 1), ("tie", 1)]
    pairs = queue.counts(kind="pair")
    assert (pairs.num_items, pairs.num_open, pairs.num_disputed, pairs.decisions) == (2, 1, 0, {"tie": 1})
    with queue.database.read() as connection:
        people = read_counts(connection, "demo", "human")
        assert read_counts(connection, "another", "human") == Counts()
    assert (people.num_open, people.num_human, people.num_automatic) == (6, 2, 0)
    assert people.decisions == {"reject": 1, "tie": 1}


def test_a_decision_that_no_item_has_any_more_is_not_listed(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    queue.sync_items(items, ReviewConfig())
    verdict = queue.submit(items[0].key, "approve", "Ada")
    queue.submit(items[0].key, "reject", "Ada", reason="wrong")
    assert queue.counts().decisions == {"reject": 1}
    queue.undo(queue.history(items[0].key)[-1], "Ada")
    assert (queue.counts().decisions, queue.counts().num_open, verdict.sequence) == ({}, 8, 1)


def test_counting_anew_changes_nothing(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    other = ReviewQueue(queue.database, "other")
    other.sync_items(items[:3], ReviewConfig())
    vote_on_everything(queue, items[:7])
    queue.sync_items(items[:5] + items[6:7], LENIENT)
    add_items(queue.database, "demo", items[5:], LENIENT)
    add_items(queue.database, "demo", items[5:], LENIENT)
    kept, others = queue.counts(), other.counts()
    queue.database.write(lambda connection: recount(connection, "demo"))
    assert queue.counts() == kept
    assert (kept.num_items, kept.num_human, kept.num_automatic) == (8, 2, 2)
    assert other.counts() == others == Counts(num_items=3, num_open=3)
