"""Looks after every open batch: sends what a crash left behind, harvests what is finished, cancels what is late.

    report = poll_batches(store, ledger)         # call it every few minutes; nothing happens twice
    report.num_open, report.num_stored, report.problems

Whatever stands in the output of a batch is stored row by row, also when the batch expired, failed or was cancelled. Requests
that did not come back can be asked again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from curation.errors import BatchRefusedError, TeacherBusyError, TeacherKeyMissingError, TeacherRefusedError
from curation.synthesis.batch.client import BatchClient, RemoteBatch
from curation.synthesis.batch.harvest import harvest_job
from curation.synthesis.batch.sending import send_job
from curation.synthesis.batch.store import BatchJob, BatchStore
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.teachers.config import TeacherConfig

RELEASE_AFTER_SECONDS = 3600.0
"""A batch that is still not over so long after its deadline is waited for no longer. Replies that come later are stored."""
FORGET_AFTER_SECONDS = 7 * 86_400.0
"""After so long past its deadline nothing is expected any more."""


@dataclass(kw_only=True)
class PollReport:
    """What happened to the open batches."""

    num_open: int = 0
    """Batches that are not settled afterwards."""
    num_settled: int = 0
    num_stored: int = 0
    """Replies that are new in the ledger."""
    num_returned: int = 0
    """Requests that came back without a reply and can be asked again."""
    num_refused: int = 0
    """Requests that the endpoint refused for what they are."""
    num_garbage: int = 0
    """Lines that were no outcome of a request of their batch."""
    cost_usd: Decimal = Decimal(0)
    """What the new replies cost, at the price of batches."""
    problems: list[str] = field(default_factory=list)
    """What kept a batch from going on, one sentence each; it is tried again at the next call."""


def poll_batches(
    store: BatchStore, ledger: RequestLedger, *, open_client: Callable[[TeacherConfig], BatchClient] = BatchClient
) -> PollReport:
    """Take every open batch one step further. One that fails holds up no other.

    Raises:
        DatabaseError: a database cannot be used.
    """
    report = PollReport()
    for job in store.list_open():
        leased = store.lease(job.key)
        if leased is None:
            continue
        try:
            with open_client(leased.read_teacher()) as client:
                _advance(leased, store, ledger, client, report)
        except (TeacherBusyError, TeacherKeyMissingError, TeacherRefusedError, BatchRefusedError) as error:
            report.problems.append(f"batch {job.key[:8]}: {error}")
        finally:
            store.release(job.key)
    report.num_open = len(store.list_open())
    return report


def _advance(job: BatchJob, store: BatchStore, ledger: RequestLedger, client: BatchClient, report: PollReport) -> None:
    is_late = store.now() >= job.deadline
    if not job.batch_id:
        sent = _send(job, store, client, report, may_create=not is_late)
        if sent is None:
            return
        job = sent
    try:
        remote = client.retrieve(job.batch_id)
        remote = _cancel(remote, client, report) if is_late else remote
        store.record(job, status=remote.status, problem=remote.problem)
        if remote.is_final:
            _harvest(job, remote, store, ledger, client, report)
            return
    except (TeacherBusyError, BatchRefusedError):
        _let_go_if_overdue(job, store, report)
        raise
    _let_go_if_overdue(job, store, report)


def _send(job: BatchJob, store: BatchStore, client: BatchClient, report: PollReport, *, may_create: bool) -> BatchJob | None:
    """Send a job that a crash left behind; None if it is settled instead."""
    try:
        sent = send_job(job, store, client, may_create=may_create)
    except BatchRefusedError as error:
        report.problems.append(f"batch {job.key[:8]}: {error}")
        _settle(job, store, report, status="refused", problem=str(error))
        return None
    if sent is None:
        _settle(job, store, report, status="never sent")
    return sent


def _cancel(remote: RemoteBatch, client: BatchClient, report: PollReport) -> RemoteBatch:
    """Ask for an end, once; a batch that ended by itself meanwhile refuses, and is looked at again at the next call."""
    if remote.is_final or remote.status == "cancelling":
        return remote
    try:
        return client.cancel(remote.id)
    except (TeacherBusyError, BatchRefusedError) as error:
        report.problems.append(f"batch {remote.id}: {error}")
        return remote


def _harvest(
    job: BatchJob, remote: RemoteBatch, store: BatchStore, ledger: RequestLedger, client: BatchClient, report: PollReport
) -> None:
    harvest = harvest_job(job, remote, store, ledger, client)
    report.num_stored += harvest.num_stored
    report.num_garbage += harvest.num_garbage
    report.cost_usd += harvest.cost_usd
    _settle(job, store, report, status=remote.status, problem=remote.problem)


def _settle(job: BatchJob, store: BatchStore, report: PollReport, *, status: str, problem: str = "") -> None:
    store.settle(job, status=status, problem=problem)
    outcomes = store.count_outcomes(job)
    report.num_settled += 1
    report.num_returned += outcomes.get("returned", 0)
    report.num_refused += outcomes.get("refused", 0)


def _let_go_if_overdue(job: BatchJob, store: BatchStore, report: PollReport) -> None:
    """Stop waiting for a batch that does not end although it should have."""
    overdue = store.now() - job.deadline
    if overdue >= FORGET_AFTER_SECONDS:
        _settle(job, store, report, status="lost", problem="the endpoint never said that the batch is over")
    elif overdue >= RELEASE_AFTER_SECONDS:
        report.num_returned += store.give_up_open(job, "its batch was not over long after the deadline")
