"""What pages say about reviewers and judges, worked out once for many readers.

    findings = Findings()
    findings.agreement(queue).num_disputed        120
    findings.ruling(queue).allowed                True

Everything follows from the verdicts, so it is kept until there is a new one; and what took long to work out is kept twenty
times as long, however many verdicts come in meanwhile. Only who asks before anything is known waits for others. Thread-safe.
"""

import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import sqlalchemy as sa

from curation.judging.people import Agreement, Ruling
from curation.records import ReviewItem
from curation.review import schema
from curation.review.payload import unpack_item
from curation.review.queue import ReviewQueue
from curation.review.reviewers.advice import agreement_by_judge, judge_agreement, rule
from curation.review.reviewers.agreement import AgreementReport, measure
from curation.review.reviewers.ratings import read_ratings
from curation.review.reviewers.settings import ReviewerSettings, read_settings
from curation.review.reviewers.statistics import ReviewerStatistics, reviewer_statistics

T = TypeVar("T")

KEPT_FOR = 20.0
"""How many times longer than it took something is kept."""

MAX_JUDGED = 20_000
"""Items, those that came last, on which judges are compared with people."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    state: Hashable
    value: Any
    until: float


class Findings:
    """Keeps what was worked out, for each queue. One is enough for an app."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._working: dict[tuple[str, str], threading.Lock] = {}
        self._kept: dict[tuple[str, str], _Kept] = {}

    def agreement(self, queue: ReviewQueue) -> AgreementReport:
        """Return how far the reviewers of a queue agree."""
        return self._keep("agreement", queue, lambda: measure(read_ratings(queue)))

    def statistics(self, queue: ReviewQueue) -> dict[str, ReviewerStatistics]:
        """Return what each reviewer did. For leads only."""
        return self._keep("statistics", queue, lambda: reviewer_statistics(queue))

    def judges(self, queue: ReviewQueue) -> dict[tuple[str, str], Agreement]:
        """Return (judge, template) -> how far they agree with people."""
        return self._keep("judges", queue, lambda: _judges(queue, read_settings(queue).approve_from))

    def ruling(self, queue: ReviewQueue) -> Ruling:
        """Return whether the judge of a queue may give advice now."""
        return self._keep("ruling", queue, lambda: _rule(queue, read_settings(queue)))

    def _keep(self, name: str, queue: ReviewQueue, work: Callable[[], T]) -> T:
        key = (name, queue.recipe)
        with self._lock:
            working, known = self._working.setdefault(key, threading.Lock()), self._kept.get(key)
        if not working.acquire(blocking=known is None):  # whoever asks while it is worked out anew is given what is known
            return cast(T, cast(_Kept, known).value)
        try:
            state, start = _state(queue), time.monotonic()
            kept = self._kept.get(key)
            if kept is not None and (kept.state == state or start < kept.until):
                return cast(T, kept.value)
            value = work()
            end = time.monotonic()
            self._kept[key] = _Kept(state=state, value=value, until=end + KEPT_FOR * (end - start))
            return value
        finally:
            working.release()


def _state(queue: ReviewQueue) -> Hashable:
    table = schema.queues.c
    query = sa.select(table.num_verdicts, table.sync_round).where(table.recipe == queue.recipe)
    with queue.database.read() as connection:
        row = connection.execute(query).one_or_none()
    return (row and tuple(row), read_settings(queue))


def _judges(queue: ReviewQueue, approve_from: float) -> dict[tuple[str, str], Agreement]:
    return agreement_by_judge(_judged(queue), queue.verdicts_after(0), approve_from)


def _rule(queue: ReviewQueue, settings: ReviewerSettings) -> Ruling:
    if not settings.has_judge:
        return rule(None, settings)
    return rule(judge_agreement(_judged(queue), queue.verdicts_after(0), settings.approve_from), settings)


def _judged(queue: ReviewQueue) -> list[ReviewItem]:
    """Return the items on which people have said something and judges too, as far as they are kept in mind."""
    item = schema.items.c
    voted = (item.recipe == queue.recipe, item.last_sequence > 0)
    query = sa.select(item.payload).where(*voted).order_by(item.arrival.desc()).limit(MAX_JUDGED)
    with queue.database.read() as connection:
        return list(_with_votes(connection.execute(query).scalars()))


def _with_votes(payloads: Iterable[str]) -> Iterator[ReviewItem]:
    for payload in payloads:
        if '"votes":[{' in payload:
            yield unpack_item(payload)
