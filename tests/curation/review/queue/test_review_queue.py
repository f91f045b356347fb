"""The queue: items come and go, verdicts stay, nobody overwrites anybody."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from curation.database import Database
from curation.errors import (
    ItemWithdrawnError,
    LedgerTamperedError,
    TunewrightError,
    UnknownIdError,
    VerdictConflictError,
    VerdictRefusedError,
)
from curation.records import Decision, Example, PreferencePair, ReviewItem
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue, SyncReport, list_recipes
from curation.review.queue.vote import Vote

pytestmark = pytest.mark.slow

CONFIG = ReviewConfig()
LENIENT = ReviewConfig(accept="automatic", automatic=("length",))


@pytest.fixture
def make_items(make_example: Callable[..., Example]) -> Callable[..., list[ReviewItem]]:
    def make(*numbers: int, answer: str = '{"part":"strings"}') -> list[ReviewItem]:
        return build_items([make_example(number, answer) for number in numbers], [], lambda _: "passage", CONFIG)

    return make


Make = Callable[..., list[ReviewItem]]


def test_sync_adds_keeps_withdraws_and_restores_with_the_verdict(queue: ReviewQueue, make_items: Make) -> None:
    first, second = make_items(1, 2), make_items(2, 3)
    assert queue.sync_items(first, CONFIG) == SyncReport(added=2, kept=0, closed=0)
    key = make_items(1)[0].key
    queue.submit(key, "approve", "Ada")
    assert queue.sync_items(second, CONFIG) == SyncReport(added=1, kept=1, closed=1)
    assert queue.counts().num_items == 2
    assert not queue.get_item(key).is_listed
    assert queue.sync_items(first, CONFIG) == SyncReport(added=1, kept=1, closed=1)
    assert queue.get_item(key).verdict is not None
    assert queue.counts().num_decided == 1
    assert queue.sync_items([], CONFIG) == SyncReport(added=0, kept=0, closed=2)
    assert len(queue.verdicts_after(0)) == 1


def test_sync_refreshes_what_is_shown_beside_an_unchanged_text(
    queue: ReviewQueue, make_items: Make, make_example: Callable[..., Example]
) -> None:
    queue.sync_items(make_items(1), CONFIG)
    (item,) = build_items([make_example(1)], [], lambda _: "another passage", CONFIG)
    queue.sync_items([item], CONFIG)
    assert queue.get_item(item.key).item.evidence == ("another passage",)


def test_next_goes_through_all_open_items_and_starts_over(queue: ReviewQueue, make_items: Make) -> None:
    keys = [item.key for item in make_items(1, 2, 3)]
    queue.sync_items(make_items(1, 2, 3), CONFIG)
    assert [queue.next_item(after).item.key for after in (None, *keys)] == [*keys, keys[0]]  # type: ignore[union-attr]
    for key in keys:
        queue.submit(key, "approve", "Ada")
    assert queue.next_item() is None


def test_lists_are_filtered_and_paged(
    queue: ReviewQueue, make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]
) -> None:
    examples = [make_example(number) for number in range(5)]
    items = build_items(examples, [make_pair(examples[0])], lambda _: "", CONFIG)
    queue.sync_items(items, CONFIG)
    queue.submit(next(item.key for item in items if item.kind == "example"), "reject", "Ada", reason="wrong")
    assert len(queue.list_items("all")) == 6
    assert [entry.item.kind for entry in queue.list_items("all", kind="pair")] == ["pair"]
    assert len(queue.list_items("decided")) == 1
    pages = [queue.list_items("open", offset=offset, limit=3) for offset in (0, 3, 6)]
    assert [len(page) for page in pages] == [3, 2, 0]
    assert queue.next_item(kind="pair").item.kind == "pair"  # type: ignore[union-attr]


def test_a_person_outranks_automatic_reviewers_whoever_comes_last(queue: ReviewQueue, make_items: Make) -> None:
    (item,) = make_items(1)
    queue.sync_items([item], LENIENT)
    queue.submit(item.key, "approve", "automatic:length v1", "automatic")
    assert queue.current_verdicts("human") == {}
    assert queue.counts().num_automatic == 1
    queue.submit(item.key, "reject", "Ada", reason="wrong")
    queue.submit(item.key, "approve", "automatic:length v2", "automatic")
    assert queue.current_verdicts("automatic")[item.key].reviewer == "Ada"
    assert queue.get_item(item.key).verdict == queue.current_verdicts("human")[item.key]
    assert queue.counts().decisions == {"reject": 1}


def test_automatic_verdicts_leave_items_open_where_only_people_count(queue: ReviewQueue, make_items: Make) -> None:
    (item,) = make_items(1)
    queue.sync_items([item], CONFIG)
    queue.submit(item.key, "approve", "automatic:length v1", "automatic")
    assert queue.counts().num_open == 1
    assert queue.next_item() is not None
    assert queue.get_item(item.key).verdict is None


def test_the_second_of_two_reviewers_gets_a_conflict_and_overwrites_nothing(queue: ReviewQueue, make_items: Make) -> None:
    (item,) = make_items(1)
    queue.sync_items([item], CONFIG)
    outcomes: list[object] = []
    start = threading.Barrier(8)

    def decide(number: int) -> None:
        start.wait()
        try:
            outcomes.append(queue.submit(item.key, "approve", f"reviewer {number}", token=f"t{number}", expected=0))
        except VerdictConflictError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=decide, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (verdict,) = queue.verdicts_after(0)
    assert outcomes.count(verdict) == 1
    conflicts = [outcome for outcome in outcomes if isinstance(outcome, VerdictConflictError)]
    assert len(conflicts) == 7
    assert all(verdict.reviewer in str(conflict) for conflict in conflicts)


def test_an_automatic_vote_does_not_make_a_persons_page_stale(queue: ReviewQueue, make_items: Make) -> None:
    (item,) = make_items(1)
    queue.sync_items([item], CONFIG)
    seen = queue.get_item(item.key).seen
    queue.submit(item.key, "approve", "automatic:length v1", "automatic")
    assert queue.submit(item.key, "reject", "Ada", reason="wrong", expected=seen).sequence == 2


def test_the_same_token_records_once_and_never_something_else(queue: ReviewQueue, make_items: Make) -> None:
    (item,) = make_items(1)
    queue.sync_items([item], CONFIG)
    first = queue.submit(item.key, "approve", "Ada", token="t", expected=0)
    assert queue.submit(item.key, "approve", "Ada", token="t", expected=0) == first
    with pytest.raises(VerdictRefusedError, match="already used"):
        queue.submit(item.key, "reject", "Ada", reason="wrong", token="t", expected=0)
    assert queue.verdicts_after(0) == [first]


@pytest.mark.parametrize(
    ("vote", "problem"),
    [
        ({"decision": "prefer_a"}, "no decision about an example"),
        ({"decision": "burn"}, "no decision about an example"),
        ({"decision": "edit", "edited_answer": '{"part":"strings"}'}, "changes nothing"),
        ({"decision": "edit", "edited_answer": " \n"}, "empty"),
        ({"decision": "edit", "edited_answer": "a\0b"}, "NUL"),
        ({"decision": "edit", "edited_answer": "\ud83d"}, "surrogate"),
        ({"decision": "edit", "edited_answer": "x" * 1_000_001}, "at most 1,000,000"),
        ({"decision": "approve", "edited_answer": "x"}, "no edited answer"),
        ({"decision": "approve", "reviewer": " "}, "who decided"),
        ({"decision": "approve", "reviewer": "automatic:me"}, "automatic"),
        ({"decision": "approve", "reviewer": "x" * 81}, "at most 80"),
    ],
)
def test_votes_that_make_no_sense_are_refused_with_the_reason(
    queue: ReviewQueue, make_items: Make, vote: dict[str, str], problem: str
) -> None:
    (item,) = make_items(1)
    queue.sync_items([item], CONFIG)
    with pytest.raises(VerdictRefusedError, match=problem):
        queue.record([Vote(**{"item_key": item.key, "reviewer": "Ada"} | vote)])  # type: ignore[arg-type]
    assert queue.verdicts_after(0) == []


def test_a_batch_is_recorded_whole_or_not_at_all(queue: ReviewQueue, make_items: Make) -> None:
    items = make_items(1, 2)
    queue.sync_items(items, CONFIG)
    votes = [
        Vote(item_key=items[0].key, decision="approve", reviewer="Ada"),
        Vote(item_key="0" * 32, decision="approve", reviewer="Ada"),
    ]
    with pytest.raises(ItemWithdrawnError):
        queue.record(votes)
    assert queue.verdicts_after(0) == []
    assert queue.counts().num_open == 2


def test_a_withdrawn_item_takes_no_verdict(queue: ReviewQueue, make_items: Make) -> None:
    queue.sync_items(make_items(1), CONFIG)
    queue.sync_items(make_items(2), CONFIG)
    with pytest.raises(ItemWithdrawnError):
        queue.submit(make_items(1)[0].key, "approve", "Ada")
    with pytest.raises(UnknownIdError):
        queue.get_item("0" * 32)


def test_changed_text_of_a_row_brings_its_last_verdict_along(queue: ReviewQueue, make_items: Make) -> None:
    (old,), (new,) = make_items(1, answer="old"), make_items(1, answer="new")
    queue.sync_items([old], CONFIG)
    assert queue.previous_item(old) is None
    queue.submit(old.key, "reject", "Ada", reason="wrong")
    queue.sync_items([new], CONFIG)
    previous = queue.previous_item(new)
    assert previous is not None
    assert (previous.item.answer, previous.human.decision) == ("old", "reject")  # type: ignore[union-attr]
    assert queue.get_item(new.key).verdict is None


def test_recipes_in_one_database_do_not_see_each_other(database: Database, make_items: Make) -> None:
    one, two = ReviewQueue(database, "one"), ReviewQueue(database, "two")
    items = make_items(1)
    one.sync_items(items, CONFIG)
    two.sync_items(items, CONFIG)
    one.submit(items[0].key, "approve", "Ada", token="t")
    assert two.counts().num_open == 1
    assert two.submit(items[0].key, "reject", "Bob", reason="wrong", token="t").sequence == 1
    assert list_recipes(database) == ["one", "two"]
    assert one.verify_chain() != two.verify_chain()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE review_verdicts SET decision = 'approve' WHERE sequence = 2",
        "UPDATE review_verdicts SET edited_answer = 'x' WHERE sequence = 3",
        "UPDATE review_verdicts SET reviewer = 'Eve' WHERE sequence = 1",
        "DELETE FROM review_verdicts WHERE sequence = 2",
        "DELETE FROM review_verdicts WHERE sequence = 3",
        "DELETE FROM review_verdicts",
        "DELETE FROM review_queues",
        "UPDATE review_verdicts SET sequence = 4 WHERE sequence = 3",
        "INSERT INTO review_verdicts SELECT recipe, 4, item_key, 'approve', reviewer, 'human', '', '', created_at, NULL,"
        " hash, hash, 'review', 0, '' FROM review_verdicts WHERE sequence = 3",
    ],
)
def test_any_change_to_a_recorded_verdict_is_found(queue: ReviewQueue, make_items: Make, damage: str) -> None:
    items = make_items(1, 2, 3)
    queue.sync_items(items, CONFIG)
    for item in items:
        queue.submit(item.key, "reject", "Ada", reason="wrong")
    assert queue.verify_chain()
    queue.database.write(lambda connection: connection.execute(sa.text(damage)))
    with pytest.raises(LedgerTamperedError, match="review ledger"):
        queue.verify_chain()


@pytest.fixture
def postgres_queue(postgres_url: str) -> Iterator[ReviewQueue]:
    database = Database.open(postgres_url, concern="review", migrations=schema.MIGRATIONS)
    yield ReviewQueue(database, "demo")
    database.close()


@pytest.mark.postgres
def test_postgres_keeps_every_verdict_of_concurrent_reviewers(postgres_queue: ReviewQueue, make_items: Make) -> None:
    queue = postgres_queue
    items = make_items(*range(40))
    queue.sync_items(items, CONFIG)
    queue.sync_items(items, CONFIG)
    accepted: list[int] = []
    start = threading.Barrier(8)

    def review(number: int) -> None:
        start.wait()
        for item in items:
            decision: Decision = "approve" if number % 2 else "reject"
            try:
                verdict = queue.submit(
                    item.key, decision, f"reviewer {number}", reason="nul-free", token=f"{number}/{item.key}", expected=0
                )
            except TunewrightError:
                continue
            accepted.append(verdict.sequence)

    threads = [threading.Thread(target=review, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(accepted) == list(range(1, 41))
    assert queue.counts().num_open == 0
    assert queue.verify_chain()
    entry = queue.list_items("decided", limit=1)[0]
    assert queue.previous_item(entry.item) is None
    assert queue.next_item() is None


def test_the_queue_of_a_new_database_is_empty(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "review.db", concern="review", migrations=schema.MIGRATIONS)
    queue = ReviewQueue(database, "demo")
    assert queue.counts().num_items == 0
    assert queue.next_item() is None
    assert queue.verify_chain() == ""
    queue.close()
