"""One attempt at a request, and the models that are asked without a thread each.

    attempt = Attempt(timeout_seconds=60.0)
    reply = await model.complete_async(request, attempt)       # AsyncChatModel
    attempt.headers["x-ratelimit-remaining-requests"]          # what the endpoint said about its limits

A model that offers `complete_async` has hundreds of requests in flight on one event loop; any other is asked in threads.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from curation.chat_model import ChatReply, ChatRequest


@dataclass(kw_only=True, slots=True)
class Attempt:
    """What the engine tells a model about one attempt, and hears of it beside the reply."""

    timeout_seconds: float | None = None
    """Longest time, from connecting to the last byte; None: what the model is configured for."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Filled in by the model: the headers of the answer, names in lower case."""


@runtime_checkable
class AsyncChatModel(Protocol):
    """A `ChatModel` that can also be awaited. Errors are those of `ChatModel.complete`."""

    async def complete_async(self, request: ChatRequest, attempt: Attempt) -> ChatReply:
        """Answer one request within the time of the attempt. Called on the loop of `transport.event_loop`."""
        ...
