"""The most that a request can use, known before it is sent.

    bound = TokenBound(max_tokens=512)
    bound.of(request)                  Bound(prompt_tokens=1940, completion_tokens=512)
    bound.learn(count_bytes(request), reply)        the endpoint's own counts make the bound of prompts tighter

No tokenizer makes more tokens than a text has bytes, so that is where the bound of a prompt begins. Once the endpoint has
counted `LEARN_AFTER` prompts, it is the largest share of tokens to bytes seen, with a margin.
"""

import threading
from collections.abc import Iterable
from typing import NamedTuple

from curation.chat_model import ChatReply, ChatRequest
from curation.ids import canonical_json
from curation.records import Message

LEARN_AFTER = 20
MARGIN = 1.5
TOKENS_PER_MESSAGE = 16
"""What chat templates put around a message."""
TOKENS_PER_REQUEST = 64


class Bound(NamedTuple):
    """Tokens of one request, at most."""

    prompt_tokens: int
    completion_tokens: int


class TokenBound:
    """Bounds for the requests to one teacher. Thread-safe."""

    def __init__(self, *, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._lock = threading.Lock()
        self._num_seen = 0
        self._largest_share = 0.0

    def of(self, request: ChatRequest) -> Bound:
        """Return the most that a request can use."""
        share = min(1.0, self._largest_share * MARGIN) if self._num_seen >= LEARN_AFTER else 1.0
        overhead = TOKENS_PER_REQUEST + TOKENS_PER_MESSAGE * len(request.messages)
        limits = (request.parameters.get(name) for name in ("max_completion_tokens", "max_tokens"))
        limit = next((value for value in limits if isinstance(value, int)), self._max_tokens)
        return Bound(int(count_bytes(request) * share) + overhead, limit)

    def learn(self, request_bytes: int, reply: ChatReply) -> None:
        """Take note of what the endpoint counted."""
        if reply.prompt_tokens > 0 and request_bytes > 0:
            with self._lock:
                self._num_seen += 1
                self._largest_share = max(self._largest_share, reply.prompt_tokens / request_bytes)


def count_bytes(request: ChatRequest) -> int:
    """Return the size of what a request says: its messages, the schema of its reply and the tools it offers."""
    extra = [request.schema, request.parameters.get("tools")]
    sizes = [len(canonical_json(value).encode("utf-8", "surrogatepass")) for value in extra if value is not None]
    return count_message_bytes(request.messages) + sum(sizes)


def count_message_bytes(messages: Iterable[Message]) -> int:
    """Return the size of what messages say."""
    return sum(len(message.text.encode("utf-8", "surrogatepass")) for message in messages)
