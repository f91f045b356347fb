"""A teacher behind any OpenAI-compatible endpoint: OpenAI, vLLM, Ollama, LM Studio, `transformers serve`.

    teacher = OpenAIChatModel(TeacherConfig(kind="openai", model="qwen3", base_url="http://127.0.0.1:8000/v1"))
    teacher.complete(request).text

The key is read from the environment for each call, and is never kept, logged or stored. There are no retries here: errors
are sorted into "asking again may help", "this request never" and "no request ever", and the engine does the rest.
"""

import email.utils
import ipaddress
import json
import os
import re
import threading
import time
from typing import Any
from urllib.parse import urlsplit

from curation.chat_model import ChatReply, ChatRequest, request_id
from curation.chat_turns import as_turn
from curation.errors import RequestRefusedError, TeacherBusyError, TeacherKeyMissingError, TeacherRefusedError
from curation.ids import canonical_json
from curation.synthesis.budget.prices import find_price
from curation.synthesis.teacher_config import TeacherConfig

MAX_REPLY_BYTES = 8_000_000
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
        self._lock = threading.Lock()
        self._client: Any = None
        self._has_schemas = True
        """Whether the endpoint is still believed to accept `response_format`."""
        self._limit_name = "max_tokens"
        """OpenAI's reasoning models want `max_completion_tokens` instead."""

    def complete(self, request: ChatRequest) -> ChatReply:
        """Answer one request; see `ChatModel.complete` for the errors."""
        key = self.read_key()
        while True:
            sent = self.request_body(request)
            try:
                return self._ask(sent, key)
            except _StatusError as error:
                if not self._adapt(error, sent):
                    raise self._classify(error, request) from None

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
        limit = parameters.pop("max_tokens", None)
        body = {"model": self.model, "messages": [as_turn(message) for message in request.messages], **parameters}
        if limit is not None:
            body[self._limit_name] = limit
        if request.schema is not None and self._has_schemas:
            schema = {"name": "reply", "schema": request.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    def _adapt(self, error: "_StatusError", sent: dict[str, Any]) -> bool:
        """Learn what the endpoint does not accept; True if the same request is worth sending once more in another form."""
        if error.status not in (400, 422) or _ROW_PROBLEM.search(error.reason):
            return False
        if "max_tokens" in sent and "max_completion_tokens" in error.reason:
            self._limit_name = "max_completion_tokens"
            return True
        if "response_format" in sent:
            self._has_schemas = False
            return True
        return False

    def _ask(self, body: dict[str, Any], key: str) -> ChatReply:
        """Send once. Raises _StatusError for an answer other than 200, TeacherBusyError for none or garbage."""
        import httpx2
        import openai

        try:
            data = self._send(body, key)
        except openai.APIStatusError as error:
            raise _StatusError(error.status_code, self._reason(error, key), _retry_after(error.response.headers)) from None
        except (openai.APITimeoutError, httpx2.TimeoutException, TimeoutError):
            raise self._busy(f"no answer within {self._config.timeout_seconds:g} s", has_contact=False) from None
        except (openai.APIConnectionError, httpx2.TransportError) as error:
            raise self._busy(_redact(f"no connection: {error.__cause__ or error}", key), has_contact=False) from None
        except (openai.OpenAIError, httpx2.HTTPError, UnicodeError) as error:
            raise self._busy(_redact(f"{type(error).__name__}: {error}", key)) from None
        return self.read_reply(_redact(data.decode("utf-8", "replace"), key))

    def _send(self, body: dict[str, Any], key: str) -> bytes:
        """Return the body of the answer, read under a limit of bytes and of time."""
        deadline = time.monotonic() + self._config.timeout_seconds
        client = self._open_client().with_options(api_key=key or "none")
        with client.chat.completions.with_streaming_response.create(**body) as response:
            data = bytearray()
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > MAX_REPLY_BYTES:
                    raise self._busy(f"its reply has more than {MAX_REPLY_BYTES} bytes")
                if time.monotonic() > deadline:
                    raise TimeoutError
        return bytes(data)

    def _open_client(self) -> Any:
        """Return the one client (and connection pool) of this teacher. It knows no key."""
        import openai

        with self._lock:
            if self._client is None:
                # A proxy from the environment must not be asked for an endpoint on this machine.
                http = openai.DefaultHttpx2Client(trust_env=self._needs_key)
                self._client = openai.OpenAI(
                    api_key="none",
                    base_url=self.endpoint,
                    max_retries=0,
                    timeout=self._config.timeout_seconds,
                    http_client=http,
                )
            return self._client

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def read_reply(self, text: str) -> ChatReply:
        """Read the JSON text of a chat completion. Raises TeacherBusyError if it is none."""
        if not text.strip():
            raise self._busy("its reply is empty")
        try:
            value = json.loads(text, parse_constant=_refuse_constant)
            choice = value["choices"][0]
            message = choice["message"]
            content = _content_text(message.get("content"))
            usage = value.get("usage") or {}
            prompt, completion = (_token_count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens"))
            finish = choice.get("finish_reason") or "stop"
            raw = canonical_json(value)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
            raise self._busy(f"its reply is no chat completion: {' '.join(text[:120].split())!r}") from None
        finish = "content_filter" if message.get("refusal") else str(finish)[:40]
        return ChatReply(
            text=content,
            finish_reason=finish,
            prompt_tokens=prompt,
            completion_tokens=completion,
            cost_usd=float(self._price.cost(prompt_tokens=prompt, completion_tokens=completion)) if self._price else 0.0,
            raw=raw,
        )

    def _busy(self, reason: str, *, has_contact: bool = True, retry_after: float = 0.0) -> TeacherBusyError:
        return TeacherBusyError(endpoint=self.endpoint, reason=reason[:500], has_contact=has_contact, retry_after=retry_after)

    def _classify(self, error: "_StatusError", request: ChatRequest) -> Exception:
        reason = f"HTTP {error.status}: {error.reason}"[:500]
        if error.status in (400, 413, 422) and (error.status == 413 or _ROW_PROBLEM.search(error.reason)):
            return RequestRefusedError(endpoint=self.endpoint, reason=reason)
        is_temporary = error.status in _TEMPORARY_STATUS and "insufficient_quota" not in error.reason
        if 400 <= error.status < 500 and not is_temporary:
            return TeacherRefusedError(endpoint=self.endpoint, request_id=request_id(self, request), reason=reason)
        return self._busy(reason, retry_after=error.retry_after)

    def _reason(self, error: Any, key: str) -> str:
        """Return what the server says about a refusal, in one line."""
        body = error.body
        message = body.get("message") if isinstance(body, dict) else None
        text = (
            f"{message} {body.get('code') or ''}"
            if isinstance(body, dict) and isinstance(message, str)
            else error.response.text
        )
        return _redact(" ".join(text.split()), key)[:400] or "no explanation"


class _StatusError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, reason: str, retry_after: float) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


def is_loopback(url: str) -> bool:
    """Tell whether an address is on this machine, so that it needs no key and no proxy."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _retry_after(headers: Any) -> float:
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


def _content_text(content: Any) -> str:
    """Return the text of a message: a string, nothing, or a list of parts."""
    if content is None:
        return ""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type") == "text")
    if not isinstance(content, str):
        raise TypeError("content is no text")
    return content


def _token_count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else 0


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
