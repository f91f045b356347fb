"""Puts requests into batches.

report = submit_batch(requests, teacher_config, ledger, store, recipe="demo")
report.num_submitted, report.num_stored, report.num_waiting, report.num_live
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from curation.chat_model import ChatRequest, as_plain_request, request_id
from curation.config import check
from curation.errors import BatchRefusedError, TeacherBusyError
from curation.synthesis.batch.client import BatchClient
from curation.synthesis.batch.config import BatchConfig
from curation.synthesis.batch.sending import format_line, send_job
from curation.synthesis.batch.standing import sort_requests
from curation.synthesis.batch.store import BatchJob, BatchStore
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.openai_model import OpenAIChatModel


@dataclass(kw_only=True)
class SubmitReport:
    """What became of the requests; each distinct one is counted once."""

    num_submitted: int = 0
    """Requests in batches that were planned now."""
    num_stored: int = 0
    num_waiting: int = 0
    """Requests in batches that run already."""
    num_live: int = 0
    """Requests that no batch will answer."""
    jobs: list[str] = field(default_factory=list)
    """Keys of the batches that were planned now."""
    problems: list[str] = field(default_factory=list)
    """Why a batch is not at the endpoint yet; `poll_batches` goes on with it."""


def submit_batch(
    requests: Sequence[ChatRequest],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    store: BatchStore,
    config: BatchConfig | None = None,
    *,
    recipe: str = "",
    run_id: str = "",
) -> SubmitReport:
    """Put every request into a batch that has no reply, waits in no batch and need not be asked live.

    Args:
        requests: what to ask.
        teacher: whom to ask (kind `openai`).
        ledger: where replies are looked up, and later stored.
        store: where batches are written down before they are sent.
        config: sizes, deadline and attempts.
        recipe: recipe that pays.
        run_id: run that pays.

    Raises:
        ConfigError: the teacher has no endpoint.
        TeacherKeyMissingError, TeacherRefusedError: the key is missing or not accepted; what was planned is sent later.
        DatabaseError: a database cannot be written; then nothing is sent.
    """
    check(teacher.kind == "openai", "kind", "must be 'openai' for batches", teacher.kind)
    config = config or BatchConfig()
    model = OpenAIChatModel(teacher)
    standing = sort_requests(requests, model, ledger, store, config)
    report = SubmitReport(num_stored=len(standing.stored), num_waiting=len(standing.waiting), num_live=len(standing.live))
    with BatchClient(teacher) as client:
        client.check_key()
        for texts in _split(standing.unsent, model, config):
            deadline = store.now() + config.deadline_hours * 3600
            job = store.plan(texts, teacher=teacher, deadline=deadline, recipe=recipe, run_id=run_id)
            num_taken = 0 if job is None else sum(store.count_outcomes(job).values())
            report.num_submitted += num_taken
            report.num_waiting += len(texts) - num_taken
            if job is not None:
                report.jobs.append(job.key)
                _send(job, store, client, report)
    return report


def _send(job: BatchJob, store: BatchStore, client: BatchClient, report: SubmitReport) -> None:
    try:
        send_job(job, store, client)
    except TeacherBusyError as error:
        report.problems.append(str(error))
    except BatchRefusedError as error:
        store.settle(job, status="refused", problem=str(error))
        report.problems.append(str(error))
    finally:
        store.release(job.key)


def _split(requests: Sequence[ChatRequest], model: OpenAIChatModel, config: BatchConfig) -> Iterator[dict[str, str]]:
    """Yield requests as JSON by id, as many as go into one batch."""
    texts: dict[str, str] = {}
    num_bytes = 0
    for request in requests:
        name, text = request_id(model, request), json.dumps(as_plain_request(request), allow_nan=False)
        size = len(format_line(name, text, model))
        if texts and (len(texts) >= config.max_requests or num_bytes + size > config.max_megabytes * 1_000_000):
            yield texts
            texts, num_bytes = {}, 0
        texts[name] = text
        num_bytes += size
    if texts:
        yield texts
