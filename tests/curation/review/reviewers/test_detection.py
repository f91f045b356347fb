"""Detection: the first thing said counts, intervals are Wilson's, and failing is told by floor and by recent failures."""

from collections.abc import Callable

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.records import ReviewItem, Verdict
from curation.review.config import ReviewConfig
from curation.review.queue import ReviewQueue
from curation.review.reviewers.detection import RECENT, GoldResult, allowed_failures, detect, gold_results
from curation.review.reviewers.gold import set_gold
from curation.review.reviewers.intervals import share_interval
from curation.review.reviewers.planting import plant_errors

pytestmark = pytest.mark.slow

Decide = Callable[..., Verdict]


def results(outcomes: str, reviewer: str = "Bob") -> list[GoldResult]:
    """Return results for a row of `+` (right) and `-` (wrong)."""
    return [
        GoldResult(
            reviewer=reviewer,
            item_key=f"{number:032x}",
            sequence=number * 10,
            decision="reject",
            is_right=outcome == "+",
            damage="number",
            created_at="2026-11-29T13:00:00+00:00",
        )
        for number, outcome in enumerate(outcomes, start=1)
    ]


def test_the_interval_is_wilsons() -> None:
    found = share_interval(18, 20)
    assert (found.low, found.high) == (pytest.approx(0.6990, abs=1e-4), pytest.approx(0.9721, abs=1e-4))  # published tables
    assert (share_interval(0, 10).low, share_interval(10, 10).high) == (0.0, 1.0)
    assert share_interval(0, 0).value is None
    assert str(share_interval(3, 4)) == "75% [30%, 95%] of 4"


@hypothesis.given(num=st.integers(1, 500), hits=st.integers(0, 500))
@hypothesis.settings(max_examples=50)
def test_the_interval_holds_the_share(num: int, hits: int) -> None:
    found = share_interval(min(hits, num), num)
    assert found.value is not None
    assert 0 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize(
    ("outcomes", "is_failing"),
    [
        ("+++++++---", False),  # 70 % is the floor
        ("++++++----", True),
        ("++----", False),  # too few to tell
        ("-------", True),  # seven failures are too many, however few there were
        ("+" * 80 + "++++++++++++++------", False),  # six among the newest twenty
        ("+" * 80 + "+++++++++++++-------", True),
        ("------" + "+" * 20, False),  # long ago
    ],
)
def test_failing(outcomes: str, is_failing: bool) -> None:
    found = detect(results(outcomes), floor=0.7)["Bob"]
    assert found.is_failing == is_failing
    assert bool(found.reason) == is_failing
    assert found.share.num == len(outcomes)
    assert found.num_recent_failures == outcomes[-RECENT:].count("-")


def test_what_may_be_missed() -> None:
    assert [allowed_failures(floor) for floor in (0.7, 0.9, 0.5)] == [6, 2, 10]


@pytest.mark.parametrize(("outcomes", "last"), [("++-", 20), ("+-+", 10), ("---", 0), ("+++", 0), ("", None)])
def test_the_last_right_one_is_that_before_the_newest_failure(outcomes: str, last: int | None) -> None:
    found = detect(results(outcomes), floor=0.7)
    assert (found["Bob"].last_right if found else None) == last


def test_each_reviewer_and_each_damage_by_itself() -> None:
    found = detect([*results("+-", "Bob"), *results("--", "Ada")], floor=0.7)
    assert list(found) == ["Ada", "Bob"]
    assert (found["Ada"].missed, found["Bob"].missed) == ({"number": 2}, {"number": 1})


def test_the_first_decision_counts_and_that_of_whoever_set_it_does_not(
    queue: ReviewQueue, make_items: Callable[..., list[ReviewItem]], decide: Decide
) -> None:
    config = ReviewConfig(overlap=2)
    items = make_items(3, config)
    queue.sync_items(items, config)
    gold = set_gold(queue, items[0].key, ["approve"], by="Lea")
    decide(gold.item_key, "reject", "Bob", reason="wrong")
    decide(gold.item_key, "approve", "Bob")  # after somebody told them
    decide(gold.item_key, "approve", "Lea")
    decide(items[1], "approve", "Bob")
    queue.submit(gold.item_key, "approve", "automatic:length v1", "automatic")
    (result,) = gold_results(queue)
    assert (result.reviewer, result.decision, result.is_right, result.damage) == ("Bob", "reject", False, "gold")


def test_a_planted_error_is_found_by_an_edit_or_a_rejection(
    queue: ReviewQueue, make_items: Callable[..., list[ReviewItem]], decide: Decide
) -> None:
    items = make_items(6)
    queue.sync_items(items, ReviewConfig())
    for item in items[:3]:
        decide(item, "approve", "Ada")
    planted = plant_errors(queue, 3, by="Lea", seed=1)
    for gold, decision in zip(planted, ("edit", "reject", "approve"), strict=True):
        decide(gold.item_key, decision, "Bob")
    found = detect(gold_results(queue), floor=0.7)["Bob"]
    assert (found.share.num, found.missed) == (3, {planted[2].damage: 1})
    assert found.share.value == pytest.approx(2 / 3)
