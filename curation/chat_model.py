"""The seam to every model that is asked over a chat: teachers, judges, recorded replies.

    request = ChatRequest(messages=(Message(role="user", content="..."),), schema=None, parameters={"temperature": 0.7})
    reply = model.complete(request)          # ChatReply(text='{"questions": [...]}', finish_reason="stop", ...)
    request_id(model, request)               # "9f..." names the reply for ever

What determines a reply is in its request id: provider, endpoint, model, revision, messages, schema, parameters and sample
index. How a reply is parsed is not, so that a better parser re-reads replies that were paid for.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from curation.chat_turns import as_turn
from curation.errors import TeacherRefusedError
from curation.ids import content_hash
from curation.records import Message, ToolCall


@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    """One question to a model."""

    messages: tuple[Message, ...]
    schema: dict[str, Any] | None = None
    """JSON Schema of the reply, for endpoints that can enforce one."""
    parameters: dict[str, Any] = field(default_factory=dict)
    """Sampling parameters: `temperature`, `max_tokens`, `seed`."""
    sample_index: int = 0
    """Tells several replies to one and the same question apart."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatReply:
    """What a model answered, and what that cost."""

    text: str
    finish_reason: str = "stop"
    """`stop`, `length` (cut off at max_tokens), `content_filter`, `tool_calls`, or what the endpoint says."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    raw: str = "{}"
    """The whole reply as canonical JSON."""
    tool_calls: tuple[ToolCall, ...] = ()
    """What the reply calls; its text may then be empty."""
    reasoning: str = ""
    """What the model thought before it answered, where the endpoint shows it; never part of `text`."""
    fingerprint: str = ""
    """The endpoint's own name for the version of model and set-up that answered (`system_fingerprint`)."""
    cached_prompt_tokens: int = 0
    """Prompt tokens that the endpoint had in its cache, counted in `prompt_tokens` as well."""
    reasoning_tokens: int = 0
    """Tokens of the reasoning, counted in `completion_tokens` as well."""


class ChatModel(Protocol):
    """Whatever answers a chat request. Implementations are thread-safe and do not retry; the engine does."""

    @property
    def provider(self) -> str:
        """Kind of service: `openai`, `extractive`, `replay`."""
        ...

    @property
    def endpoint(self) -> str:
        """Address of the service, without secrets."""
        ...

    @property
    def model(self) -> str:
        """Name of the model."""
        ...

    @property
    def revision(self) -> str:
        """Version of the model, or of the rules."""
        ...

    @property
    def is_model(self) -> bool:
        """Whether a language model answers; False for rules."""
        ...

    def complete(self, request: ChatRequest) -> ChatReply:
        """Answer one request.

        Raises:
            TeacherRefusedError, TeacherKeyMissingError: asking again is pointless, for this and every other request.
            TeacherBusyError: asking again may help.
            RequestRefusedError: this request will never be answered; others may be.
        """
        ...


def request_id(model: ChatModel, request: ChatRequest) -> str:
    """Return the name of a reply: the hash of everything that determines it."""
    return content_hash(
        {
            "provider": model.provider,
            "endpoint": model.endpoint,
            "model": model.model,
            "revision": model.revision,
            **as_plain_request(request),
        }
    )


def as_plain_request(request: ChatRequest) -> dict[str, Any]:
    """Turn a request into dicts, lists and scalars."""
    return {
        "messages": [as_turn(message) for message in request.messages],
        "schema": request.schema,
        "parameters": request.parameters,
        "sample_index": request.sample_index,
    }


class ReplayChatModel:
    """Serves recorded replies: by request id, or one after the other. An exception in place of a reply is raised."""

    def __init__(
        self,
        replies: Mapping[str, str | ChatReply | Exception] | Sequence[str | ChatReply | Exception],
        *,
        provider: str = "replay",
        endpoint: str = "replay",
        model: str = "replay",
        revision: str = "",
    ) -> None:
        self.provider = provider
        self.endpoint = endpoint
        self.model = model
        self.revision = revision
        self.is_model = True
        self.requests: list[ChatRequest] = []
        """What was asked, in order."""
        self._by_id = dict(replies) if isinstance(replies, Mapping) else {}
        self._script = None if isinstance(replies, Mapping) else list(replies)
        self._lock = threading.Lock()

    def complete(self, request: ChatRequest) -> ChatReply:
        """Return the recorded reply. Raises TeacherRefusedError if there is none (left)."""
        name = request_id(self, request)
        with self._lock:
            self.requests.append(request)
            reply = self._next(name)
        if reply is None:
            raise TeacherRefusedError(endpoint=self.endpoint, request_id=name, reason="no reply is recorded for it")
        if isinstance(reply, Exception):
            raise reply
        return ChatReply(text=reply) if isinstance(reply, str) else reply

    def _next(self, name: str) -> str | ChatReply | Exception | None:
        if self._script is None:
            return self._by_id.get(name)
        return self._script.pop(0) if self._script else None
