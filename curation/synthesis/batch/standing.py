"""Which requests have a reply, which wait in a batch, which can go into one, and which must be asked live.

standing = sort_requests(requests, teacher, ledger, store)
complete_all(standing.live, teacher, ledger, ...)
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from curation.chat_model import ChatModel, ChatRequest, request_id
from curation.synthesis.batch.config import BatchConfig
from curation.synthesis.batch.store import BatchStore
from curation.synthesis.ledger.request_ledger import RequestLedger


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Requests by where they stand; each distinct request is in one of the lists."""

    stored: list[ChatRequest] = field(default_factory=list)
    """Their reply is in the ledger."""
    waiting: list[ChatRequest] = field(default_factory=list)
    """They are in a batch that is not settled: asking them live would pay twice."""
    unsent: list[ChatRequest] = field(default_factory=list)
    """They can go into a batch: they were in none, or in one that did not answer them."""
    live: list[ChatRequest] = field(default_factory=list)
    """They must be asked live: a batch refused them, they had their attempts, or their deadline has passed."""


def sort_requests(
    requests: Sequence[ChatRequest],
    teacher: ChatModel,
    ledger: RequestLedger,
    store: BatchStore,
    config: BatchConfig | None = None,
) -> Standing:
    """Say where each request stands now."""
    max_attempts = (config or BatchConfig()).max_attempts
    named = {request_id(teacher, request): request for request in requests}
    ids = sorted(named)
    present, histories, now = ledger.find_stored(ids), store.histories(ids), store.now()
    standing = Standing()
    for name, request in named.items():
        history = histories.get(name)
        if name in present:
            standing.stored.append(request)
        elif history is None:
            standing.unsent.append(request)
        elif history.is_open:
            standing.waiting.append(request)
        elif history.is_refused or history.num_returned >= max_attempts or now >= history.first_deadline:
            standing.live.append(request)
        else:
            standing.unsent.append(request)
    return standing


def remaining(
    requests: Sequence[ChatRequest],
    teacher: ChatModel,
    ledger: RequestLedger,
    store: BatchStore,
    config: BatchConfig | None = None,
) -> list[ChatRequest]:
    """Return the requests that must be asked live now; no batch will answer them."""
    return sort_requests(requests, teacher, ledger, store, config).live
