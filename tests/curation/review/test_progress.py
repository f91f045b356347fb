"""Progress: days, pace and what is left, from verdicts with known times."""

import datetime
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from curation.database import Database
from curation.records import Example, ReviewItem
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.progress import ProgressReader, read_progress
from curation.review.queue import ReviewQueue

pytestmark = pytest.mark.slow

TODAY = datetime.date(2026, 11, 29)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def both(request: pytest.FixtureRequest) -> Iterator[ReviewQueue]:
    if request.param == "sqlite":
        yield request.getfixturevalue("queue")
        return
    database = Database.open(request.getfixturevalue("postgres_url"), concern="review", migrations=schema.MIGRATIONS)
    yield ReviewQueue(database, "demo")
    database.close()


@pytest.fixture
def fill(make_example: Callable[..., Example]) -> Callable[..., list[ReviewItem]]:
    def put(queue: ReviewQueue, num: int, overlap: int = 1) -> list[ReviewItem]:
        examples = [make_example(number, method="routing" if number % 2 else "qa") for number in range(num)]
        config = ReviewConfig(overlap=overlap)
        items = build_items(examples, [], lambda _: "", config)
        queue.sync_items(items, config)
        return items

    return put


def set_times(queue: ReviewQueue, times: list[str]) -> None:
    """Give verdict 1, 2, 3, ... these times."""

    def work(connection: sa.Connection) -> None:
        for number, time in enumerate(times, start=1):
            one = schema.verdicts.update().where(schema.verdicts.c.sequence == number)
            connection.execute(one.values(created_at=time))

    queue.database.write(work)


def test_an_empty_queue_says_nothing(queue: ReviewQueue) -> None:
    progress = read_progress(queue, today=TODAY)
    assert [len(progress.days), sum(day.num for day in progress.days)] == [30, 0]
    assert (progress.days[0].day, progress.days[-1].day) == ("2026-10-31", "2026-11-29")
    empty: list[Any] = [progress.pace, progress.hours_left, progress.days_left, progress.oldest_open]
    assert empty == [None] * 4
    assert (progress.votes_left, progress.kinds, progress.tasks) == (0, [], [])


def test_days_and_pace(both: ReviewQueue, fill: Callable[..., list[ReviewItem]]) -> None:
    items = fill(both, 60)
    for item in items[:40]:
        both.submit(item.key, "approve", "Ada")
    for item in items[40:42]:
        both.submit(item.key, "approve", "auto", "human")
    both.undo(both.history(items[0].key)[0], "Ada")
    start = datetime.datetime(2026, 11, 28, 9, tzinfo=datetime.UTC)
    lunch = datetime.timedelta(hours=2)
    times = [(start + datetime.timedelta(seconds=60 * n) + (lunch if n >= 20 else lunch * 0)).isoformat() for n in range(40)]
    set_times(both, [*times, "2026-11-29T08:00:00+00:00", "2026-11-01T08:00:00+00:00", "2026-11-29T08:00:10+00:00"])
    progress = read_progress(both, today=TODAY)
    assert {day.day: day.num for day in progress.days if day.num} == {"2026-11-01": 1, "2026-11-28": 40, "2026-11-29": 1}
    assert progress.pace is not None
    assert progress.pace.per_hour == pytest.approx(60)
    assert progress.pace.num_people == 1
    assert progress.pace.per_active_day == 1
    assert progress.votes_left == 19
    assert progress.hours_left == pytest.approx(19 / 60)
    assert progress.days_left == pytest.approx(19)


def test_a_bulk_action_is_no_pace(queue: ReviewQueue, fill: Callable[..., list[ReviewItem]]) -> None:
    items = fill(queue, 60)
    for item in items:
        queue.submit(item.key, "approve", "Ada")
    start = datetime.datetime(2026, 11, 29, 9, tzinfo=datetime.UTC)
    read = [(start + datetime.timedelta(seconds=90 * number)).isoformat() for number in range(30)]
    set_times(queue, [*["2026-11-29T08:00:00+00:00"] * 30, *read])
    pace = read_progress(queue, today=TODAY).pace
    assert pace is not None
    assert pace.per_hour == pytest.approx(40)
    set_times(queue, ["2026-11-29T08:00:00+00:00"] * 60)
    assert read_progress(queue, today=TODAY).pace is None


def test_what_waits(both: ReviewQueue, fill: Callable[..., list[ReviewItem]]) -> None:
    items = fill(both, 6, overlap=2)
    both.submit(items[0].key, "approve", "Ada")
    both.submit(items[0].key, "reject", "Bob", reason="wrong")
    both.submit(items[1].key, "approve", "Ada")
    both.submit(items[2].key, "approve", "Ada")
    both.submit(items[2].key, "approve", "Bob")
    both.claim("Cid")
    progress = read_progress(both, today=TODAY)
    assert (progress.num_disputed, progress.num_leased, progress.votes_left) == (1, 1, 3 * 2 + 1 + 1)
    assert [(part.name, part.num_items, part.num_open, part.num_disputed) for part in progress.kinds] == [("example", 6, 5, 1)]
    assert {part.name: part.num_items for part in progress.tasks} == {"qa": 3, "routing": 3}
    assert sum(part.num_decided for part in progress.tasks) == 1
    assert progress.oldest_open is not None
    assert progress.oldest_open[0] == items[1].key


def test_old_days_are_counted_once_and_new_ones_each_time(queue: ReviewQueue, fill: Callable[..., list[ReviewItem]]) -> None:
    items, reader = fill(queue, 4), ProgressReader()
    for item in items[:2]:
        queue.submit(item.key, "approve", "Ada")
    set_times(queue, ["2026-11-10T08:00:00+00:00", "2026-11-29T08:00:00+00:00"])
    assert sum(day.num for day in reader.read(queue, today=TODAY).days) == 2
    for item in items[2:]:
        queue.submit(item.key, "approve", "Ada")
    times = ["2026-11-10T08:00:00+00:00", "2026-11-29T08:00:00+00:00", "2026-11-29T23:59:59+00:00", "2026-11-28T00:00:00+00:00"]
    set_times(queue, times)
    assert {day.day: day.num for day in reader.read(queue, today=TODAY).days if day.num} == {
        "2026-11-10": 1,
        "2026-11-28": 1,
        "2026-11-29": 2,
    }
