"""Sends a planned batch, step by step, so that a crash between any two steps neither loses nor doubles it.

    job = send_job(job, store, client)       # planned -> submitted; or still planned, if the endpoint must be looked at later

Uploading a file twice costs nothing; creating a batch twice is paid twice. So that one is about to be created is written down
first. After a crash the endpoint's batches are searched for our key, and only if it is not among them, and the attempt is
so old that it cannot still be on its way, the batch is created again.
"""

import json
import tempfile
from collections.abc import Iterator

from curation.errors import TeacherBusyError
from curation.synthesis.batch.client import ENDPOINT, BatchClient
from curation.synthesis.batch.store import IDS_PER_QUERY, BatchJob, BatchStore
from curation.synthesis.ledger.stored_request import read_request
from curation.synthesis.teachers.openai_model import OpenAIChatModel

RECREATE_AFTER_SECONDS = 300.0
"""A batch that was to be created so long ago and is not listed does not exist."""


def send_job(job: BatchJob, store: BatchStore, client: BatchClient, *, may_create: bool = True) -> BatchJob | None:
    """Bring a planned job to the endpoint; the job must be leased.

    Returns:
        The job as it stands at the endpoint; None if it is not there and must not be created any more.

    Raises:
        TeacherBusyError: not now; call again later.
        BatchRefusedError, TeacherRefusedError, TeacherKeyMissingError: the endpoint will have none of it.
    """
    if job.attempted_at:
        found = client.find(job.key, since=job.created_at)
        if found is not None:
            return store.record(job, batch_id=found.id, status=found.status, state="submitted")
        if store.now() - job.attempted_at < RECREATE_AFTER_SECONDS:
            raise TeacherBusyError(endpoint=client.endpoint, reason="a batch may be on its way; it is looked for again later")
    if not may_create:
        return None
    if not job.input_file_id:
        job = _upload(job, store, client)
    if store.lease(job.key) is None:
        raise TeacherBusyError(endpoint=client.endpoint, reason="another process works on this batch now")
    job = store.record(job, attempted_at=store.now())
    remote = client.create(job.input_file_id, key=job.key)
    return store.record(job, batch_id=remote.id, status=remote.status, state="submitted")


def _upload(job: BatchJob, store: BatchStore, client: BatchClient) -> BatchJob:
    with tempfile.TemporaryFile() as file:
        for line in _iter_lines(job, store):
            file.write(line)
        file.seek(0)
        file_id = client.upload(f"tunewright-{job.key}.jsonl", file)
    return store.record(job, input_file_id=file_id)


def _iter_lines(job: BatchJob, store: BatchStore) -> Iterator[bytes]:
    model = OpenAIChatModel(job.read_teacher())
    ids = store.request_ids(job)
    for start in range(0, len(ids), IDS_PER_QUERY):
        for name, text in sorted(store.read_requests(job, ids[start : start + IDS_PER_QUERY]).items()):
            yield format_line(name, text, model)


def format_line(name: str, request: str, model: OpenAIChatModel) -> bytes:
    """Return a request as a line of a batch file: the body is what is sent live, except that nothing is streamed."""
    body = model.request_body(read_request(json.loads(request)))
    line = {"custom_id": name, "method": "POST", "url": ENDPOINT, "body": body}
    return json.dumps(line, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"
