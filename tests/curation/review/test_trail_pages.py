"""Pages of the trail at their edges, days at theirs, and a chain that cannot be checked, or is being checked already."""

import contextlib
import csv
import datetime
import functools
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from curation.errors import LedgerTamperedError
from curation.records import Example, ReviewItem
from curation.review import schema, trail
from curation.review.config import ReviewConfig
from curation.review.exchange import audit
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.trail import ChainWatch, TrailPage, Wanted, as_csv, as_jsonl, each_entry, read_trail


@pytest.fixture
def items(make_example: Callable[..., Example]) -> list[ReviewItem]:
    return build_items([make_example(number) for number in range(6)], [], lambda _: "", ReviewConfig())


@pytest.fixture
def days(queue: ReviewQueue, items: list[ReviewItem]) -> ReviewQueue:
    """Verdict n was given on November n; 1 to 4 by Ada, 5 by a machine, 6 by Bob."""
    queue.sync_items(items, ReviewConfig())
    for item in items[:4]:
        queue.submit(item.key, "approve", "Ada")
    queue.submit(items[0].key, "approve", "automatic:length v1", "automatic")
    queue.submit(items[5].key, "reject", "Bob", reason="wrong")
    table = schema.verdicts
    for number in range(1, 7):
        one = table.update().where(table.c.sequence == number).values(created_at=f"2026-11-0{number}T23:59:59+00:00")
        queue.database.write(functools.partial(sa.Connection.execute, statement=one))
    return queue


def numbers(page: TrailPage) -> list[int]:
    return [entry.verdict.sequence for entry in page.entries]


def test_a_page_is_as_long_as_asked_for_and_says_where_the_next_begins(days: ReviewQueue) -> None:
    for limit, expected, following in ((6, [6, 5, 4, 3, 2, 1], 0), (7, [6, 5, 4, 3, 2, 1], 0), (5, [6, 5, 4, 3, 2], 2)):
        page = read_trail(days, Wanted(), limit=limit)
        assert (numbers(page), page.next, page.is_cut) == (expected, following, False)
    assert numbers(read_trail(days, Wanted(), before=2)) == [1]
    assert read_trail(days, Wanted(), before=1) == TrailPage(entries=[])
    assert TrailPage(entries=[]).next == 0


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_a_filter_looks_on_until_the_page_is_full(days: ReviewQueue, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(trail, "_CHUNK", chunk)
    page = read_trail(days, Wanted(decision="approve"), limit=3)
    assert (numbers(page), page.next, page.is_cut) == ([5, 4, 3], 3, False)
    page = read_trail(days, Wanted(decision="approve"), limit=3, before=3)
    assert (numbers(page), page.next, page.is_cut) == ([2, 1], 0, False)
    page = read_trail(days, Wanted(decision="reject"), limit=1, budget=3)
    assert (numbers(page), page.next, page.is_cut) == ([6], 4, True)
    assert [entry.verdict.sequence for entry in each_entry(days, Wanted())] == [1, 2, 3, 4, 5, 6]
    assert [entry.verdict.sequence for entry in each_entry(days, Wanted(decision="reject"))] == [6]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(since="2026-11-05"), [6, 5]),
        (Wanted(since="2026-11-07"), []),
        (Wanted(until="2026-11-02"), [2, 1]),
        (Wanted(until="2026-11-05"), [5, 4, 3, 2, 1]),
        (Wanted(until="2026-11-06"), [6, 5, 4, 3, 2, 1]),
        (Wanted(until="2026-10-31"), []),
        (Wanted(since="2026-11-02", until="2026-11-02"), [2]),
        (Wanted(since="2026-11-03", decision="reject"), [6]),
        (Wanted(since="2026-11-01", decision="approve", reviewer="Ada"), [4, 3, 2, 1]),
    ],
)
def test_days_are_whole_and_both_ends_belong(days: ReviewQueue, wanted: Wanted, expected: list[int]) -> None:
    page = read_trail(days, wanted, limit=9)
    assert (numbers(page), page.next, page.is_cut) == (expected, 0, False)
    assert [entry.verdict.sequence for entry in each_entry(days, wanted)] == expected[::-1]


def test_the_last_day_and_the_page_before_bound_each_other(days: ReviewQueue) -> None:
    assert numbers(read_trail(days, Wanted(until="2026-11-04"), before=3)) == [2, 1]
    assert numbers(read_trail(days, Wanted(until="2026-11-02"), before=6)) == [2, 1]
    budget = read_trail(days, Wanted(until="2026-11-04"), limit=4, budget=5)
    assert (numbers(budget), budget.is_cut) == ([4, 3, 2, 1], False)


def test_a_page_stops_at_the_first_day_and_does_not_count_as_cut(days: ReviewQueue) -> None:
    page = read_trail(days, Wanted(since="2026-11-06"), limit=1, budget=2)
    assert (numbers(page), page.next, page.is_cut) == ([6], 0, False)


