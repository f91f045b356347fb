"""Whoever has a chain checked can be told how far that is."""

from collections.abc import Callable

import pytest

from curation.errors import LedgerTamperedError
from curation.records import Example
from curation.review.config import ReviewConfig
from curation.review.exchange import audit
from curation.review.exchange.audit import follow_chain
from curation.review.items import build_items
from curation.review.queue import ReviewQueue


@pytest.mark.parametrize(("chunk", "told"), [(1, [1, 2, 3, 3]), (2, [2, 3]), (100, [3])])
def test_a_watcher_is_told_how_far_the_check_is(
    queue: ReviewQueue, make_example: Callable[..., Example], monkeypatch: pytest.MonkeyPatch, chunk: int, told: list[int]
) -> None:
    items = build_items([make_example(number) for number in range(3)], [], lambda _: "", ReviewConfig())
    queue.sync_items(items, ReviewConfig())
    for item in items:
        queue.submit(item.key, "approve", "Ada")
    head = queue.verify_chain()
    monkeypatch.setattr(audit, "CHUNK", chunk)
    seen: list[int] = []
    with queue.database.read() as connection:
        follow_chain(connection, "demo", length=3, head=head, watch=seen.append)
        with pytest.raises(LedgerTamperedError):
            follow_chain(connection, "demo", length=3, head="another")
    assert seen == told
