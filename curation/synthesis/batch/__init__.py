"""Batches: the same requests under the same keys, cheaper and later, through OpenAI's files and batches.

with open_ledger(home) as ledger, open_batch_store(home) as store:
    submit_batch(requests, teacher_config, ledger, store, recipe="demo")
    poll_batches(store, ledger)                                      # every few minutes
    live = remaining(requests, build_teacher(teacher_config), ledger, store)
"""

from curation.synthesis.batch.backend import BatchBackend
from curation.synthesis.batch.config import BatchConfig
from curation.synthesis.batch.poll import PollReport, poll_batches
from curation.synthesis.batch.standing import Standing, remaining, sort_requests
from curation.synthesis.batch.store import BatchStore, open_batch_store
from curation.synthesis.batch.submit import SubmitReport, submit_batch

__all__ = [
    "BatchBackend",
    "BatchConfig",
    "BatchStore",
    "PollReport",
    "Standing",
    "SubmitReport",
    "open_batch_store",
    "poll_batches",
    "remaining",
    "sort_requests",
    "submit_batch",
]
