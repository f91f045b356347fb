"""A queue with decided and open items, and short ways to vote."""

from collections.abc import Callable
from typing import Any

import pytest

from curation.records import Decision, Example, ReviewItem, Verdict
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue

CONFIG = ReviewConfig()


@pytest.fixture
def make_items(make_example: Callable[..., Example]) -> Callable[..., list[ReviewItem]]:
    """Return items whose answers hold a number, a name, two sentences: all that can be damaged."""

    def make(num: int, config: ReviewConfig = CONFIG) -> list[ReviewItem]:
        answers = [f"Call polars.fold_{number} with {number + 10} rows. It keeps their order." for number in range(num)]
        return build_items([make_example(number, answer) for number, answer in enumerate(answers)], [], lambda _: "", config)

    return make


@pytest.fixture
def decide(queue: ReviewQueue) -> Callable[..., Verdict]:
    """Return a function that records a verdict: decide(item, "approve", "Ada")."""

    def vote(item: ReviewItem | str, decision: Decision = "approve", reviewer: str = "Ada", **more: Any) -> Verdict:
        key = item if isinstance(item, str) else item.key
        text = "Something else." if decision == "edit" else ""
        return queue.submit(key, decision, reviewer, edited_answer=text, **more)

    return vote
