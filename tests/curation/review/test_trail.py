"""The audit trail: every verdict once, filtered, in pages; downloads; and a chain that shows when it was broken."""

import csv
import io
import json
import time
from collections.abc import Callable, Iterator

import pytest

from curation.database import Database
from curation.records import Example, ReviewItem
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.trail import ChainWatch, TrailPage, Wanted, as_csv, as_jsonl, each_entry, read_trail

pytestmark = pytest.mark.slow


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def both(request: pytest.FixtureRequest) -> Iterator[ReviewQueue]:
    if request.param == "sqlite":
        yield request.getfixturevalue("queue")
        return
    database = Database.open(request.getfixturevalue("postgres_url"), concern="review", migrations=schema.MIGRATIONS)
    yield ReviewQueue(database, "demo")
    database.close()


@pytest.fixture
def said(make_example: Callable[..., Example]) -> Callable[[ReviewQueue], list[ReviewItem]]:
    """Return a function that has Ada approve 5 items, Bob reject 2 of 7 and take one back."""

    def fill(queue: ReviewQueue) -> list[ReviewItem]:
        items = build_items([make_example(number) for number in range(7)], [], lambda _: "", ReviewConfig())
        queue.sync_items(items, ReviewConfig())
        for item in items[:5]:
            queue.submit(item.key, "approve", "Ada")
        for item in items[5:]:
            queue.submit(item.key, "reject", "Bob", reason="wrong: =1+1, see 3")
        queue.undo(queue.history(items[5].key)[0], "Bob", "slip")
        return items

    return fill


def sequences(page: TrailPage) -> list[int]:
    return [entry.verdict.sequence for entry in page.entries]


def test_newest_first_in_pages(both: ReviewQueue, said: Callable[[ReviewQueue], list[ReviewItem]]) -> None:
    said(both)
    first = read_trail(both, Wanted(), limit=5)
    assert sequences(first) == [8, 7, 6, 5, 4]
    second = read_trail(both, Wanted(), limit=5, before=first.next)
    assert (sequences(second), second.next) == ([3, 2, 1], 0)
    assert first.entries[0].previous_hash == first.entries[1].hash
    assert first.entries[0].verdict.supersedes == 6


def test_filters(both: ReviewQueue, said: Callable[[ReviewQueue], list[ReviewItem]]) -> None:
    items = said(both)
    days = {number: f"2026-11-0{number}T10:00:00+00:00" for number in range(1, 9)}
    for number, day in days.items():
        one = schema.verdicts.update().where(schema.verdicts.c.sequence == number).values(created_at=day)
        both.database.write(lambda connection, one=one: connection.execute(one))
    for wanted, expected in (
        (Wanted(reviewer="Bob"), [8, 7, 6]),
        (Wanted(decision="reject"), [7, 6]),
        (Wanted(reviewer="Ada", decision="reject"), []),
        (Wanted(item_key=items[5].key), [8, 6]),
        (Wanted(since="2026-11-06"), [8, 7, 6]),
        (Wanted(until="2026-11-03"), [3, 2, 1]),
        (Wanted(since="2026-11-02", until="2026-11-03"), [3, 2]),
    ):
        assert sequences(read_trail(both, wanted)) == expected, wanted
        assert [entry.verdict.sequence for entry in each_entry(both, wanted)] == expected[::-1], wanted


def test_a_page_that_looked_at_enough_says_so(queue: ReviewQueue, said: Callable[[ReviewQueue], list[ReviewItem]]) -> None:
    said(queue)
    page = read_trail(queue, Wanted(decision="approve"), budget=4)
    assert (sequences(page), page.next, page.is_cut) == ([5], 5, True)
    page = read_trail(queue, Wanted(decision="approve"), budget=5, before=page.next)
    assert (sequences(page), page.is_cut) == ([4, 3, 2, 1], False)


def test_downloads_hold_everything_and_calculate_nothing(
    queue: ReviewQueue, said: Callable[[ReviewQueue], list[ReviewItem]]
) -> None:
    items = said(queue)
    queue.submit(items[5].key, "reject", "Bob", reason="=HYPERLINK(1)")
    rows = list(csv.DictReader(io.StringIO(b"".join(as_csv(each_entry(queue, Wanted()))).decode())))
    assert [row["sequence"] for row in rows] == [str(number) for number in range(1, 10)]
    assert rows[-1]["reason"] == "'=HYPERLINK(1)"
    assert rows[7]["supersedes"] == "6"
    lines = [json.loads(line) for line in b"".join(as_jsonl(each_entry(queue, Wanted()))).splitlines()]
    assert lines[-1]["reason"] == "=HYPERLINK(1)"
    assert [line["hash"] for line in lines] == [row["hash"] for row in rows]


def wait_for(watch: ChainWatch) -> str:
    for _ in range(3000):
        if watch.state("demo").status != "running":
            break
        time.sleep(0.02)
    return watch.state("demo").status


def test_the_chain_is_checked_and_the_outcome_kept(both: ReviewQueue, said: Callable[[ReviewQueue], list[ReviewItem]]) -> None:
    watch = ChainWatch()
    assert watch.state("demo").status == "unknown"
    said(both)
    watch.start(both, "Lea")
    assert wait_for(watch) == "intact"
    state = watch.state("demo")
    assert (state.num_checked, state.num_verdicts, state.checked_by, state.problem) == (8, 8, "Lea", "")
    assert state.head == both.verify_chain()
    forged = schema.verdicts.update().where(schema.verdicts.c.sequence == 3).values(decision="reject")
    both.database.write(lambda connection: connection.execute(forged))
    watch.start(both, "Lea")
    assert wait_for(watch) == "broken"
    assert "3" in watch.state("demo").problem


def test_a_check_that_fails_in_any_way_says_so_and_can_be_started_again(
    queue: ReviewQueue, said: Callable[[ReviewQueue], list[ReviewItem]], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = ChainWatch()
    said(queue)
    with monkeypatch.context() as broken:
        broken.setattr(ChainWatch, "_walk", lambda *_: 1 // 0)
        watch.start(queue, "Lea")
        assert wait_for(watch) == "failed"
    assert "ZeroDivisionError" in watch.state("demo").problem
    watch.start(queue, "Lea")
    assert wait_for(watch) == "intact"


def test_no_cell_of_the_download_becomes_two(queue: ReviewQueue, said: Callable[[ReviewQueue], list[ReviewItem]]) -> None:
    items = said(queue)
    queue.submit(items[5].key, "reject", "Bob", reason="other: a;=HYPERLINK(1)")
    lines = b"".join(as_csv(each_entry(queue, Wanted()))).decode().splitlines()
    assert '"other: a;=HYPERLINK(1)"' in lines[-1]  # where a semicolon parts cells, an unquoted one begins a formula
