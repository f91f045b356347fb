"""Requests as they are stored: plain JSON, and back.

    request = read_request({"messages": [{"role": "user", "content": "Hi"}], "parameters": {}, "sample_index": 0})
    as_plain_request(request)["messages"][0]["content"]      # "Hi"

What comes from a file or a database is checked by hashing: a request that was not read in full has another request id.
"""

import typing
from dataclasses import dataclass
from typing import Any

from curation.chat_model import ChatReply, ChatRequest
from curation.records import Message, Role, ToolCall


@dataclass(frozen=True, kw_only=True, slots=True)
class Answerer:
    """Who answered: what a request id says of a chat model, where the model itself is not at hand."""

    provider: str
    endpoint: str
    model: str
    revision: str
    is_model: bool = True

    def complete(self, request: ChatRequest) -> ChatReply:
        """Answer nothing: this is a name, not a model."""
        raise AssertionError("the name of a model cannot be asked")


def read_request(plain: Any) -> ChatRequest:
    """Return the request that `as_plain_request` made plain.

    Raises:
        ValueError: it is no request.
    """
    if not isinstance(plain, dict):
        raise ValueError("the request is no object")
    messages, parameters = plain.get("messages"), plain.get("parameters")
    schema, sample_index = plain.get("schema"), plain.get("sample_index")
    if not (isinstance(messages, list) and isinstance(parameters, dict)):
        raise ValueError("the request lacks its messages or its parameters")
    if not (schema is None or isinstance(schema, dict)):
        raise ValueError("the schema is no object")
    if not isinstance(sample_index, int) or isinstance(sample_index, bool):
        raise ValueError("the sample index is no number")
    turns = tuple(_read_message(turn) for turn in messages)
    return ChatRequest(messages=turns, schema=schema, parameters=parameters, sample_index=sample_index)


def _read_message(turn: Any) -> Message:
    if not isinstance(turn, dict) or turn.get("role") not in typing.get_args(Role):
        raise ValueError("a message has no role")
    texts = [turn.get("content"), turn.get("tool_call_id", ""), turn.get("name", "")]
    calls = turn.get("tool_calls", [])
    if not (all(isinstance(text, str) for text in texts) and isinstance(calls, list)):
        raise ValueError("a message holds something else than text")
    content, call_id, name = texts
    tool_calls = tuple(_read_call(call) for call in calls)
    return Message(role=turn["role"], content=content, tool_calls=tool_calls, tool_call_id=call_id, name=name)


def _read_call(call: Any) -> ToolCall:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        raise ValueError("a call of a tool has no function")
    values = [text for text in (call.get("id"), function.get("name"), function.get("arguments")) if isinstance(text, str)]
    if len(values) != 3:
        raise ValueError("a call of a tool holds something else than text")
    return ToolCall(id=values[0], name=values[1], arguments=values[2])
