"""A teacher behind any OpenAI-compatible endpoint: OpenAI, vLLM, Ollama, LM Studio, `transformers serve`.

    teacher = OpenAIChatModel(TeacherConfig(kind="openai", model="qwen3", base_url="http://127.0.0.1:8000/v1"))
    teacher.complete(request).text

The key is read from the environment for each call, and is never kept, logged or stored. There are no retries here: errors
are sorted into "asking again may help", "this request never" and "no request ever", and the engine does the rest.
"""

import asyncio
import email.utils
import ipaddress
import json
import os
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from curation.chat_model import ChatReply, ChatRequest, request_id
from curation.chat_turns import as_turn
from curation.errors import RequestRefusedError, TeacherBusyError, TeacherKeyMissingError, TeacherRefusedError
from curation.synthesis.budget.prices import find_price
from curation.synthesis.engine.attempt import Attempt
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.openai_reply import MalformedReplyError, Parsed, join_stream, read_completion
from curation.synthesis.teachers.transport import MAX_REPLY_BYTES, HttpReply, HttpTransport, TransportError, event_loop

__all__ = ["MAX_REPLY_BYTES", "MIN_SECRET_CHARS", "OpenAIChatModel", "is_loopback", "is_raw"]

RAW = "raw_prompt"
"""Parameter of a request that is no chat: this text goes to `/completions`, and the model goes on writing behind it."""

_TEMPORARY_STATUS = frozenset({408, 409, 425, 429})
"""Refusals that may pass; every other 4xx stops the batch."""
MIN_SECRET_CHARS = 8
"""Shorter keys (`none`, `x`: servers that need none) are no secrets, and blotting them out would spoil replies."""
_ROW_PROBLEM = re.compile(
    r"context.?(length|window)|maximum context|too (long|large|many tokens)|content.?(filter|policy|management)|moderation",
    re.I,
)
"""What a server says when it refuses one request for its text, not all requests."""


