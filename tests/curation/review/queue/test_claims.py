"""Leases: nobody gets a slot that somebody else holds, exactly `overlap` different people decide, stale holds are refused."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from curation.database import Database
from curation.errors import LeaseLostError, VerdictConflictError, VerdictRefusedError
from curation.records import Example
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.queue.claims import MAX_LEASES, Lease
from curation.review.queue.statements import CLAIM_ITEM
from curation.review.queue.vote import Vote, VoteDetails

pytestmark = pytest.mark.slow

Fill = Callable[..., ReviewQueue]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def fill(request: pytest.FixtureRequest, make_example: Callable[..., Example]) -> Iterator[Fill]:
    """Return a function that fills a queue of either database with example items."""
    if request.param == "postgres":
        database = Database.open(request.getfixturevalue("postgres_url"), concern="review", migrations=schema.MIGRATIONS)
    else:
        path = request.getfixturevalue("tmp_path") / "claims.db"
        database = Database.open(path, concern="review", migrations=schema.MIGRATIONS)
    queue = ReviewQueue(database, "demo")

    def make(num: int = 1, **config: object) -> ReviewQueue:
        settings = ReviewConfig(**config)  # type: ignore[arg-type]
        queue.sync_items(build_items([make_example(number) for number in range(num)], [], lambda _: "", settings), settings)
        return queue

    yield make
    database.close()


def expire(queue: ReviewQueue) -> None:
    """Let all leases run out."""
    queue.database.write(lambda connection: connection.execute(sa.text("UPDATE review_slots SET expires_at = 1")))


def held(lease: Lease | None) -> Lease:
    assert lease is not None
    return lease


def test_two_people_never_hold_the_same_item(fill: Fill) -> None:
    queue = fill(2)
    first, second = held(queue.claim("Ada")), held(queue.claim("Bob"))
    assert first.item_key != second.item_key
    assert queue.claim("Cleo") is None
    assert [lease.item_key for lease in queue.leases("Ada")] == [first.item_key]
    assert 590 < first.seconds_left <= 600


def test_the_decision_under_a_lease_is_recorded_and_frees_nothing(fill: Fill) -> None:
    queue = fill(1)
    lease = held(queue.claim("Ada"))
    verdict = queue.submit(lease.item_key, "approve", "Ada", generation=lease.generation, token="t")
    assert queue.submit(lease.item_key, "approve", "Ada", generation=lease.generation, token="t") == verdict
    assert queue.claim("Bob") is None
    assert queue.leases("Ada") == []
    assert queue.get_item(lease.item_key).state == "decided"


def test_stale_stolen_replayed_and_second_tab_submissions_are_refused(fill: Fill) -> None:
    queue = fill(1)
    lease = held(queue.claim("Ada"))
    key = lease.item_key
    with pytest.raises(LeaseLostError):
        queue.submit(key, "approve", "Eve", generation=lease.generation)
    with pytest.raises(LeaseLostError):
        queue.submit(key, "approve", "Ada", generation=lease.generation + 1)
    expire(queue)
    with pytest.raises(LeaseLostError):
        queue.submit(key, "approve", "Ada", generation=lease.generation)
    taken = held(queue.claim("Bob"))
    assert taken.generation > lease.generation
    with pytest.raises(LeaseLostError):
        queue.submit(key, "approve", "Ada", generation=lease.generation)
    with pytest.raises(LeaseLostError):
        queue.extend(lease)
    queue.submit(key, "reject", "Bob", reason="wrong", generation=taken.generation)
    with pytest.raises(LeaseLostError):
        queue.submit(key, "approve", "Bob", generation=taken.generation)
    assert len(queue.verdicts_after(0)) == 1


def test_the_newest_page_of_an_item_wins(fill: Fill) -> None:
    queue = fill(1)
    first = held(queue.claim("Ada"))
    second = held(queue.claim("Ada", item_key=first.item_key))
    assert second.generation == first.generation + 1
    with pytest.raises(LeaseLostError):
        queue.submit(first.item_key, "approve", "Ada", generation=first.generation)
    assert queue.claim("Bob", item_key=first.item_key) is None
    queue.submit(first.item_key, "approve", "Ada", generation=second.generation)


def test_a_lease_that_ran_out_is_offered_again_and_a_heartbeat_keeps_it(fill: Fill) -> None:
    queue = fill(1)
    lease = held(queue.claim("Ada"))
    assert held(queue.extend(lease)).seconds_left == pytest.approx(600, abs=1)
    assert queue.claim("Bob") is None
    expire(queue)
    assert held(queue.claim("Bob")).item_key == lease.item_key


def test_a_lease_from_a_clock_that_was_wrong_counts_as_run_out(fill: Fill) -> None:
    queue = fill(1)
    lease = held(queue.claim("Ada"))
    far = sa.text("UPDATE review_slots SET expires_at = expires_at + 1000000000")
    queue.database.write(lambda connection: connection.execute(far))
    assert held(queue.claim("Bob")).generation == lease.generation + 1


def test_exactly_so_many_different_people_decide_each_item(fill: Fill) -> None:
    queue = fill(1, overlap=3)
    leases = [held(queue.claim(name)) for name in ("Ada", "Bob", "Cleo")]
    assert len({lease.slot for lease in leases}) == 3
    assert queue.claim("Dora") is None
    assert queue.claim("Ada") is None
    for lease in leases:
        queue.submit(lease.item_key, "approve", lease.reviewer, generation=lease.generation)
    assert queue.get_item(leases[0].item_key).state == "decided"
    with pytest.raises(VerdictConflictError):
        queue.submit(leases[0].item_key, "approve", "Dora")


def test_a_dispute_goes_to_an_adjudicator_who_did_not_vote(fill: Fill) -> None:
    queue = fill(1, overlap=2)
    key = held(queue.claim("Ada")).item_key
    queue.submit(key, "approve", "Ada")
    assert queue.claim("Dora", role="adjudication") is None
    with pytest.raises(VerdictRefusedError, match="nothing to adjudicate"):
        queue.submit(key, "approve", "Dora", role="adjudication")
    queue.submit(key, "reject", "Bob", reason="wrong")
    assert queue.counts().num_disputed == 1
    assert queue.current_verdicts() == {}
    assert queue.claim("Ada", role="adjudication") is None
    with pytest.raises(VerdictRefusedError, match="nobody adjudicates"):
        queue.submit(key, "approve", "Ada", role="adjudication")
    lease = held(queue.claim("Dora", role="adjudication"))
    verdict = queue.submit(key, "reject", "Dora", reason="wrong", role="adjudication", generation=lease.generation)
    assert queue.current_verdicts() == {key: verdict}
    assert queue.counts().num_disputed == 0
    with pytest.raises(VerdictConflictError):
        queue.submit(key, "approve", "Ada")
    with pytest.raises(VerdictRefusedError, match="adjudicated since"):
        queue.undo(queue.history(key)[0], "Ada")


def test_undo_opens_the_item_again_and_cannot_be_done_twice(fill: Fill) -> None:
    queue = fill(1)
    key = held(queue.claim("Ada")).item_key
    verdict = queue.submit(key, "approve", "Ada")
    undone = queue.undo(verdict, "Ada", "a slip")
    assert (undone.decision, undone.supersedes) == ("undo", verdict.sequence)
    assert queue.get_item(key).state == "open"
    assert queue.counts().num_open == 1
    with pytest.raises(VerdictRefusedError, match="nothing to undo"):
        queue.undo(verdict, "Ada")
    assert held(queue.claim("Bob")).item_key == key
    assert [entry.decision for entry in queue.history(key)] == ["approve", "undo"]
    queue.verify_chain()


def test_undoing_one_of_two_votes_takes_the_dispute_back(fill: Fill) -> None:
    queue = fill(1, overlap=2)
    key = held(queue.claim("Ada")).item_key
    queue.submit(key, "approve", "Ada")
    second = queue.submit(key, "reject", "Bob", reason="wrong")
    queue.undo(second, "Bob")
    assert queue.claim("Dora", role="adjudication") is None
    queue.submit(key, "approve", "Bob")
    assert queue.get_item(key).state == "decided"


def test_a_change_of_mind_replaces_ones_own_vote_only(fill: Fill) -> None:
    queue = fill(1)
    key = held(queue.claim("Ada")).item_key
    first = queue.submit(key, "approve", "Ada", details=VoteDetails(strength=2, seconds=4.5))
    second = queue.submit(key, "reject", "Ada", reason="wrong", expected=first.sequence)
    assert second.supersedes == first.sequence
    assert VoteDetails.from_json(first.details) == VoteDetails(strength=2, seconds=4.5)
    with pytest.raises(VerdictConflictError, match="Ada decided"):
        queue.submit(key, "approve", "Bob")


def test_skipped_items_come_last(fill: Fill) -> None:
    queue = fill(3)
    first = held(queue.claim("Ada"))
    assert queue.release(first, skip=True)
    assert not queue.release(first)
    others = [held(queue.claim("Ada")).item_key for _ in range(2)]
    assert first.item_key not in others
    assert held(queue.claim("Ada")).item_key == first.item_key


def test_who_opens_many_tabs_gets_the_oldest_item_again(fill: Fill) -> None:
    queue = fill(MAX_LEASES + 5)
    leases = [held(queue.claim("Ada"))]
    time.sleep(0.01)  # SQLite's clock counts milliseconds, and a fast machine claims two items in one
    leases += [held(queue.claim("Ada")) for _ in range(MAX_LEASES + 2)]
    assert len({lease.item_key for lease in leases}) == MAX_LEASES
    assert leases[-1].item_key == leases[0].item_key


def test_a_share_of_the_items_is_served_in_random_order(fill: Fill) -> None:
    queue = fill(12)
    origins = [held(queue.claim("Ada")).origin for _ in range(12)]
    assert origins.count("random") == 3


def test_opening_an_item_again_keeps_what_served_it(fill: Fill) -> None:
    queue = fill(4)
    served = [held(queue.claim("Ada")) for _ in range(4)]
    again = [held(queue.claim("Ada", item_key=lease.item_key)) for lease in served]
    assert [lease.origin for lease in again] == [lease.origin for lease in served]
    assert "random" in {lease.origin for lease in again}
    expire(queue)
    assert held(queue.claim("Bob", item_key=served[0].item_key)).origin == "chosen"


def test_items_with_a_higher_priority_come_first_then_the_newest(fill: Fill, make_example: Callable[..., Example]) -> None:
    queue = fill(0)
    items = build_items([make_example(number) for number in range(6)], [], lambda _: "", ReviewConfig())
    queue.sync_items(items, ReviewConfig(), {items[4].key: 2.0, items[1].key: 1.0})
    served = [held(queue.claim("Ada")).item_key for _ in range(3)]
    assert served == [items[4].key, items[1].key, items[5].key]


def test_withdrawn_items_are_not_served_and_their_leases_are_void(fill: Fill) -> None:
    queue = fill(1)
    lease = held(queue.claim("Ada"))
    queue.sync_items([], ReviewConfig())
    assert queue.claim("Bob") is None
    assert queue.leases("Ada") == []
    fill(1)
    assert queue.get_item(lease.item_key).is_listed


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (2, 3)])
def test_another_overlap_opens_or_closes_items(fill: Fill, before: int, after: int) -> None:
    queue = fill(2, overlap=before)
    key = held(queue.claim("Ada")).item_key
    queue.submit(key, "approve", "Ada")
    fill(2, overlap=after)
    entry = queue.get_item(key)
    assert entry.state == ("decided" if after == 1 else "partial")
    rows = sa.select(sa.func.count()).where(schema.slots.c.item_key == key)
    with queue.database.read() as connection:
        assert connection.execute(rows).scalar_one() == after
    for number in range(after - 1):
        queue.submit(key, "approve", f"person {number}")
    assert queue.get_item(key).state == "decided"
    assert queue.counts().num_open == 1


def test_racing_people_get_every_slot_once(fill: Fill) -> None:
    queue = fill(25, overlap=3)
    votes: list[Vote] = []
    start = threading.Barrier(8)

    def review(name: str) -> None:
        start.wait()
        while (lease := queue.claim(name)) is not None:
            vote = Vote(item_key=lease.item_key, decision="approve", reviewer=name, generation=lease.generation)
            queue.record([vote])
            votes.append(vote)

    threads = [threading.Thread(target=review, args=(f"person {number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    people = {key: [vote.reviewer for vote in votes if vote.item_key == key] for key in {vote.item_key for vote in votes}}
    assert len(people) == 25
    assert all(len(names) == len(set(names)) == 3 for names in people.values())
    assert queue.counts().num_open == 0
    queue.verify_chain()


def test_an_adjudicators_old_hold_stays_void_when_the_dispute_comes_back(fill: Fill) -> None:
    queue = fill(1, overlap=2)
    key = held(queue.claim("Ada")).item_key
    queue.submit(key, "approve", "Ada")
    verdict = queue.submit(key, "reject", "Bob", reason="wrong")
    old = held(queue.claim("Dora", role="adjudication"))
    queue.undo(verdict, "Bob")
    queue.submit(key, "reject", "Bob", reason="wrong")
    with pytest.raises(LeaseLostError):
        queue.submit(key, "approve", "Dora", role="adjudication", generation=old.generation)
    new = held(queue.claim("Dora", role="adjudication"))
    assert new.generation > old.generation
    queue.submit(key, "approve", "Dora", role="adjudication", generation=new.generation)


def test_opening_one_item_does_not_go_through_the_queue(fill: Fill) -> None:
    queue = fill(3)
    if not queue.database.is_sqlite:
        return
    names = ("recipe", "reviewer", "role", "origin", "kind", "after", "item_key")
    text = f"EXPLAIN QUERY PLAN {CLAIM_ITEM[True]._for_sqlite}"
    with queue.database.read() as connection:
        plan = [row[3] for row in connection.exec_driver_sql(text, dict.fromkeys(names, "x"))]
    (chosen,) = [line for line in plan if line.startswith("SEARCH s ")]
    assert "item_key=?" in chosen
    assert not any("TEMP B-TREE" in line for line in plan)
