"""Requeue: recent verdicts are undone by new rows, what must stay stays, and others get the items first."""

from collections.abc import Callable
from typing import Any

import pytest

from curation.errors import VerdictRefusedError
from curation.records import ReviewItem, Verdict
from curation.review.config import ReviewConfig
from curation.review.queue import ReviewQueue
from curation.review.reviewers import requeue
from curation.review.reviewers.gold import set_gold
from curation.review.reviewers.requeue import last_right, preview_requeue, requeue_recent

pytestmark = pytest.mark.slow

CONFIG = ReviewConfig()
TWO = ReviewConfig(overlap=2)
Decide = Callable[..., Verdict]
Items = Callable[..., list[ReviewItem]]


def test_verdicts_since_the_last_right_gold_are_undone(queue: ReviewQueue, make_items: Items, decide: Decide) -> None:
    items = make_items(6)
    queue.sync_items(items, CONFIG)
    good, bad = set_gold(queue, items[4].key, ["reject"], by="Lea"), set_gold(queue, items[5].key, ["reject"], by="Lea")
    decide(items[0], "approve", "Bob")
    right = decide(good.item_key, "reject", "Bob", reason="wrong")
    after = [decide(items[1], "approve", "Bob"), decide(items[2], "edit", "Bob")]
    decide(items[3], "approve", "Ada")
    decide(bad.item_key, "approve", "Bob")
    before = queue.verdicts_after(0)
    assert last_right(queue, "Bob") == right.sequence
    preview = preview_requeue(queue, "Bob")
    assert (preview.sequences, preview.num, preview.num_gold) == (tuple(vote.sequence for vote in after), 2, 1)
    assert queue.verdicts_after(0) == before  # a preview changes nothing
    assert requeue_recent(queue, "Bob", by="Lea") == preview
    assert queue.verdicts_after(0)[: len(before)] == before
    undone = queue.verdicts_after(len(before))
    assert [(vote.decision, vote.reviewer, vote.supersedes) for vote in undone] == [
        ("undo", "Lea", sequence) for sequence in preview.sequences
    ]
    assert all("Bob missed" in vote.reason for vote in undone)
    assert queue.verify_chain()
    assert [queue.resolution(item.key).state for item in items[:4]] == ["decided", "open", "open", "decided"]
    assert requeue_recent(queue, "Bob", by="Lea").num == 0


def test_others_get_the_items_first(queue: ReviewQueue, make_items: Items, decide: Decide) -> None:
    queue.sync_items(make_items(2), CONFIG)
    first = queue.claim("Bob")  # what the order of the queue gives first
    assert first is not None
    decide(first.item_key, "approve", "Bob")
    requeue_recent(queue, "Bob", by="Lea", reason="too fast")
    lease = queue.claim("Bob")
    assert lease is not None
    assert lease.item_key != first.item_key
    assert queue.history(first.item_key)[-1].reason == "too fast"
    found = queue.claim("Cyd")
    assert found is not None
    assert found.item_key == first.item_key


def test_what_stays(queue: ReviewQueue, make_items: Items, decide: Decide) -> None:
    items = make_items(5, TWO)
    queue.sync_items(items, TWO)
    decide(items[0], "approve", "Bob")
    decide(items[0], "reject", "Ada")
    decide(items[0], "reject", "Lea", role="adjudication")
    decide(items[1], "approve", "Bob")
    decide(items[2], "approve", "Bob")
    decide(items[2], "approve", "Ada")
    queue.undo(decide(items[3], "approve", "Bob"), "Bob")
    decide(items[4], "approve", "Ada")
    decide(items[4], "reject", "Cyd")
    decide(items[4], "approve", "Bob", role="adjudication")
    queue.sync_items([item for item in items if item != items[1]], TWO)
    done = requeue_recent(queue, "Bob", by="Lea")
    assert done.item_keys == (items[2].key,)
    assert (done.num_adjudicated, done.num_withdrawn, done.num_gold) == (1, 1, 0)
    assert [vote.reviewer for vote in queue.resolution(items[2].key).votes] == ["Ada"]
    assert queue.resolution(items[4].key).verdict is not None


def test_a_changed_vote_counts_by_its_newest(queue: ReviewQueue, make_items: Items, decide: Decide) -> None:
    items = make_items(2)
    queue.sync_items(items, CONFIG)
    early = decide(items[0], "approve", "Bob")
    decide(items[1], "approve", "Bob")
    newest = decide(items[0], "reject", "Bob", reason="wrong")
    assert preview_requeue(queue, "Bob", since=newest.sequence - 1).sequences == (newest.sequence,)
    assert requeue_recent(queue, "Bob", since=early.sequence, by="Lea").num == 2
    assert queue.resolution(items[0].key).state == "open"  # not back to the vote before


def test_nobody_and_nothing(queue: ReviewQueue, make_items: Items) -> None:
    queue.sync_items(make_items(1), CONFIG)
    assert preview_requeue(queue, "Nobody").num == 0
    assert requeue_recent(queue, "Nobody", by="Lea").num == 0
    assert queue.verdicts_after(0) == []


def test_a_change_in_between_is_looked_at_again(
    queue: ReviewQueue, make_items: Items, decide: Decide, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = make_items(2)
    queue.sync_items(items, CONFIG)
    for item in items:
        decide(item, "approve", "Bob")
    append, failures = requeue.append_votes, [1]

    def fail(*arguments: Any) -> list[Verdict]:
        if failures:
            failures.pop()
            raise VerdictRefusedError(problem="there is nothing to undo: that verdict was changed or undone since.")
        return append(*arguments)

    monkeypatch.setattr(requeue, "append_votes", fail)
    assert requeue_recent(queue, "Bob", by="Lea").num == 2
    failures += [1] * 3
    decide(items[0], "approve", "Bob")
    with pytest.raises(VerdictRefusedError):
        requeue_recent(queue, "Bob", by="Lea")
    assert queue.resolution(items[0].key).state == "decided"
