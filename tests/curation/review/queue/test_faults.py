"""A disk that is full, read-only or fails at any statement of any write; a clock an hour off: nothing acknowledged is lost."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from curation.database import Database
from curation.errors import DatabaseError, LeaseLostError
from curation.records import Example, ReviewItem, Verdict
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.queue.claims import Lease

pytestmark = pytest.mark.slow

CONFIG = ReviewConfig(overlap=2)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[ReviewQueue]:
    opened = ReviewQueue(Database.open(tmp_path / "faults.db", concern="review", migrations=schema.MIGRATIONS), "demo")
    yield opened
    opened.close()


@pytest.fixture
def items(queue: ReviewQueue, make_example: Callable[..., Example]) -> list[ReviewItem]:
    found = build_items([make_example(number) for number in range(3)], [], lambda _: "", CONFIG)
    queue.sync_items(found, CONFIG)
    return found


class FailingDisk:
    """Lets statements through until one fails, and every later one of that transaction with it."""

    def __init__(self, queue: ReviewQueue, at: int) -> None:
        self.left, self.has_failed, self.queue = at, False, queue
        sa.event.listen(queue.database.engine, "before_cursor_execute", self._run)
        sa.event.listen(queue.database.engine, "commit", self._commit)

    def _run(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        self._fail_in_turn(statement)

    def _commit(self, connection: Any) -> None:
        self._fail_in_turn("COMMIT")

    def _fail_in_turn(self, statement: str) -> None:
        self.left -= 1
        if self.left < 0 and not statement.startswith("ROLLBACK"):
            self.has_failed = True
            raise sa.exc.OperationalError(statement, None, sqlite3.OperationalError("disk I/O error"))

    def mend(self) -> None:
        sa.event.remove(self.queue.database.engine, "before_cursor_execute", self._run)
        sa.event.remove(self.queue.database.engine, "commit", self._commit)


def state(queue: ReviewQueue) -> list[Any]:
    tables = (schema.items, schema.slots, schema.counts, schema.verdicts, schema.queues, schema.skips)
    with queue.database.read() as connection:
        return [sorted(map(str, connection.execute(sa.select(table)).all())) for table in tables]


def run_with_faults(queue: ReviewQueue, work: Callable[[], object]) -> int:
    """Fail at the first statement, then at the second, and so on until the work goes through; return how often it failed."""
    for number in range(200):
        before = state(queue)
        disk = FailingDisk(queue, number)
        try:
            work()
        except DatabaseError as error:
            assert "disk I/O error" in str(error)  # noqa: PT017
        finally:
            disk.mend()
        if not disk.has_failed:
            return number
        assert state(queue) == before, f"something of a transaction that failed at statement {number} was kept"
        queue.verify_chain()
    raise AssertionError("it never went through")


def held(lease: Lease | None) -> Lease:
    assert lease is not None
    return lease


def test_claims_verdicts_and_undo_are_whole_or_not_there(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    leases: list[Lease] = []
    assert run_with_faults(queue, lambda: leases.append(held(queue.claim("Ada")))) >= 2
    lease, said = leases[-1], list[Verdict]()
    generation, token = lease.generation, "token"
    vote: Callable[[], object] = lambda: said.append(  # noqa: E731
        queue.submit(lease.item_key, "approve", "Ada", generation=generation, token=token)
    )
    assert run_with_faults(queue, vote) >= 9
    assert queue.verdicts_after(0) == [said[-1]]
    vote()  # the page that got no answer asks again
    assert len(queue.verdicts_after(0)) == 1
    assert run_with_faults(queue, lambda: queue.undo(said[-1], "Ada", token="undo")) >= 9
    other = held(queue.claim("Bob"))
    assert run_with_faults(queue, lambda: queue.extend(other)) >= 2
    assert run_with_faults(queue, lambda: queue.release(other, skip=True)) >= 2
    assert [verdict.decision for verdict in queue.verdicts_after(0)] == ["approve", "undo"]


def test_an_interrupted_sync_is_made_good_by_the_next(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    for number in range(12):
        disk = FailingDisk(queue, number)
        with pytest.raises(DatabaseError):
            queue.sync_items(items[:1], CONFIG)
        disk.mend()
        queue.sync_items(items, CONFIG)
        assert queue.counts().num_items == len(items)
    assert queue.sync_items(items[:1], CONFIG).closed == len(items) - 1


def test_a_full_disk_refuses_and_goes_on_when_there_is_room(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    long = "because " * 400

    def limit(pages: int) -> None:
        queue.database.write(lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}"))

    @sa.event.listens_for(queue.database.engine, "connect")
    def always(connection: Any, _: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {limits[0]}")

    with queue.database.read() as connection:
        used = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    limits = [used]
    queue.database.engine.dispose()
    acknowledged = 0
    with pytest.raises(DatabaseError, match="full"):  # noqa: PT012
        for number in range(200):
            queue.submit(items[0].key, "reject", "Ada", reason=f"{number} {long}")
            acknowledged += 1
    assert len(queue.verdicts_after(0)) == acknowledged
    queue.verify_chain()
    limits[0] = used + 10_000
    queue.database.engine.dispose()
    queue.submit(items[0].key, "reject", "Ada", reason=long)
    assert len(queue.verdicts_after(0)) == acknowledged + 1


def test_a_read_only_database_refuses_and_says_so(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    @sa.event.listens_for(queue.database.engine, "begin")
    def protect(connection: sa.Connection) -> None:
        connection.exec_driver_sql("PRAGMA query_only = 1")

    with pytest.raises(DatabaseError, match="readonly"):
        queue.submit(items[0].key, "approve", "Ada")
    with pytest.raises(DatabaseError, match="readonly"):
        queue.claim("Ada")
    sa.event.remove(queue.database.engine, "begin", protect)
    queue.database.engine.dispose()
    assert queue.verdicts_after(0) == []
    queue.submit(items[0].key, "approve", "Ada")


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_an_hour_off_gives_nothing_to_two_people(queue: ReviewQueue, items: list[ReviewItem], hours: int) -> None:
    """Moving the clock and moving what was stored by the same amount the other way are one thing."""
    queue.sync_items(items[:1], ReviewConfig())
    lease = held(queue.claim("Ada"))
    moved = sa.text(
        "UPDATE review_slots SET expires_at = expires_at - :off, claimed_at = claimed_at - :off WHERE expires_at > 0"
    )
    queue.database.write(lambda connection: connection.execute(moved, {"off": hours * 3600.0}))
    other = queue.claim("Bob")
    if hours > 0:  # the clock went forward: the lease has run out
        taken = held(other)
        with pytest.raises(LeaseLostError):
            queue.submit(lease.item_key, "approve", "Ada", generation=lease.generation)
        queue.submit(taken.item_key, "approve", "Bob", generation=taken.generation)
    else:
        assert other is None
        queue.submit(lease.item_key, "approve", "Ada", generation=lease.generation)
    assert len(queue.verdicts_after(0)) == 1
