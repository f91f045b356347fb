"""Agreement over the votes of a queue: which votes count, how items are grouped, what is undefined and why."""

from collections.abc import Callable
from typing import get_args

import pytest

from curation.judging.agreement import cohen_kappa, fleiss_kappa, gwet_ac1, krippendorff_alpha
from curation.records import Decision, Example, PreferencePair, ReviewItem, Verdict
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.reviewers.agreement import MIXED, Dimension, measure
from curation.review.reviewers.gold import set_gold
from curation.review.reviewers.ratings import RatedItem, read_ratings, week_of

pytestmark = pytest.mark.slow

TWO = ReviewConfig(overlap=2)
Decide = Callable[..., Verdict]


def rated(number: int, *decisions: Decision, kind: str = "example", task: str = "qa", week: str = "2026-W48") -> RatedItem:
    return RatedItem(
        item_key=f"{number:032x}",
        kind=kind,
        task=task,
        week=week,
        by_reviewer=dict(zip(("Ada", "Bob", "Cyd"), decisions, strict=False)),
        is_disputed=len(set(decisions)) > 1,
    )


def test_the_figures_are_those_of_the_votes() -> None:
    said: list[tuple[Decision, Decision]] = [("approve", "approve")] * 6 + [("reject", "reject")] * 3 + [("approve", "edit")]
    report = measure([rated(number, *both) for number, both in enumerate(said)])
    (whole, *_), (pair,) = report.groups, report.pairs
    ada, bob = [one for one, _ in said], [two for _, two in said]
    assert pair.kappa == cohen_kappa(ada, bob)
    assert (pair.one, pair.two, pair.percent.value) == ("Ada", "Bob", 0.9)
    assert (whole.fleiss, whole.alpha) == (fleiss_kappa(said), krippendorff_alpha(said))
    assert whole.ac1 == gwet_ac1(said, num_categories=3)
    assert whole.ac1.low is not None
    assert (report.num_items, report.num_disputed, report.num_settled) == (10, 1, 0)


def test_groups() -> None:
    rows = [
        rated(0, "approve", "approve"),
        rated(1, "reject", "approve", task="other"),
        rated(2, "tie", "tie", kind="pair"),
        rated(3, "prefer_a", "tie", kind="pair", week="2026-W49"),
        rated(4, "approve"),
    ]
    report = measure(rows)
    found = {(group.dimension, group.name, group.kind): (group.num_items, group.num_rated_twice) for group in report.groups}
    assert found == {
        ("all", "all items", ""): (5, 4),
        ("kind", "example", "example"): (3, 2),
        ("kind", "pair", "pair"): (2, 2),
        ("task", "other", "example"): (1, 1),
        ("task", "qa", "example"): (2, 1),
        ("task", "qa", "pair"): (2, 2),
        ("week", "2026-W48", "example"): (3, 2),
        ("week", "2026-W48", "pair"): (1, 1),
        ("week", "2026-W49", "pair"): (1, 1),
    }
    assert {dimension for dimension, *_ in found} == set(get_args(Dimension))
    assert [(pair.kind, pair.one, pair.two) for pair in report.pairs] == [("example", "Ada", "Bob"), ("pair", "Ada", "Bob")]


def test_mixed_kinds_have_a_percentage_only() -> None:
    whole = measure([rated(0, "approve", "approve"), rated(1, "tie", "prefer_a", kind="pair")]).groups[0]
    assert whole.percent.value == 0.5
    assert [found.reason for found in (whole.fleiss, whole.alpha, whole.ac1)] == [MIXED] * 3


def test_what_is_undefined_says_why() -> None:
    one_category = measure([rated(number, "approve", "approve") for number in range(3)]).groups[0]
    assert one_category.fleiss.value is None
    assert "one category" in one_category.fleiss.reason
    assert one_category.ac1.value == 1
    alone = measure([rated(0, "approve")])
    assert "two ratings" in alone.groups[0].percent.reason
    assert alone.pairs == ()
    nothing = measure([])
    assert nothing.groups[0].num_items == 0
    assert nothing.groups[0].percent.value is None


def test_only_votes_that_stand_before_adjudication_count(
    queue: ReviewQueue, make_items: Callable[..., list[ReviewItem]], decide: Decide
) -> None:
    items = make_items(5, TWO)
    queue.sync_items(items, TWO)
    for reviewer, decision in (("Ada", "approve"), ("Bob", "reject")):
        decide(items[0], decision, reviewer)
    decide(items[0], "approve", "Lea", role="adjudication")
    decide(items[1], "reject", "Ada")
    decide(items[1], "approve", "Ada")  # a change of mind
    decide(items[1], "approve", "Bob")
    queue.undo(decide(items[2], "approve", "Ada"), "Ada")
    queue.submit(items[3].key, "approve", "automatic:length v1", "automatic")
    decide(items[4], "edit", "Ada")
    queue.submit(items[4].key, "edit", "Bob", edited_answer="Yet another.")
    gold = set_gold(queue, items[0].key, ["reject"], by="Lea")
    decide(gold.item_key, "approve", "Ada")
    found = {item.item_key: item for item in read_ratings(queue)}
    assert set(found) == {items[at].key for at in (0, 1, 4)}
    assert found[items[0].key].by_reviewer == {"Ada": "approve", "Bob": "reject"}
    assert found[items[0].key].adjudication is not None
    assert found[items[1].key].by_reviewer == {"Ada": "approve", "Bob": "approve"}
    assert [found[items[at].key].is_disputed for at in (0, 1, 4)] == [True, False, True]
    report = measure(list(found.values()))
    assert (report.num_disputed, report.num_settled) == (2, 1)


def test_weeks_are_those_of_iso_8601() -> None:
    assert week_of("2026-11-29T13:00:00+00:00") == "2026-W48"
    assert week_of("2027-01-01T00:00:00+00:00") == "2026-W53"


def test_kind_and_task_come_from_the_queue(
    queue: ReviewQueue, make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair], decide: Decide
) -> None:
    example = make_example(0, method="grounded_qa")
    items = build_items([example], [make_pair(example)], lambda _: "", TWO)
    queue.sync_items(items, TWO)
    for item in items:
        decide(item, "approve" if item.kind == "example" else "tie")
    assert {(item.kind, item.task) for item in read_ratings(queue)} == {("example", "grounded_qa"), ("pair", "grounded_qa")}


@pytest.mark.slow
def test_a_hundred_thousand_items_take_seconds() -> None:
    said: list[tuple[Decision, ...]] = [("approve", "approve", "reject"), ("approve", "approve", "approve"), ("edit", "reject")]
    rows = [rated(number, *said[number % 3]) for number in range(100_000)]
    assert measure(rows).num_items == 100_000
