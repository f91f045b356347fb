r"""One line of what a batch gives back: a reply, a refusal, or something that is neither.

read_line('{"custom_id":"9f...","response":{"status_code":200,"body":{...}},"error":null}', model)
BatchOutcome(request_id="9f...", reply=ChatReply(...))
"""

import json
from dataclasses import dataclass
from typing import Any

from curation.chat_model import ChatReply
from curation.errors import TeacherBusyError
from curation.ids import canonical_json
from curation.synthesis.teachers.openai_model import OpenAIChatModel

_MAY_PASS = frozenset({408, 409, 425, 429})


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchOutcome:
    """What a line says about one request."""

    request_id: str
    reply: ChatReply | None = None
    reason: str = ""
    """Why there is no reply."""
    is_refused: bool = False
    """Whether the request was refused for what it is, so that no other batch would answer it."""


def read_line(line: str, model: OpenAIChatModel) -> BatchOutcome | None:
    """Read a line of an output or error file; None if it says nothing about any request."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    name = value.get("custom_id") if isinstance(value, dict) else None
    if not isinstance(name, str) or not name:
        return None
    response = value.get("response")
    if not isinstance(response, dict):
        return BatchOutcome(request_id=name, reason=_describe(value.get("error")))
    status = response.get("status_code")
    if status == 200:
        return _read_reply(name, response.get("body"), model)
    body = response.get("body")
    problem = _describe(body.get("error") if isinstance(body, dict) else body)
    is_refused = isinstance(status, int) and 400 <= status < 500 and status not in _MAY_PASS
    return BatchOutcome(request_id=name, reason=f"HTTP {status}: {problem}"[:400], is_refused=is_refused)


def _read_reply(name: str, body: Any, model: OpenAIChatModel) -> BatchOutcome:
    try:
        return BatchOutcome(request_id=name, reply=model.read_reply(canonical_json(body)))
    except (TeacherBusyError, ValueError, RecursionError) as error:
        return BatchOutcome(request_id=name, reason=str(error)[:400])


def _describe(error: Any) -> str:
    if not isinstance(error, dict):
        return "no explanation"
    return " ".join(f"{error.get('code') or ''} {error.get('message') or ''}".split())[:300] or "no explanation"
