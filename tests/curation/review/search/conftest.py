"""A queue whose items say what a test wants found."""

from collections.abc import Callable

import pytest

from curation.records import Example, ReviewItem
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue

CONFIG = ReviewConfig()


@pytest.fixture
def fill(make_example: Callable[..., Example]) -> Callable[..., list[ReviewItem]]:
    """Return a function that syncs answers into a queue; items come back in the order of their answers."""

    def put(queue: ReviewQueue, answers: list[str], *, method: str = "routing") -> list[ReviewItem]:
        examples = [make_example(number, answer, method=method) for number, answer in enumerate(answers)]
        items = [build_items([example], [], lambda _: "A <b>source</b>.", CONFIG)[0] for example in examples]
        queue.sync_items(items, CONFIG)
        return items

    return put