def test_a_day_is_read_to_its_end(days: ReviewQueue) -> None:
    same = sa.text("UPDATE review_verdicts SET created_at = '2026-11-06T01:00:00+00:00' WHERE sequence IN (4, 5)")
    days.database.write(lambda connection: connection.execute(same))
    assert numbers(read_trail(days, Wanted(since="2026-11-06", decision="approve"))) == [5, 4]
    assert (trail.PAGE_SIZE, trail.BUDGET) == (100, 20_000)


def test_other_recipes_are_not_in_the_trail(days: ReviewQueue) -> None:
    other = ReviewQueue(days.database, "other")
    assert read_trail(other, Wanted()) == TrailPage(entries=[])
    assert read_trail(other, Wanted(until="2026-11-02")) == TrailPage(entries=[])
    assert list(each_entry(other, Wanted())) == []


def test_downloads_name_every_column(days: ReviewQueue) -> None:
    (first,) = list(each_entry(days, Wanted(reviewer="Bob")))
    first_columns = ["sequence", "created_at", "reviewer", "reviewer_kind", "role", "decision", "key", "reason"]
    columns = [*first_columns, "supersedes", "edited_answer", "details", "hash", "previous_hash"]
    header, row = csv.reader(io.StringIO(b"".join(as_csv(iter([first]))).decode()))
    (line,) = b"".join(as_jsonl(iter([first]))).decode().splitlines()
    assert header == columns
    assert [str(json.loads(line)[name]) for name in columns] == row
    assert list(as_csv(iter([]))) == [('"' + '","'.join(columns) + '"\r\n').encode()]
    assert sorted(json.loads(line)) == sorted(columns)
    half = replace(first, verdict=replace(first.verdict, reason=f"half {chr(0xD83D)}"))
    assert b',"half ?",' in b"".join(as_csv(iter([half])))


def wait_for(watch: ChainWatch) -> str:
    deadline = time.monotonic() + 60
    while watch.state("demo").status == "running" and time.monotonic() < deadline:
        time.sleep(0.01)
    return watch.state("demo").status


@pytest.mark.parametrize("chunk", [2, 3, 100])
def test_a_chain_is_walked_part_by_part(
    queue: ReviewQueue, items: list[ReviewItem], monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(audit, "CHUNK", chunk)
    queue.sync_items(items, ReviewConfig())
    for item in items:
        queue.submit(item.key, "approve", "Ada")
    watch = ChainWatch()
    watch.start(queue, "Lea")
    assert wait_for(watch) == "intact"
    state = watch.state("demo")
    assert (state.num_checked, state.num_verdicts, state.head) == (6, 6, queue.verify_chain())
    assert (state.checked_by, state.problem) == ("Lea", "")
    checked = datetime.datetime.fromisoformat(state.checked_at)
    assert abs((datetime.datetime.now(datetime.UTC) - checked).total_seconds()) < 60
    unknown = watch.state("another")
    assert (unknown.status, unknown.num_checked, unknown.num_verdicts) == ("unknown", 0, 0)
    assert {unknown.checked_at, unknown.checked_by, unknown.head, unknown.problem} == {""}


def test_a_chain_of_nothing_is_intact(queue: ReviewQueue) -> None:
    watch = ChainWatch()
    watch.start(queue, "Lea")
    assert wait_for(watch) == "intact"
    assert (watch.state("demo").num_verdicts, watch.state("demo").head) == (0, "")


def test_a_chain_that_was_cut_is_broken_and_one_that_cannot_be_read_is_not_called_intact(days: ReviewQueue) -> None:
    watch = ChainWatch()
    watch.start(days, "Lea")
    assert wait_for(watch) == "broken"  # the days were changed
    assert (watch.state("demo").checked_at != "", "entry 1 " in watch.state("demo").problem) == (True, True)
    days.database.write(lambda connection: connection.execute(sa.text("DROP TABLE review_verdicts")))
    watch.start(days, "Max")
    assert wait_for(watch) == "failed"
    state = watch.state("demo")
    assert (state.checked_by, state.head, state.checked_at != "") == ("Max", "", True)
    assert "review_verdicts" in state.problem


def test_a_check_that_is_under_way_is_not_begun_again(queue: ReviewQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, num_begun = threading.Event(), [0]

    @contextlib.contextmanager
    def slow_snapshot() -> Iterator[sa.Connection]:
        num_begun[0] += 1
        go_on.wait(120)
        if go_on.is_set():
            raise LedgerTamperedError(ledger="review", entry=1)
        yield from ()

    monkeypatch.setattr(queue.database, "snapshot", slow_snapshot)
    watch = ChainWatch()
    assert watch.start(queue, "Lea", wait_seconds=0.01).status == "running"
    state = watch.start(queue, "Max", wait_seconds=0.01)
    assert (state.status, state.checked_by, num_begun) == ("running", "Lea", [1])
    go_on.set()
    assert wait_for(watch) == "broken"
    go_on.set()
    assert watch.start(queue, "Max", wait_seconds=120).status == "broken"
    assert (watch.state("demo").checked_by, num_begun) == ("Max", [2])
