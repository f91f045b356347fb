"""Brings the output of a finished batch into the ledger, row by row, good rows before anything else.

    harvest_job(job, remote, store, ledger, client).num_stored       # 988

Replies are committed in groups, and only then marked as stored, so that a crash in between costs nothing but reading again.
"""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

from curation.records import TeacherCall
from curation.synthesis.batch.client import BatchClient, RemoteBatch
from curation.synthesis.batch.output import BatchOutcome, read_line
from curation.synthesis.batch.store import BatchJob, BatchStore
from curation.synthesis.budget.prices import find_price
from curation.synthesis.ledger.request_ledger import RequestLedger, as_call
from curation.synthesis.ledger.stored_request import read_request
from curation.synthesis.teachers.openai_model import OpenAIChatModel

LINES_PER_COMMIT = 250


@dataclass(kw_only=True)
class HarvestReport:
    """What the files of a batch held."""

    num_stored: int = 0
    """Replies that are new in the ledger."""
    num_garbage: int = 0
    """Lines that were no outcome of a request of this batch."""
    cost_usd: Decimal = Decimal(0)


def harvest_job(
    job: BatchJob, remote: RemoteBatch, store: BatchStore, ledger: RequestLedger, client: BatchClient
) -> HarvestReport:
    """Store every reply and note every failure that the output and error files hold.

    Raises:
        TeacherBusyError, BatchRefusedError: a file could not be read to its end; what was read is stored.
    """
    report = HarvestReport()
    model = OpenAIChatModel(job.read_teacher())
    known = set(store.request_ids(job))
    for file_id in filter(None, (remote.output_file_id, remote.error_file_id)):
        outcomes = _iter_outcomes(client, file_id, model, known, report)
        while group := list(islice(outcomes, LINES_PER_COMMIT)):
            _store(group, job, store, ledger, model, report)
    return report


def _iter_outcomes(
    client: BatchClient, file_id: str, model: OpenAIChatModel, known: set[str], report: HarvestReport
) -> Iterator[BatchOutcome]:
    """Yield what a file says about requests of this batch; a file without end is left at some point."""
    for line in islice(client.iter_lines(file_id), 4 * len(known) + 1000):
        if not line.strip():
            continue
        outcome = read_line(line, model)
        if outcome is None or outcome.request_id not in known:
            report.num_garbage += 1
        else:
            yield outcome


def _store(
    group: list[BatchOutcome],
    job: BatchJob,
    store: BatchStore,
    ledger: RequestLedger,
    model: OpenAIChatModel,
    report: HarvestReport,
) -> None:
    texts = store.read_requests(job, sorted({outcome.request_id for outcome in group}))
    calls = [_as_paid_call(outcome, texts[outcome.request_id], job, model) for outcome in group if outcome.reply is not None]
    added = ledger.add_calls(calls, recipe=job.recipe, run_id=job.run_id)
    report.num_stored += len(added)
    firsts = {call.key: call for call in reversed(calls)}
    report.cost_usd += sum((Decimal(repr(firsts[name].cost_usd)) for name in added), Decimal(0))
    failed = [outcome for outcome in group if outcome.reply is None]
    store.mark(job, {item.request_id: ("refused" if item.is_refused else "returned", item.reason) for item in failed})
    store.mark(job, {call.key: ("stored", "") for call in calls})


def _as_paid_call(outcome: BatchOutcome, text: str, job: BatchJob, model: OpenAIChatModel) -> TeacherCall:
    """Describe a reply at the price of batches."""
    assert outcome.reply is not None
    price = find_price(job.read_teacher())
    cost = float(price.cost_of(outcome.reply, is_batch=True)) if price is not None else 0.0
    reply = dataclasses.replace(outcome.reply, cost_usd=cost)
    return as_call(outcome.request_id, model, read_request(json.loads(text)), reply)
