"""Lists of items: the same as by looking at every item, and read from an index however few of a million are wanted."""

from collections.abc import Callable
from typing import get_args

import pytest
import sqlalchemy as sa

from curation.records import Example, PreferencePair, ReviewItem
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import QueueEntry, ReviewQueue, Status
from curation.review.queue.listing import select_arrivals
from curation.review.queue.vote import Vote

TWO = ReviewConfig(overlap=2, accept="automatic", automatic=("length",))
STATUSES = [status for status in get_args(Status) if status != "held"]


@pytest.fixture
def items(
    queue: ReviewQueue, make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]
) -> list[ReviewItem]:
    """Every state, with and without an automatic verdict, of two kinds; two came later, one is gone."""
    examples = [make_example(number) for number in range(10)]
    made = build_items(examples, [make_pair(example) for example in examples[:3]], lambda _: "", TWO)
    queue.sync_items([*made[2:], made[0]], TWO)
    for number, item in enumerate(made):
        if number != 1 and number % 3 != 2:
            bad = "both_bad" if item.kind == "pair" else "reject"
            queue.record([Vote(item_key=item.key, decision=bad, reviewer="automatic:x", reviewer_kind="automatic")])
    for number, item in enumerate(made[2:]):
        good, bad = ("prefer_a", "tie") if item.kind == "pair" else ("approve", "reject")
        for name in ("Ada", "Bob")[: number % 4]:
            decision = bad if number % 4 == 3 and name == "Bob" else good
            queue.submit(item.key, decision, name)  # type: ignore[arg-type]
    queue.sync_items([*made[3:], made[0], made[1]], TWO)
    return [*made[3:], made[0], made[1]]


def is_wanted(entry: QueueEntry, status: Status) -> bool:
    match status:
        case "open":
            return entry.verdict is None
        case "decided":
            return entry.verdict is not None
        case "disputed":
            return entry.state == "disputed"
        case _:
            return True


@pytest.mark.parametrize("accept", ["human", "automatic"])
@pytest.mark.parametrize("kind", [None, "example", "pair", "document"])
@pytest.mark.parametrize("status", STATUSES)
def test_a_list_is_what_a_look_at_every_item_finds(
    queue: ReviewQueue, items: list[ReviewItem], status: Status, kind: str | None, accept: str
) -> None:
    config = TWO if accept == "automatic" else ReviewConfig(overlap=2)
    queue.sync_items(items, config)
    expected = [
        entry.item.key
        for entry in queue.get_items([item.key for item in items])
        if is_wanted(entry, status) and kind in (None, entry.item.kind)
    ]
    found = [entry.item.key for entry in queue.list_items(status, kind=kind)]
    assert found == expected
    pages = [queue.list_items(status, kind=kind, offset=offset, limit=3) for offset in range(0, 15, 3)]
    assert [entry.item.key for page in pages for entry in page] == expected
    assert expected or kind is not None


@pytest.mark.parametrize("accept", ["human", "automatic"])
@pytest.mark.parametrize("status", STATUSES)
def test_a_list_reads_the_index_over_kinds_and_nothing_else(queue: ReviewQueue, status: Status, accept: str) -> None:
    query = select_arrivals("demo", status, accept, kind=None, offset=0, limit=51)  # type: ignore[arg-type]
    with queue.database.read() as connection:
        text = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
        steps = [row.detail for row in connection.execute(sa.text(f"EXPLAIN QUERY PLAN {text}"))]
    looks = [step for step in steps if "review_items" in step]
    assert looks
    assert all("USING COVERING INDEX review_items_kind" in step for step in looks)
    assert not [step for step in looks if "SCAN" in step]
