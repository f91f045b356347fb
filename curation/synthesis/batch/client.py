"""The files and batches of an OpenAI-compatible endpoint: a few calls, bounded in size, whose answers are hardly trusted.

with BatchClient(config) as client:
    file_id = client.upload("tunewright-9f.jsonl", file)
    remote = client.create(file_id, key="9f...")         # RemoteBatch(id="batch_1", status="validating", ...)
    client.find(key="9f...", since=job.created_at)       # the same, if a crash kept us from writing it down
    client.iter_lines(remote.output_file_id)
"""

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Self

from curation.errors import BatchRefusedError, TeacherBusyError, TeacherRefusedError
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.openai_model import MAX_REPLY_BYTES, MIN_SECRET_CHARS, OpenAIChatModel, is_loopback

ENDPOINT = "/v1/chat/completions"
COMPLETION_WINDOW = "24h"
KEY_NAME = "tunewright_batch"
"""Name of the metadata that carries our own key of a batch."""
FINAL = frozenset({"completed", "failed", "expired", "cancelled"})
MAX_ANSWER_BYTES = 10_000_000
MAX_LINE_BYTES = 2 * MAX_REPLY_BYTES
MAX_PAGES = 1000
CLOCK_SKEW_SECONDS = 86_400.0
_TEMPORARY = frozenset({408, 409, 425, 429})
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteBatch:
    """What the endpoint says about a batch."""

    id: str
    status: str
    output_file_id: str = ""
    error_file_id: str = ""
    key: str = ""
    """Our own key, from the metadata."""
    created_at: float = 0.0
    problem: str = ""

    @property
    def is_final(self) -> bool:
        """Whether nothing more will come."""
        return self.status in FINAL


