"""The one thread that writes: what waits while a transaction commits goes into the next one, together.

    writer.run(lambda connection: connection.execute(insert(calls), rows))        # on disk when it returns

A commit waits for the disk, which costs more than most writes; sharing it lets many callers write at once. Each caller's
work stands in a savepoint of its own, so that one that fails takes nothing of the others with it.

Works of several processes can wait for each other's locks in a circle, since a transaction that is shared takes the locks of
all in it. The database breaks the circle by refusing one (deadlock detected); those works then run anew, each alone.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import sqlalchemy as sa

T = TypeVar("T")
Work = Callable[[sa.Connection], Any]

MAX_TOGETHER = 64
MAX_TRIES = 6
LOCK_CONFLICTS = ("40P01", "40001")
"""SQLSTATE of `deadlock_detected` and `serialization_failure` (PostgreSQL, appendix A): the same work passes when run again."""


class Writer:
    """Runs works one after the other, in the order in which they came. Thread-safe."""

    def __init__(self, engine: sa.Engine, name: str) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"{name}-writer")
        self._waiting: deque[tuple[Work, Future[Any]]] = deque()
        self._lock = threading.Lock()

    def run(self, work: Callable[[sa.Connection], T]) -> T:
        """Run `work` in a transaction and return its result once that is committed. A work that fails is rolled back."""
        done: Future[T] = Future()
        with self._lock:
            self._waiting.append((work, done))
        self._thread.submit(self._drain)
        return done.result()

    def _drain(self) -> None:
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_TOGETHER))]
        if not batch:
            return
        outcomes = self._together([work for work, _ in batch]) if len(batch) > 1 else None
        for number, (work, done) in enumerate(batch):
            result, error = outcomes[number] if outcomes is not None else self._alone(work)
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)

    def _alone(self, work: Work) -> tuple[Any, BaseException | None]:
        for number in range(1, MAX_TRIES + 1):
            try:
                with self._engine.begin() as connection:
                    return work(connection), None
            except BaseException as error:
                if number == MAX_TRIES or not _is_lock_conflict(error):
                    return None, error
            time.sleep(random.uniform(0, 0.01 * 2**number))  # noqa: S311 - no secret
        raise AssertionError("the last try returns")

    def _together(self, works: list[Work]) -> list[tuple[Any, BaseException | None]] | None:
        """Run works in one transaction; None if it broke before it was committed, so that each has to run alone."""
        with self._engine.connect() as connection:
            transaction = connection.begin()
            try:
                outcomes = [_in_savepoint(connection, work) for work in works]
                if any(_is_lock_conflict(error) for _, error in outcomes):
                    raise _LockConflict
            except Exception:  # the database gave up the whole transaction: nothing of it was kept
                transaction.close()
                return None
            try:
                transaction.commit()
            except Exception as error:
                return [(None, error)] * len(works)
            return outcomes

    def close(self) -> None:
        """Finish what waits."""
        self._thread.shutdown(wait=True)


def _in_savepoint(connection: sa.Connection, work: Work) -> tuple[Any, BaseException | None]:
    savepoint = connection.begin_nested()
    try:
        result = work(connection)
    except BaseException as error:
        savepoint.rollback()
        return None, error
    savepoint.commit()
    return result, None


class _LockConflict(Exception):
    """A work met the locks of another process; what it shares a transaction with holds locks that others wait for."""


def _is_lock_conflict(error: BaseException | None) -> bool:
    return isinstance(error, sa.exc.DBAPIError) and getattr(error.orig, "sqlstate", None) in LOCK_CONFLICTS
