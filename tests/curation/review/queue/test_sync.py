"""Putting items into the queue: what the report says, what an item keeps, and what another overlap changes."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from curation.database import Database
from curation.ids import stable_fraction
from curation.records import Example, ReviewItem
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue, SyncReport, sync
from curation.review.queue.sync import add_items

ALL = ReviewConfig()


@pytest.fixture
def items(make_example: Callable[..., Example]) -> list[ReviewItem]:
    return build_items([make_example(number) for number in range(7)], [], lambda _: "", ALL)


def rows(queue: ReviewQueue, table: sa.Table = schema.items) -> list[dict[str, Any]]:
    with queue.database.read() as connection:
        query = sa.select(table).where(table.c.recipe == queue.recipe).order_by(*table.primary_key.columns)
        return [dict(row) for row in connection.execute(query).mappings()]


@pytest.mark.parametrize("part", [1, 2, 5_000])
def test_a_report_counts_over_all_parts(
    queue: ReviewQueue, items: list[ReviewItem], monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    monkeypatch.setattr(sync, "PART", part)
    assert queue.sync_items(items[:5], ALL) == SyncReport(added=5, kept=0, closed=0)
    assert queue.sync_items(items[1:6], ALL) == SyncReport(added=1, kept=4, closed=1)
    assert queue.sync_items(items, ALL) == SyncReport(added=2, kept=5, closed=0)
    assert queue.sync_items([], ALL) == SyncReport(added=0, kept=0, closed=7)
    assert add_items(queue.database, "demo", items[:5], ALL) == SyncReport(added=5, kept=0, closed=0)
    assert add_items(queue.database, "demo", items[3:], ALL) == SyncReport(added=2, kept=2, closed=0)
    assert queue.counts().num_items == 7


def test_a_new_item_is_open_and_stands_behind_those_before_it(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    queue.sync_items(items[2:4], ALL)
    queue.sync_items(items[:4], ALL, {items[0].key: 2.5})
    first, second, third, fourth = rows(queue)
    assert [row["arrival"] for row in (third, fourth, first, second)] == [1, 2, 3, 4]
    assert [row["priority"] for row in (first, second, third)] == [2.5, 0.0, 0.0]
    assert [row["random_rank"] for row in (first, third)] == [stable_fraction(items[n].key, "order") for n in (0, 2)]
    assert {row["sync_round"] for row in (first, second, third, fourth)} == {2}
    fresh = {"state": "open", "num_votes": 0, "human_decision": "", "automatic_decision": "", "lot": "", "is_listed": True}
    assert {name: first[name] for name in fresh} == fresh
    assert {first[name] for name in ("human_sequence", "automatic_sequence", "last_sequence")} == {0}
    assert (first["kind"], first["record_key"], first["task"]) == ("example", items[0].record_key, items[0].task)
    slots = rows(queue, schema.slots)
    assert [(slot["item_key"], slot["slot"], slot["role"]) for slot in slots] == [(item.key, 0, "review") for item in items[:4]]
    assert [slot["arrival"] for slot in slots] == [3, 4, 1, 2]


def test_an_item_that_was_there_keeps_its_place_and_takes_what_is_new(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    queue.sync_items(items[:2], ALL, {items[0].key: 1.0})
    before = rows(queue)
    queue.sync_items(items[:2], ALL)
    assert [row | {"sync_round": 1} for row in rows(queue)] == before
    moved = replace(items[1], record_key="elsewhere", evidence=("a passage",))
    queue.sync_items([items[0], moved], ALL, {items[1].key: 3.0})
    first, second = rows(queue)
    assert (first["priority"], second["priority"], second["record_key"]) == (1.0, 3.0, "elsewhere")
    assert queue.get_item(moved.key).item == moved
    assert [second[name] for name in ("arrival", "opened_at")] == [before[1][name] for name in ("arrival", "opened_at")]
    assert [slot["priority"] for slot in rows(queue, schema.slots)] == [1.0, 3.0]


def test_a_passage_that_changed_is_shown_and_a_row_that_moved_is_found(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    queue.sync_items(items[:1], ALL)
    shown = replace(items[0], evidence=("a passage",))
    queue.sync_items([shown], ALL)
    assert queue.get_item(shown.key).item == shown
    moved = replace(shown, record_key="elsewhere")
    queue.sync_items([moved], ALL)
    assert queue.get_item(shown.key).item == moved
    assert rows(queue)[0]["record_key"] == "elsewhere"


def test_an_item_was_opened_now_unless_it_says_when(items: list[ReviewItem]) -> None:
    opened = [sync.item_row("demo", items[0], ALL, 1, 1, 0.0, *given)["opened_at"] for given in ([], ["2026-11-01"])]
    assert (opened[0][:2], opened[0][10:11], opened[1]) == ("20", "T", "2026-11-01")


def test_what_goes_is_withdrawn_with_its_slots_and_comes_back_as_it_was(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    other = ReviewQueue(queue.database, "other")
    other.sync_items(items[:2], ALL)
    queue.sync_items(items[:2], ALL)
    before = rows(queue, schema.slots)
    queue.sync_items(items[1:2], ALL)
    assert [row["is_listed"] for row in rows(queue)] == [False, True]
    assert [row["is_listed"] for row in rows(queue, schema.slots)] == [False, True]
    assert [row["is_listed"] for row in rows(other)] == [True, True]
    queue.sync_items(items[:2], ALL)
    assert rows(queue, schema.slots) == before
    assert other.counts().num_items == 2


def test_items_that_test_reviewers_stay(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    gold = replace(items[0], key="0" * 32, record_key=f"gold:1/{items[0].record_key}")
    queue.sync_items(items[:1], ALL)
    add_items(queue.database, "demo", [gold], ALL)
    assert queue.sync_items(items[1:2], ALL) == SyncReport(added=1, kept=0, closed=1)
    assert queue.get_item(gold.key).is_listed


@pytest.mark.parametrize("part", [1, 5_000])
def test_another_overlap_opens_and_decides_items_anew(
    queue: ReviewQueue, items: list[ReviewItem], monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    queue.sync_items(items[:3], ReviewConfig(overlap=2))
    queue.submit(items[0].key, "approve", "Ada")
    for name, decision in (("Ada", "approve"), ("Bob", "reject")):
        queue.submit(items[1].key, decision, name, reason="wrong")  # type: ignore[arg-type]
    assert queue.counts().num_disputed == 1
    monkeypatch.setattr(sync, "REFIT_PART", part)
    queue.sync_items(items[:3], ALL)
    assert queue.claim("Dora", role="adjudication") is None
    first, second, third = queue.get_items([item.key for item in items[:3]])
    assert [(entry.state, entry.num_votes) for entry in (first, second, third)] == [("decided", 1), ("decided", 1), ("open", 0)]
    assert second.human is not None
    assert second.human.reviewer == "Bob"
    assert (queue.counts().num_open, queue.counts().decisions) == (1, {"approve": 1, "reject": 1})
    assert [(slot["slot"], slot["role"]) for slot in rows(queue, schema.slots) if slot["item_key"] == items[2].key] == [
        (0, "review")
    ]
    queue.sync_items(items[:3], ReviewConfig(overlap=3))
    assert [entry.state for entry in queue.get_items([item.key for item in items[:3]])] == ["partial", "partial", "open"]
    numbers = [slot["slot"] for slot in rows(queue, schema.slots) if slot["item_key"] == items[2].key]
    assert len(numbers) == len(set(numbers)) == 3


def test_a_queue_of_two_recipes_refits_one(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    other = ReviewQueue(queue.database, "other")
    for each in (queue, other):
        each.sync_items(items[:2], ALL)
        each.submit(items[0].key, "approve", "Ada", token="t")
    queue.sync_items(items[:2], ReviewConfig(overlap=2))
    assert (queue.get_item(items[0].key).state, other.get_item(items[0].key).state) == ("partial", "decided")
    assert (other.counts().num_open, len(rows(other, schema.slots)), len(rows(queue, schema.slots))) == (1, 2, 4)


@pytest.mark.parametrize("breaks_in", ["the items", "the fitting"])
def test_a_change_of_the_overlap_that_broke_off_is_made_good_by_the_next_sync(
    queue: ReviewQueue, items: list[ReviewItem], monkeypatch: pytest.MonkeyPatch, breaks_in: str
) -> None:
    queue.sync_items(items, ALL)
    queue.submit(items[0].key, "approve", "Ada")
    monkeypatch.setattr(sync, "REFIT_PART", 2)
    with monkeypatch.context() as broken:
        if breaks_in == "the fitting":
            calls, kept = itertools.count(), sync.store_slots
            broken.setattr(sync, "store_slots", lambda *given: _raise() if next(calls) == 3 else kept(*given))
        with pytest.raises(RuntimeError):
            queue.sync_items(_breaking_off(items), ReviewConfig(overlap=2))
    queue.sync_items(items, ReviewConfig(overlap=2))
    assert queue.get_item(items[0].key).state == "partial"
    assert len(rows(queue, schema.slots)) == 2 * len(items)
    for name in ("Ada", "Bob"):
        while lease := queue.claim(name):
            queue.submit(lease.item_key, "approve", name, generation=lease.generation)
    assert queue.counts().decisions == {"approve": len(items)}


def _breaking_off(items: list[ReviewItem]) -> Iterator[ReviewItem]:
    yield items[0]
    _raise()


def _raise() -> None:
    raise RuntimeError("killed")


def _is_somebody_waiting(database: Database) -> bool:
    with database.read() as connection:
        return bool(connection.execute(sa.text("SELECT 1 FROM pg_locks WHERE NOT granted")).first())


@pytest.mark.slow
@pytest.mark.postgres
def test_a_vote_by_another_process_waits_while_its_item_is_fitted(
    postgres_url: str, items: list[ReviewItem], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = (Database.open(postgres_url, concern="review", migrations=schema.MIGRATIONS) for _ in range(2))
    queue, other = ReviewQueue(ours, "demo"), ReviewQueue(theirs, "demo")
    queue.sync_items(items, ALL)
    vote = threading.Thread(target=lambda: other.submit(items[0].key, "approve", "Ada"))
    kept = sync.fit_review_slots

    def fit(*given: Any) -> None:
        if vote.ident is None:
            vote.start()
            while vote.is_alive() and not _is_somebody_waiting(ours):
                time.sleep(0.01)
        kept(*given)

    monkeypatch.setattr(sync, "fit_review_slots", fit)
    queue.sync_items(items, ReviewConfig(overlap=2))
    vote.join(timeout=60.0)
    entry = queue.get_item(items[0].key)
    assert (entry.state, entry.num_votes) == ("partial", 1)
    done = [slot["done_sequence"] for slot in rows(queue, schema.slots) if slot["item_key"] == items[0].key]
    assert sorted(done) == [0, 1]
    ours.close()
    theirs.close()
