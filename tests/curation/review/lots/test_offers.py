"""The queue offers samples first, all of a failed lot, and nothing of an accepted one."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from curation.records import Decision, Example, ReviewItem
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.lots import settlement, tables
from curation.review.lots.config import LotConfig
from curation.review.lots.inspection import inspect_rows
from curation.review.lots.offers import store_lots
from curation.review.queue import ReviewQueue, statements

pytestmark = pytest.mark.slow

CONFIG = ReviewConfig(lots=LotConfig(n=4, c=1, quality_level=0.7))


@pytest.fixture
def queue(either_queue: ReviewQueue) -> ReviewQueue:
    return either_queue


@pytest.fixture
def items(queue: ReviewQueue, make_example: Callable[..., Example]) -> list[ReviewItem]:
    items = build_items([make_example(number) for number in range(20)], [], lambda _: "", CONFIG)
    sync(queue, items)
    return items


def sync(queue: ReviewQueue, items: list[ReviewItem], config: ReviewConfig = CONFIG) -> None:
    queue.sync_items(items, config)
    store_lots(queue, items, config)


def sample_of(items: list[ReviewItem]) -> list[str]:
    return list(inspect_rows(items, {}, CONFIG).reports[0].sample)


def served(queue: ReviewQueue) -> list[str]:
    """Everything that a person is given, who puts all of it off."""
    found: list[str] = []
    while (lease := queue.claim("Zoe")) is not None:
        queue.release(lease, skip=True)
        if lease.item_key in found:
            break
        found.append(lease.item_key)
    queue.database.write(lambda connection: connection.execute(sa.text("DELETE FROM review_skips")))
    return found


def state(queue: ReviewQueue) -> tuple[str, int, int]:
    with queue.database.read() as connection:
        row = connection.execute(sa.select(tables.lots).where(tables.lots.c.recipe == queue.recipe)).one()
    return row.decision, row.num_inspected, row.num_bad


def vote(queue: ReviewQueue, keys: list[str], *decisions: Decision) -> None:
    for key, decision in zip(keys, decisions, strict=False):
        queue.submit(key, decision, "Ada", edited_answer="better" if decision == "edit" else "")


def test_only_the_sample_is_served_by_rank(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    assert set(served(queue)) == set(sample_of(items))
    first = queue.claim("Ada")
    assert first is not None
    assert first.item_key == sample_of(items)[0]
    assert state(queue) == ("undecided", 0, 0)


def test_nothing_is_served_once_the_lot_is_accepted(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    vote(queue, sample_of(items), "approve", "approve", "approve")
    assert state(queue) == ("accept", 3, 0)
    assert served(queue) == []


def test_everything_is_served_once_the_sample_has_failed(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    sample = sample_of(items)
    vote(queue, sample, "approve", "reject", "edit")
    assert state(queue) == ("reject", 3, 2)
    assert set(served(queue)) == {item.key for item in items} - set(sample[:3])


def test_a_verdict_taken_back_is_seen(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    sample = sample_of(items)
    vote(queue, sample, "approve", "approve", "approve")
    queue.undo(queue.history(sample[1])[-1], "Ada")
    assert state(queue) == ("undecided", 2, 0)
    assert set(served(queue)) == {sample[1], sample[3]}
    other = next(item.key for item in items if item.key not in sample)
    given = queue.submit(other, "approve", "Ada")
    vote(queue, sample[1:2], "reject")
    vote(queue, sample[3:4], "reject")
    assert state(queue) == ("reject", 4, 2)
    queue.undo(given, "Ada")
    assert other in served(queue), "a verdict outside the sample that is taken back is needed in a failed lot"


def test_an_item_held_back_may_still_be_chosen_and_its_verdict_is_none_of_the_sample(
    queue: ReviewQueue, items: list[ReviewItem]
) -> None:
    other = next(item.key for item in items if item.key not in sample_of(items))
    lease = queue.claim("Ada", item_key=other)
    assert lease is not None
    queue.submit(other, "reject", "Ada", generation=lease.generation)
    assert state(queue) == ("undecided", 0, 0)


def test_a_new_sync_finds_the_same_lots_and_their_verdicts(
    queue: ReviewQueue, items: list[ReviewItem], make_example: Callable[..., Example]
) -> None:
    vote(queue, sample_of(items), "reject", "reject")
    more = [*items, *build_items([make_example(number) for number in range(20, 24)], [], lambda _: "", CONFIG)]
    sync(queue, more)
    with queue.database.read() as connection:
        lot = tables.lots.c
        query = sa.select(lot.size, lot.decision).where(lot.recipe == queue.recipe)
        lots = connection.execute(query).all()
    verdicts = queue.current_verdicts()
    assert [tuple(lot) for lot in lots] == [(24, inspect_rows(more, verdicts, CONFIG).reports[0].figures.decision)]


def test_the_stored_figures_are_those_that_the_gate_works_out(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    decisions: list[Decision] = ["approve", "reject", "approve", "edit"]
    for key, decision in zip(sample_of(items), decisions, strict=True):
        vote(queue, [key], decision)
        figures = inspect_rows(items, queue.current_verdicts(), CONFIG).reports[0].figures
        with queue.database.read() as connection:
            row = connection.execute(sa.select(tables.lots).where(tables.lots.c.recipe == queue.recipe)).one()
        for name in ("size", "num_inspected", "num_bad", "decision", "decided_at", "decided_sequence"):
            assert getattr(row, name) == getattr(figures, name), name


def test_a_recipe_without_lots_offers_everything_again(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    vote(queue, sample_of(items), "approve", "approve", "approve")
    sync(queue, items, ReviewConfig())
    assert len(served(queue)) == 17
    with queue.database.read() as connection:
        assert connection.execute(sa.select(tables.lots).where(tables.lots.c.recipe == queue.recipe)).all() == []


def test_a_dispute_in_an_accepted_lot_is_closed_unless_somebody_opens_it(
    queue: ReviewQueue, make_example: Callable[..., Example]
) -> None:
    config = ReviewConfig(lots=CONFIG.lots, overlap=2)
    items = build_items([make_example(number) for number in range(20)], [], lambda _: "", config)
    sync(queue, items, config)
    sample = sample_of(items)
    queue.submit(sample[0], "approve", "Ada")
    queue.submit(sample[0], "reject", "Bob")
    lease = queue.claim("Cleo", role="adjudication")
    assert lease is not None, "the lot waits for this item"
    queue.release(lease)
    for key in sample[1:]:
        queue.submit(key, "approve", "Ada")
        queue.submit(key, "approve", "Bob")
    assert state(queue) == ("accept", 3, 0)
    assert queue.counts().num_disputed == 0
    assert [queue.list_items(status) for status in ("open", "disputed")] == [[], []]
    assert sample[0] in {entry.item.key for entry in queue.list_items("held")}
    assert queue.claim("Cleo", role="adjudication") is None
    asked = queue.claim("Lea", role="adjudication", item_key=sample[0])
    assert asked is not None
    queue.submit(sample[0], "reject", "Lea", generation=asked.generation, role="adjudication")
    assert queue.current_verdicts()[sample[0]].decision == "reject"


def test_a_dispute_outside_the_sample_waits_with_its_lot(queue: ReviewQueue, make_example: Callable[..., Example]) -> None:
    config = ReviewConfig(lots=CONFIG.lots, overlap=2)
    items = build_items([make_example(number) for number in range(20)], [], lambda _: "", config)
    sync(queue, items, config)
    sample = sample_of(items)
    other = next(item.key for item in items if item.key not in sample)
    queue.submit(other, "approve", "Ada")
    queue.submit(other, "reject", "Bob")
    assert queue.claim("Cleo", role="adjudication") is None
    for key in sample[:2]:
        queue.submit(key, "reject", "Ada")
        queue.submit(key, "reject", "Bob")
    assert state(queue)[0] == "reject"
    assert [entry.item.key for entry in queue.list_items("disputed")] == [other]
    assert len(queue.list_items("open")) == queue.counts().num_open == 18
    lease = queue.claim("Cleo", role="adjudication")
    assert lease is not None
    assert lease.item_key == other


def test_a_large_lot_that_fails_is_offered_bit_by_bit(
    queue: ReviewQueue, items: list[ReviewItem], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settlement, "AT_ONCE", 8)
    monkeypatch.setattr(settlement, "A_VERDICT", 2)
    sample = sample_of(items)
    vote(queue, sample, "reject", "reject")
    given = 2
    assert 4 <= len(served(queue)) < 18
    while lease := queue.claim("Bob"):
        queue.submit(lease.item_key, "approve", "Bob", generation=lease.generation)
        given += 1
    assert given == 20


def test_a_large_lot_that_has_not_failed_after_all_holds_its_items_back(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    sample = sample_of(items)
    vote(queue, sample, "reject", "reject")
    queue.undo(queue.history(sample[1])[-1], "Ada")
    assert state(queue) == ("undecided", 1, 1)
    assert set(served(queue)) == set(sample[1:])
    vote(queue, sample[1:2], "reject")
    assert len(served(queue)) == 18


def test_no_claim_sorts_the_whole_queue(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    values = {"recipe": queue.recipe, "reviewer": "Ada", "role": "review", "origin": "random", "kind": "example", "after": ""}
    if not queue.database.is_sqlite:
        pytest.skip("PostgreSQL's plans follow its statistics")
    for by_database in statements.CLAIM_NEXT.values():
        with queue.database.read() as connection:
            text = f"EXPLAIN QUERY PLAN {by_database[True]._for_sqlite}"
            plan = connection.exec_driver_sql(text, values | {"max_leases": 20}).all()
        assert not [step for step in plan if "TEMP B-TREE" in step[-1]]
