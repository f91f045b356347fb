"""The batches of an installation: durable before anything is sent, so that a crash never pays twice.

    with open_batch_store(home) as store:
        job = store.plan(requests, teacher=config, deadline=..., recipe="demo", run_id="")     # BatchJob, or None
        store.list_open()

    job     planned -> submitted -> settled
    request open -> stored | returned (may be asked again) | refused (never in a batch again)

A request is in one open batch at most, whoever plans. One process at a time works on a job: it holds a lease, which runs out
if the process dies.
"""

import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from curation.config import as_plain
from curation.database import Database
from curation.home import Home
from curation.ids import canonical_json
from curation.synthesis.teachers.config import TeacherConfig

MIGRATIONS = Path(__file__).parent / "migrations"
LEASE_SECONDS = 900.0
IDS_PER_QUERY = 500

_metadata = sa.MetaData()
_jobs = sa.Table(
    "batch_jobs",
    _metadata,
    sa.Column("key", sa.Text, primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("teacher", "recipe", "run_id", "state", "status")),
    *(sa.Column(name, sa.Text) for name in ("input_file_id", "batch_id", "problem", "owner")),
    *(sa.Column(name, sa.Float) for name in ("created_at", "deadline", "attempted_at", "leased_until")),
)
_requests = sa.Table(
    "batch_requests",
    _metadata,
    *(sa.Column(name, sa.Text, primary_key=True) for name in ("job_key", "request_id")),
    *(sa.Column(name, sa.Text) for name in ("request", "state", "reason")),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchJob:
    """One batch."""

    key: str
    """Our own name of it, which goes with it as metadata and finds it again."""
    teacher: str
    """The teacher's configuration as JSON."""
    recipe: str
    run_id: str
    state: str
    status: str
    """What the endpoint last said: `in_progress`, `completed`, `expired`, ..."""
    input_file_id: str
    batch_id: str
    problem: str
    created_at: float
    """Seconds since 1970, like the others."""
    deadline: float
    attempted_at: float
    """When it was last about to be created; 0: never, so that it cannot exist at the endpoint."""

    def read_teacher(self) -> TeacherConfig:
        """Return the teacher's configuration."""
        return TeacherConfig(**json.loads(self.teacher))


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestHistory:
    """What became of a request in batches so far."""

    is_open: bool
    is_refused: bool
    num_returned: int
    first_deadline: float


class BatchStore:
    """Planned and running batches. Safe to use from several threads and processes. Use as a context manager."""

    def __init__(self, database: Database, *, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self._database = database
        self._owner = uuid.uuid4().hex

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def plan(
        self, requests: Mapping[str, str], *, teacher: TeacherConfig, deadline: float, recipe: str, run_id: str
    ) -> BatchJob | None:
        """Record a batch of those requests that are in no open batch; None if all are.

        Args:
            requests: request id -> request as JSON.
            teacher: who is to answer.
            deadline: when to stop waiting, in seconds since 1970.
            recipe: recipe that pays.
            run_id: run that pays.

        Returns:
            The job, leased to this store.
        """
        now = self.now()
        job = BatchJob(
            key=uuid.uuid4().hex,
            teacher=canonical_json(as_plain(teacher)),
            recipe=recipe,
            run_id=run_id,
            state="planned",
            status="",
            input_file_id="",
            batch_id="",
            problem="",
            created_at=now,
            deadline=deadline,
            attempted_at=0.0,
        )
        lease = {"owner": self._owner, "leased_until": now + LEASE_SECONDS}
        columns = {name: getattr(job, name) for name in BatchJob.__slots__} | lease
        rows = [{"job_key": job.key, "request_id": name, "request": text} for name, text in sorted(requests.items())]
        return job if self._database.write(lambda connection: _insert_job(connection, columns, rows)) else None

    def list_open(self) -> list[BatchJob]:
        """Return the jobs that are not settled, oldest first."""
        columns = [_jobs.c[name] for name in BatchJob.__slots__]
        query = sa.select(*columns).where(_jobs.c.state != "settled").order_by(_jobs.c.created_at, _jobs.c.key)
        with self._database.read() as connection:
            return [BatchJob(**row._mapping) for row in connection.execute(query)]

    def get(self, key: str) -> BatchJob | None:
        """Return a job by its key."""
        query = sa.select(*(_jobs.c[name] for name in BatchJob.__slots__)).where(_jobs.c.key == key)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else BatchJob(**row._mapping)

    def lease(self, key: str) -> BatchJob | None:
        """Take (or renew) the sole right to work on an open job; None if another process has it."""
        now = self.now()
        is_free = sa.or_(_jobs.c.owner == self._owner, _jobs.c.leased_until < now)
        update = sa.update(_jobs).where(_jobs.c.key == key, _jobs.c.state != "settled", is_free)
        values = {"owner": self._owner, "leased_until": now + LEASE_SECONDS}
        got = self._database.write(lambda connection: connection.execute(update.values(**values)).rowcount)
        return self.get(key) if got else None

    def release(self, key: str) -> None:
        """Give the right to work on a job back."""
        self._update(key, leased_until=0.0)

    def record(self, job: BatchJob, **values: Any) -> BatchJob:
        """Write down what was learned about a job; on disk when it returns. The job must be leased."""
        self._update(job.key, **values)
        changed = self.get(job.key)
        assert changed is not None
        return changed

    def _update(self, key: str, **values: Any) -> None:
        update = sa.update(_jobs).where(_jobs.c.key == key, _jobs.c.owner == self._owner).values(**values)
        self._database.write(lambda connection: connection.execute(update))

    def request_ids(self, job: BatchJob) -> list[str]:
        """Return the ids of a job's requests, sorted."""
        query = sa.select(_requests.c.request_id).where(_requests.c.job_key == job.key).order_by(_requests.c.request_id)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def read_requests(self, job: BatchJob, ids: Sequence[str]) -> dict[str, str]:
        """Return requests of a job as JSON, by id."""
        found: dict[str, str] = {}
        query = sa.select(_requests.c.request_id, _requests.c.request).where(_requests.c.job_key == job.key)
        with self._database.read() as connection:
            for start in range(0, len(ids), IDS_PER_QUERY):
                chunk = ids[start : start + IDS_PER_QUERY]
                found.update((row[0], row[1]) for row in connection.execute(query.where(_requests.c.request_id.in_(chunk))))
        return found

    def mark(self, job: BatchJob, outcomes: Mapping[str, tuple[str, str]]) -> None:
        """Write down what became of requests: id -> (state, reason). One that is stored stays stored."""
        if not outcomes:
            return
        update = (
            sa.update(_requests)
            .where(
                _requests.c.job_key == job.key, _requests.c.request_id == sa.bindparam("name"), _requests.c.state != "stored"
            )
            .values(state=sa.bindparam("new"), reason=sa.bindparam("why"))
        )
        rows = [{"name": name, "new": state, "why": reason[:500]} for name, (state, reason) in outcomes.items()]
        self._database.write(lambda connection: connection.execute(update, rows))

    def give_up_open(self, job: BatchJob, reason: str) -> int:
        """Return the requests of a job that have no outcome, so that they can be asked again; say how many."""
        is_open = sa.and_(_requests.c.job_key == job.key, _requests.c.state == "open")
        update = sa.update(_requests).where(is_open).values(state="returned", reason=reason[:500])
        return self._database.write(lambda connection: connection.execute(update).rowcount)

    def settle(self, job: BatchJob, *, status: str, problem: str = "") -> None:
        """Close a job: what has no outcome is returned, and the texts of its requests are let go."""
        reason = problem or f"its batch is {status}"
        open_ones = sa.and_(_requests.c.job_key == job.key, _requests.c.state == "open")

        def work(connection: sa.Connection) -> None:
            connection.execute(sa.update(_requests).where(open_ones).values(state="returned", reason=reason[:500]))
            connection.execute(sa.update(_requests).where(_requests.c.job_key == job.key).values(request=""))
            values = {"state": "settled", "status": status[:40], "problem": problem[:500], "leased_until": 0.0}
            connection.execute(sa.update(_jobs).where(_jobs.c.key == job.key).values(**values))

        self._database.write(work)

    def count_outcomes(self, job: BatchJob) -> dict[str, int]:
        """Return how many requests of a job are in which state."""
        query = sa.select(_requests.c.state, sa.func.count()).where(_requests.c.job_key == job.key).group_by(_requests.c.state)
        with self._database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def histories(self, ids: Sequence[str]) -> dict[str, RequestHistory]:
        """Return what became of requests in batches; those that were in none are left out."""
        found: dict[str, RequestHistory] = {}
        states = _requests.c.state
        columns = [sa.func.sum(sa.case((states == state, 1), else_=0)) for state in ("open", "refused", "returned")]
        query = (
            sa.select(_requests.c.request_id, *columns, sa.func.min(_jobs.c.deadline))
            .join(_jobs, _jobs.c.key == _requests.c.job_key)
            .group_by(_requests.c.request_id)
        )
        with self._database.read() as connection:
            for start in range(0, len(ids), IDS_PER_QUERY):
                chunk = query.where(_requests.c.request_id.in_(ids[start : start + IDS_PER_QUERY]))
                for row in connection.execute(chunk):
                    found[row[0]] = RequestHistory(
                        is_open=row[1] > 0, is_refused=row[2] > 0, num_returned=int(row[3]), first_deadline=float(row[4])
                    )
        return found


def open_batch_store(home: Home) -> BatchStore:
    """Open the batches of an installation. Raises DatabaseError."""
    return BatchStore(home.database("batch", MIGRATIONS))


def _insert_job(connection: sa.Connection, job: dict[str, Any], rows: list[dict[str, Any]]) -> bool:
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(sa.insert(_jobs), [job])
    statement = insert(_requests).on_conflict_do_nothing().returning(_requests.c.request_id)
    taken = connection.execute(statement, [row | {"state": "open", "reason": ""} for row in rows]).scalars().all()
    if not taken:
        connection.execute(sa.delete(_jobs).where(_jobs.c.key == job["key"]))
    return bool(taken)