class OpenAIChatModel:
    """Asks an OpenAI-compatible endpoint. Thread-safe."""

    def __init__(self, config: TeacherConfig) -> None:
        self.provider = "openai"
        self.endpoint = config.endpoint
        self.model = config.model
        self.revision = config.revision
        self.is_model = True
        self._config = config
        self._price = find_price(config)
        self._needs_key = not is_loopback(config.endpoint)
        # A proxy from the environment must not be asked for an endpoint on this machine.
        self._transport = HttpTransport(uses_proxy=self._needs_key)
        self._has_schemas = config.structured_output in ("auto", "json_schema")
        """Whether the endpoint is still believed to accept `response_format`."""
        self._has_stream_usage = True
        """Whether it accepts `stream_options`."""
        self._limit_name = "max_tokens"
        """OpenAI's reasoning models want `max_completion_tokens` instead."""

    @property
    def timeout_seconds(self) -> float:
        """Longest time for one attempt unless the engine says otherwise."""
        return self._config.timeout_seconds

    @property
    def max_timeout_seconds(self) -> float:
        """How far that time may grow at a slow endpoint."""
        return self._config.max_timeout_seconds or self._config.timeout_seconds

    @property
    def limits_per_minute(self) -> tuple[int | None, int | None]:
        """Requests and tokens a minute that the endpoint is known to allow."""
        return self._config.requests_per_minute, self._config.tokens_per_minute

    def complete(self, request: ChatRequest) -> ChatReply:
        """Answer one request; see `ChatModel.complete` for the errors."""
        return asyncio.run_coroutine_threadsafe(self.complete_async(request, Attempt()), event_loop()).result()

    async def complete_async(self, request: ChatRequest, attempt: Attempt) -> ChatReply:
        """Answer one request within the time of the attempt; see `AsyncChatModel`."""
        key = self.read_key()
        seconds = attempt.timeout_seconds or self._config.timeout_seconds
        deadline = time.monotonic() + seconds
        while True:
            sent = self._sent_body(request)
            answer = await self._send(sent, key, max(deadline - time.monotonic(), 1e-3), seconds)
            attempt.headers = answer.headers
            if answer.status == 200:
                return self._read_answer(answer, key)
            reason = _redact(_reason(answer.body), key)[:400] or "no explanation"
            if not self._adapt(answer.status, reason, sent):
                raise self._classify(answer, reason, request)

    def read_key(self) -> str:
        """Return the key from the environment. Raises TeacherKeyMissingError, TeacherRefusedError."""
        key = os.environ.get(self._config.api_key_env, "").strip()
        if not key and self._needs_key:
            raise TeacherKeyMissingError(model=self.model, variable=self._config.api_key_env)
        if not (key.isascii() and key.isprintable() and " " not in key):
            reason = f"the value of {self._config.api_key_env} is no key: it holds characters that no key has"
            raise TeacherRefusedError(endpoint=self.endpoint, request_id="(none sent)", reason=reason)
        return key

    def request_body(self, request: ChatRequest) -> dict[str, Any]:
        """Return the JSON body of a request, live or as a line of a batch."""
        parameters = dict(request.parameters)
        if is_raw(request):
            return {"model": self.model, "prompt": parameters.pop(RAW), **parameters}
        limit = parameters.pop("max_tokens", None)
        body = {"model": self.model, "messages": [as_turn(message) for message in request.messages], **parameters}
        if limit is not None:
            body[self._limit_name] = limit
        if request.schema is not None and self._config.structured_output == "json_object":
            body["response_format"] = {"type": "json_object"}
        elif request.schema is not None and self._has_schemas:
            schema = {"name": "reply", "schema": request.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    def _sent_body(self, request: ChatRequest) -> dict[str, Any]:
        body = self.request_body(request)
        if self._config.stream:
            body["stream"] = True
            if self._has_stream_usage:
                body["stream_options"] = {"include_usage": True}
        return body

    def _adapt(self, status: int, reason: str, sent: dict[str, Any]) -> bool:
        """Learn what the endpoint does not accept; True if the same request is worth sending once more in another form."""
        if status not in (400, 422) or _ROW_PROBLEM.search(reason):
            return False
        if "max_tokens" in sent and "max_completion_tokens" in reason:
            self._limit_name = "max_completion_tokens"
            return True
        if "stream_options" in sent and "stream_options" in reason:
            self._has_stream_usage = False
            return True
        if "response_format" in sent and self._config.structured_output == "auto":
            self._has_schemas = False
            return True
        return False

    async def _send(self, body: dict[str, Any], key: str, seconds: float, told_seconds: float) -> HttpReply:
        """Send once. Raises TeacherBusyError if there is no whole answer."""
        headers = {"content-type": "application/json", "authorization": f"Bearer {key or 'none'}", "user-agent": "tunewright"}
        data = json.dumps(body, allow_nan=False).encode()
        url = f"{self.endpoint}/{'completions' if 'prompt' in body else 'chat/completions'}"
        try:
            return await self._transport.post(url, data, headers, timeout_seconds=seconds)
        except TransportError as error:
            reason = f"no answer within {told_seconds:g} s" if error.is_timeout else _redact(str(error), key)
            kind = {"has_contact": error.has_contact, "is_silent": error.is_silent, "is_timeout": error.is_timeout}
            raise self._busy(reason, **kind) from None

    def _read_answer(self, answer: HttpReply, key: str) -> ChatReply:
        text = _redact(answer.body.decode("utf-8", "replace"), key)
        is_stream = answer.headers.get("content-type", "").startswith("text/event-stream")
        try:
            return self.read_reply(join_stream(text) if is_stream else text)
        except MalformedReplyError as error:
            raise self._busy(str(error)) from None

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def read_reply(self, text: str) -> ChatReply:
        """Read the JSON text of a chat completion. Raises TeacherBusyError if it is none."""
        if not text.strip():
            raise self._busy("its reply is empty")
        try:
            parsed = read_completion(text)
        except MalformedReplyError as error:
            raise self._busy(str(error)) from None
        return ChatReply(**{name: getattr(parsed, name) for name in Parsed.__slots__}, cost_usd=self._cost_of(parsed))

    def _cost_of(self, parsed: Parsed) -> float:
        if self._price is None:
            return 0.0
        return float(
            self._price.cost(
                prompt_tokens=parsed.prompt_tokens,
                completion_tokens=parsed.completion_tokens,
                cached_prompt_tokens=parsed.cached_prompt_tokens,
            )
        )

    def _busy(self, reason: str, **fields: Any) -> TeacherBusyError:
        return TeacherBusyError(endpoint=self.endpoint, reason=reason[:500], **fields)

    def _classify(self, answer: HttpReply, explanation: str, request: ChatRequest) -> Exception:
        status = answer.status
        hint = " (has it no /completions? `form: chat` needs none)" if status in (404, 405) and is_raw(request) else ""
        reason = f"HTTP {status}{hint}: {explanation}"[:500]
        if status in (400, 413, 422) and (status == 413 or _ROW_PROBLEM.search(explanation)):
            return RequestRefusedError(endpoint=self.endpoint, reason=reason)
        is_temporary = status in _TEMPORARY_STATUS and "insufficient_quota" not in explanation
        if 300 <= status < 500 and not is_temporary:
            return TeacherRefusedError(endpoint=self.endpoint, request_id=request_id(self, request), reason=reason)
        return self._busy(reason, retry_after=_retry_after(answer.headers), status=status)


def is_raw(request: ChatRequest) -> bool:
    """Tell whether a request is a text to go on with, which no batch of chats can hold."""
    return RAW in request.parameters


def is_loopback(url: str) -> bool:
    """Tell whether an address is on this machine, so that it needs no key and no proxy."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _reason(body: bytes) -> str:
    """Return what the server says about a refusal, in one line."""
    text = body[:100_000].decode("utf-8", "replace")
    try:
        error = json.loads(text)["error"]
        text = f"{error['message']} {error.get('code') or ''}"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return " ".join(text.split())


def _retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds that a server asks to wait for, 0 if it does not say."""
    value = headers.get("retry-after", "").strip()
    try:
        return max(float(value), 0.0) if float(value) < float("inf") else 0.0
    except ValueError:
        pass
    try:
        return max(email.utils.parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _redact(text: str, key: str) -> str:
    return text.replace(key, "[key]") if len(key) >= MIN_SECRET_CHARS else text
