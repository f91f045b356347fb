"""The review queue of one recipe: items that wait, who holds them, and every verdict that was ever given."""

from curation.review.queue.counts import Counts
from curation.review.queue.listing import Status
from curation.review.queue.resolution import counting_verdicts
from curation.review.queue.review_queue import (
    QueueEntry,
    QueueSettings,
    ReviewQueue,
    list_recipes,
    open_queue,
)
from curation.review.queue.sync import SyncReport

__all__ = [
    "Counts",
    "QueueEntry",
    "QueueSettings",
    "ReviewQueue",
    "Status",
    "SyncReport",
    "counting_verdicts",
    "list_recipes",
    "open_queue",
]
