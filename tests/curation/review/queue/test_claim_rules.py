"""What a claim passes over and in which order it serves: one rule a test, on both databases."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from curation.database import Database
from curation.errors import LeaseLostError
from curation.records import Example, PreferencePair, ReviewItem
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue, claims
from curation.review.queue.claims import MAX_LEASES, Lease, Request
from curation.review.queue.slots import database_now

Make = Callable[[int], list[ReviewItem]]
CONFIG = ReviewConfig()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest) -> Iterator[Database]:
    if request.param == "sqlite":
        yield request.getfixturevalue("database")
        return
    opened = Database.open(request.getfixturevalue("postgres_url"), concern="review", migrations=schema.MIGRATIONS)
    yield opened
    opened.close()


@pytest.fixture
def both(store: Database) -> ReviewQueue:
    return ReviewQueue(store, "demo")


@pytest.fixture
def make(make_example: Callable[..., Example]) -> Make:
    return lambda num: build_items([make_example(number) for number in range(num)], [], lambda _: "", CONFIG)


def held(lease: Lease | None) -> Lease:
    assert lease is not None
    return lease


def ask(queue: ReviewQueue, **request: Any) -> Lease | None:
    return queue.database.write(lambda connection: claims.claim(connection, queue.recipe, Request(**request)))


def change(queue: ReviewQueue, text: str) -> None:
    queue.database.write(lambda connection: connection.execute(sa.text(text)))


def test_the_item_just_left_is_not_served_next(both: ReviewQueue, make: Make) -> None:
    both.sync_items(make(2), CONFIG)
    first = held(ask(both, reviewer="Ada"))
    both.release(first)
    assert held(ask(both, reviewer="Bob", after=first.item_key)).item_key != first.item_key
    assert ask(both, reviewer="Cleo", after=first.item_key) is None
    assert held(ask(both, reviewer="Cleo")).item_key == first.item_key


def test_one_kind_is_served_where_one_is_asked_for(
    both: ReviewQueue, make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]
) -> None:
    examples = [make_example(number) for number in range(3)]
    items = build_items(examples, [make_pair(examples[0])], lambda _: "", CONFIG)
    both.sync_items(items, CONFIG)
    kinds = {item.key: item.kind for item in items}
    assert kinds[held(ask(both, reviewer="Ada", kind="pair", origin="random")).item_key] == "pair"
    assert ask(both, reviewer="Bob", kind="pair") is None
    assert [kinds[held(ask(both, reviewer="Bob", kind="example")).item_key] for _ in range(3)] == ["example"] * 3
    assert ask(both, reviewer="Bob") is None


def test_what_a_lot_holds_back_is_chosen_and_never_served(both: ReviewQueue, make: Make) -> None:
    items = make(2)
    both.sync_items(items, CONFIG, {items[0].key: -1.0})
    assert held(ask(both, reviewer="Ada")).item_key == items[1].key
    for origin in ("priority", "random"):
        assert ask(both, reviewer="Bob", origin=origin) is None
    chosen = held(ask(both, reviewer="Bob", item_key=items[0].key, origin="chosen"))
    assert (chosen.item_key, chosen.origin) == (items[0].key, "chosen")


def test_the_newest_and_the_most_urgent_come_first_and_random_order_is_by_rank(both: ReviewQueue, make: Make) -> None:
    items = make(5)
    both.sync_items(items[:3], CONFIG)
    both.sync_items(items, CONFIG, {items[1].key: 1.0})
    change(both, f"UPDATE review_slots SET random_rank = 0.99 WHERE item_key <> '{items[2].key}'")
    change(both, f"UPDATE review_slots SET random_rank = 0.01 WHERE item_key = '{items[2].key}'")
    assert held(ask(both, reviewer="Ada", origin="random")).item_key == items[2].key
    served = [held(ask(both, reviewer="Bob")).item_key for _ in range(4)]
    assert served == [items[number].key for number in (1, 4, 3, 0)]


def test_the_slots_of_an_item_are_taken_in_order_and_each_by_somebody_else(both: ReviewQueue, make: Make) -> None:
    both.sync_items(make(1), ReviewConfig(overlap=3))
    assert [held(ask(both, reviewer=name)).slot for name in ("Ada", "Bob", "Cleo")] == [0, 1, 2]
    again = held(ask(both, reviewer="Bob", item_key=make(1)[0].key))
    assert (again.slot, again.generation) == (1, 2)
    assert ask(both, reviewer="Dora", item_key=make(1)[0].key) is None
    assert ask(both, reviewer="Bob") is None


def test_only_what_a_person_holds_now_counts_towards_the_limit(both: ReviewQueue, make: Make) -> None:
    items = make(MAX_LEASES + 4)
    both.sync_items(items, CONFIG)
    leases = [held(ask(both, reviewer="Ada")) for _ in range(MAX_LEASES)]
    change(both, f"UPDATE review_slots SET claimed_at = claimed_at - 9 WHERE item_key = '{leases[0].item_key}'")
    assert len({lease.item_key for lease in leases}) == MAX_LEASES == 20
    assert held(ask(both, reviewer="Ada")).item_key == leases[0].item_key
    assert ask(both, reviewer="Ada", role="adjudication") is None
    assert held(ask(both, reviewer="Bob")).item_key not in {lease.item_key for lease in leases}

    both.submit(leases[0].item_key, "approve", "Ada", generation=leases[0].generation)
    new = held(ask(both, reviewer="Ada"))
    assert new.item_key not in {lease.item_key for lease in leases}

    change(both, f"UPDATE review_slots SET expires_at = 5 WHERE item_key = '{leases[1].item_key}'")
    change(both, f"UPDATE review_slots SET claimed_at = claimed_at - 1 WHERE item_key = '{leases[2].item_key}'")
    assert [lease.item_key for lease in both.leases("Ada")][0] == leases[2].item_key
    assert held(ask(both, reviewer="Ada")).item_key not in {lease.item_key for lease in leases[2:]}

    change(both, f"UPDATE review_slots SET is_listed = false WHERE item_key = '{leases[2].item_key}'")
    assert held(ask(both, reviewer="Ada")).item_key not in {lease.item_key for lease in leases[3:]}


def test_recipes_do_not_stand_in_each_others_way(store: Database, make: Make) -> None:
    items, one, two = make(2), ReviewQueue(store, "one"), ReviewQueue(store, "two")
    one.sync_items(items, ReviewConfig(lease_minutes=2))
    two.sync_items(items, ReviewConfig(lease_minutes=30))
    first = held(ask(one, reviewer="Ada"))
    assert held(ask(two, reviewer="Ada", item_key=first.item_key)).item_key == first.item_key
    assert [len(queue.leases("Ada")) for queue in (one, two)] == [1, 1]
    assert one.leases("Ada")[0].seconds_left == pytest.approx(120, abs=5)
    assert two.leases("Ada")[0].seconds_left == pytest.approx(1800, abs=5)
    assert one.release(first, skip=True)
    assert len(two.leases("Ada")) == 1
    assert held(one.extend(held(ask(one, reviewer="Ada")))).seconds_left == pytest.approx(120, abs=5)
    two.release(two.leases("Ada")[0])
    assert held(ask(two, reviewer="Ada")).item_key == first.item_key  # it was put off in the other recipe alone


def test_what_one_person_put_off_comes_last_for_them_and_as_before_for_others(both: ReviewQueue, make: Make) -> None:
    both.sync_items(make(2), CONFIG)
    first = held(ask(both, reviewer="Ada"))
    for _ in range(2):
        both.release(first, skip=True)
    assert held(ask(both, reviewer="Ada")).item_key != first.item_key
    of_bob = held(ask(both, reviewer="Bob"))
    assert of_bob.item_key == first.item_key
    assert ask(both, reviewer="Ada") is None
    both.release(of_bob)
    assert held(ask(both, reviewer="Ada")).item_key == first.item_key


def test_whoever_asks_for_an_item_reviews_the_most_urgent() -> None:
    request = Request(reviewer="Ada")
    assert (request.role, request.origin, request.kind, request.after, request.item_key) == ("review", "priority", "", "", "")


def test_a_hold_that_ran_out_is_taken_anew_with_what_served_it_now(both: ReviewQueue, make: Make) -> None:
    both.sync_items(make(1), CONFIG)
    first = held(ask(both, reviewer="Ada", origin="random"))
    again = held(ask(both, reviewer="Ada", item_key=first.item_key, origin="chosen"))
    assert (again.origin, again.generation) == ("random", first.generation + 1)
    change(both, "UPDATE review_slots SET expires_at = 5")
    assert held(ask(both, reviewer="Ada", item_key=first.item_key, origin="chosen")).origin == "chosen"


def test_a_lease_reads_back_as_it_was_given_the_oldest_first(both: ReviewQueue, make: Make) -> None:
    both.sync_items(make(3), CONFIG)
    leases = [held(ask(both, reviewer="Ada")) for _ in range(2)]
    change(both, f"UPDATE review_slots SET claimed_at = claimed_at - 1 WHERE item_key = '{leases[0].item_key}'")  # no tie
    held(ask(both, reviewer="Bob"))
    listed = both.leases("Ada")
    shown = ("item_key", "slot", "reviewer", "role", "generation", "origin", "expires_at")
    assert [[getattr(lease, name) for name in shown] for lease in listed] == [
        [getattr(lease, name) for name in shown] for lease in leases
    ]
    assert all(590 < lease.seconds_left <= 600 for lease in (*listed, *leases))


@pytest.mark.parametrize(
    "damage",
    [
        "holder = 'Bob'",
        "generation = generation + 1",
        "expires_at = 5",
        "done_sequence = 3",
        "slot = 7",
        "expires_at = expires_at + 100000000",
    ],
)
def test_only_ones_own_live_hold_is_extended(both: ReviewQueue, make: Make, damage: str) -> None:
    both.sync_items(make(1), CONFIG)
    lease = held(ask(both, reviewer="Ada"))
    change(both, "UPDATE review_slots SET expires_at = expires_at - 60")
    longer = both.extend(lease)
    assert longer.expires_at > lease.expires_at
    assert longer.seconds_left == pytest.approx(600, abs=5)
    change(both, f"UPDATE review_slots SET {damage}")
    with pytest.raises(LeaseLostError, match=lease.item_key):
        both.extend(longer)


@pytest.mark.parametrize("damage", ["holder = 'Bob'", "generation = generation + 1", "done_sequence = 3", "slot = 7"])
def test_only_ones_own_hold_is_given_back(both: ReviewQueue, make: Make, damage: str) -> None:
    both.sync_items(make(2), CONFIG)
    lease, other = held(ask(both, reviewer="Ada")), held(ask(both, reviewer="Ada"))
    change(both, f"UPDATE review_slots SET {damage} WHERE item_key = '{lease.item_key}'")
    assert not both.release(lease)
    assert [mine.item_key for mine in both.leases("Ada") if mine.item_key == other.item_key] == [other.item_key]
    assert both.release(other)
    assert not both.release(other)


def test_time_is_the_databases(both: ReviewQueue) -> None:
    with both.database.read() as connection:
        now = database_now(connection)
    assert isinstance(now, float)
    assert 1.7e9 < now < 1e10


def test_a_withdrawn_slot_is_not_claimed(both: ReviewQueue, make: Make) -> None:
    items = make(2)
    both.sync_items(items, CONFIG)
    held(ask(both, reviewer="Ada"))
    both.sync_items([], CONFIG)
    assert ask(both, reviewer="Bob") is None
    assert ask(both, reviewer="Bob", item_key=items[0].key) is None
    assert both.leases("Ada") == []