class BatchClient:
    """Speaks to one endpoint. Not thread-safe. The key is read from the environment for each call.

    Every call may raise TeacherKeyMissingError and TeacherRefusedError (the key is missing or not accepted),
    TeacherBusyError (later it may work), and BatchRefusedError (it never will).
    """

    def __init__(self, config: TeacherConfig) -> None:
        self.endpoint = config.endpoint
        self._config = config
        self._model = OpenAIChatModel(config)
        self._client: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.close()

    def check_key(self) -> None:
        """Raise TeacherKeyMissingError or TeacherRefusedError if there is no usable key."""
        self._model.read_key()

    def upload(self, name: str, file: IO[bytes]) -> str:
        """Send a file of requests and return its id."""
        value = self._call("upload a file", lambda api: api.files, "create", file=(name, file), purpose="batch")
        return _read_id(value, self._busy)

    def create(self, file_id: str, *, key: str) -> RemoteBatch:
        """Start a batch. Sent with our key twice: as metadata, and as idempotency key for endpoints that know one."""
        value = self._call(
            "create a batch",
            lambda api: api.batches,
            "create",
            input_file_id=file_id,
            endpoint=ENDPOINT,
            completion_window=COMPLETION_WINDOW,
            metadata={KEY_NAME: key},
            extra_headers={"Idempotency-Key": key},
        )
        return self._read_batch(value)

    def retrieve(self, batch_id: str) -> RemoteBatch:
        """Ask how a batch is."""
        return self._read_batch(self._call("look at a batch", lambda api: api.batches, "retrieve", batch_id=batch_id))

    def cancel(self, batch_id: str) -> RemoteBatch:
        """Ask for a batch to end early; what is answered already is kept."""
        return self._read_batch(self._call("cancel a batch", lambda api: api.batches, "cancel", batch_id=batch_id))

    def find(self, key: str, *, since: float) -> RemoteBatch | None:
        """Return the batch that carries our key, or None. Batches are listed newest first, back to a day before `since`."""
        after = ""
        for _ in range(MAX_PAGES):
            more = {"after": after} if after else {}
            value = self._call("list the batches", lambda api: api.batches, "list", limit=100, **more)
            items = value.get("data")
            page = [self._read_batch(item) for item in items if _has_id(item)] if isinstance(items, list) else []
            for batch in page:
                if batch.key == key:
                    return batch
            is_last = not page or value.get("has_more") is not True or page[-1].id == after
            if is_last or 0 < page[-1].created_at < since - CLOCK_SKEW_SECONDS:
                return None
            after = page[-1].id
        return None

    def iter_lines(self, file_id: str) -> Iterator[str]:
        """Yield the lines of a file; one that is too long comes as an empty text. Our key never stands in a line."""
        key = self._model.read_key()
        files = self._open(key).files.with_streaming_response
        with self._wrapped("read a file", key), files.content(file_id) as response:
            for line in _split_lines(response.iter_bytes()):
                yield _without(line.decode("utf-8", "replace"), key)

    def _call(self, action: str, resource: Any, name: str, **arguments: Any) -> dict[str, Any]:
        """Make one call and return its JSON object."""
        key = self._model.read_key()
        with self._wrapped(action, key):
            call = getattr(resource(self._open(key)).with_streaming_response, name)
            with call(**arguments) as response:
                data = bytearray()
                for chunk in response.iter_bytes():
                    data += chunk
                    if len(data) > MAX_ANSWER_BYTES:
                        raise self._busy("its answer is too long")
        try:
            value = json.loads(_without(data.decode("utf-8", "replace"), key))
        except (ValueError, RecursionError):
            raise self._busy("its answer is no JSON") from None
        if not isinstance(value, dict):
            raise self._busy("its answer is no JSON object")
        return value

    def _open(self, key: str) -> Any:
        import openai

        if self._client is None:
            http = openai.DefaultHttpx2Client(trust_env=not is_loopback(self.endpoint))
            timeout = self._config.timeout_seconds
            self._client = openai.OpenAI(
                api_key="none", base_url=self.endpoint, max_retries=0, timeout=timeout, http_client=http
            )
        return self._client.with_options(api_key=key or "none")

    @contextlib.contextmanager
    def _wrapped(self, action: str, key: str) -> Iterator[None]:
        """Turn the errors of the HTTP client into ours."""
        import httpx2
        import openai

        try:
            yield
        except openai.APIStatusError as error:
            raise self._classify(error, action, key) from None
        except (openai.APITimeoutError, httpx2.TimeoutException):
            raise self._busy(f"no answer within {self._config.timeout_seconds:g} s") from None
        except (openai.OpenAIError, httpx2.HTTPError, httpx2.StreamError, UnicodeError) as error:
            raise self._busy(_without(f"{type(error).__name__}: {error.__cause__ or error}", key)) from None

    def _classify(self, error: Any, action: str, key: str) -> Exception:
        status = error.status_code
        text = error.body.get("message") if isinstance(error.body, dict) else None
        reason = _without(" ".join((text if isinstance(text, str) else str(error)).split()), key)[:300]
        if status in (401, 403):
            return TeacherRefusedError(endpoint=self.endpoint, request_id=f"({action})", reason=f"HTTP {status}: {reason}")
        if status in _TEMPORARY or not 400 <= status < 500:
            return self._busy(f"HTTP {status}: {reason}")
        return BatchRefusedError(endpoint=self.endpoint, action=action, status=status, reason=reason)

    def _busy(self, reason: str) -> TeacherBusyError:
        return TeacherBusyError(endpoint=self.endpoint, reason=reason[:500])

    def _read_batch(self, value: dict[str, Any]) -> RemoteBatch:
        metadata = value.get("metadata")
        key = metadata.get(KEY_NAME) if isinstance(metadata, dict) else None
        created_at = value.get("created_at")
        status = value.get("status")
        return RemoteBatch(
            id=_read_id(value, self._busy),
            status=status[:40] if isinstance(status, str) else "",
            output_file_id=_optional_id(value.get("output_file_id")),
            error_file_id=_optional_id(value.get("error_file_id")),
            key=key if isinstance(key, str) else "",
            created_at=float(created_at) if isinstance(created_at, int) and not isinstance(created_at, bool) else 0.0,
            problem=_describe_errors(value.get("errors")),
        )


def _has_id(value: Any) -> bool:
    return isinstance(value, dict) and _optional_id(value.get("id")) != ""


def _read_id(value: dict[str, Any], busy: Any) -> str:
    found = _optional_id(value.get("id"))
    if not found:
        raise busy("its answer holds no id")
    return found


def _optional_id(value: Any) -> str:
    """Return an id that may stand in an address, or nothing."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else ""


def _describe_errors(errors: Any) -> str:
    items = errors.get("data") if isinstance(errors, dict) else None
    found = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    texts = [f"{item.get('code') or 'error'}: {item.get('message') or ''}" for item in found[:3]]
    return " ".join("; ".join(texts).split())[:400]


def _without(text: str, key: str) -> str:
    return text.replace(key, "[key]") if len(key) >= MIN_SECRET_CHARS else text


def _split_lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Cut a stream into lines; one that is too long is given as nothing."""
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            yield b"".join((*parts, piece)) if size + len(piece) <= MAX_LINE_BYTES else b""
            parts, size = [], 0
        size += len(rest)
        parts = [*parts, rest] if size <= MAX_LINE_BYTES else []
    if size:
        yield b"".join(parts) if size <= MAX_LINE_BYTES else b""
