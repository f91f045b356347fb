"""Items with texts of every kind, as strategies and as a filled queue."""

from collections.abc import Callable

import pytest

from curation.records import Example, PreferencePair, ReviewItem
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue

CONFIG = ReviewConfig()


@pytest.fixture
def items(make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]) -> list[ReviewItem]:
    examples = [make_example(number, f"answer {number}") for number in range(6)]
    pairs = [make_pair(example, "something else") for example in examples[:3]]
    return build_items(examples, pairs, lambda span: f"text of {span.document_key}", CONFIG)


@pytest.fixture
def decided(queue: ReviewQueue, items: list[ReviewItem]) -> ReviewQueue:
    """A queue whose examples were approved, edited and rejected, and whose pairs were compared."""
    queue.sync_items(items, CONFIG)
    examples = [item for item in items if item.kind == "example"]
    pairs = [item for item in items if item.kind == "pair"]
    queue.submit(examples[0].key, "approve", "Ada")
    queue.submit(examples[1].key, "edit", "Bob", edited_answer="=better")
    queue.submit(examples[2].key, "reject", "Ada", reason="wrong: no")
    undone = queue.submit(examples[3].key, "approve", "Ada")
    queue.undo(undone, "Ada")
    queue.submit(examples[4].key, "approve", "automatic:length", "automatic")
    queue.submit(pairs[0].key, "prefer_b", "Ada")
    queue.submit(pairs[1].key, "tie", "Bob")
    return queue
