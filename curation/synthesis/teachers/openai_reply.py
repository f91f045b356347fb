r"""From the text of a chat completion, whole or streamed, to its fields.

    read_completion('{"choices": [{"message": {"content": "<think>hm</think>Tea"}}], "usage": {...}}')
    Parsed(text="Tea", reasoning="hm", finish_reason="stop", prompt_tokens=100, ...)
    join_stream('data: {"choices": [{"index": 0, "delta": {"content": "Te"}}]}\n\n...data: [DONE]')     one whole completion

Everything here is hostile: what is no chat completion, or only part of one, raises `MalformedReplyError` and nothing else.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from curation.ids import canonical_json
from curation.records import ToolCall

MAX_TOOL_CALLS = 128
_LINE_END = re.compile(r"\r\n|\n|\r")
_THINK, _THINK_END = "<think>", "</think>"


class MalformedReplyError(ValueError):
    """The text is no chat completion."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parsed:
    """The fields of a chat completion, as in `ChatReply`."""

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    cached_prompt_tokens: int
    reasoning_tokens: int
    reasoning: str
    tool_calls: tuple[ToolCall, ...]
    fingerprint: str
    raw: str


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def read_completion(text: str) -> Parsed:
    """Read a whole completion. Raises MalformedReplyError."""
    try:
        return _read(_DECODER.decode(text))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise MalformedReplyError(f"its reply is no chat completion: {' '.join(text[:120].split())!r}") from None


def _read(value: Any) -> Parsed:
    choice = value["choices"][0]
    message = choice["message"] if "message" in choice else {"content": choice["text"]}  # of `/completions`
    content = _content_text(message.get("content"))
    usage = _dict(value.get("usage"))
    prompt_details, completion_details = (_dict(usage.get(f"{name}_tokens_details")) for name in ("prompt", "completion"))
    text, reasoning, is_cut = split_reasoning(content, _reasoning_of(message))
    finish = str(choice.get("finish_reason") or "stop")[:40]
    finish = "length" if is_cut and finish == "stop" else finish
    return Parsed(
        text=text,
        finish_reason="content_filter" if message.get("refusal") else finish,
        prompt_tokens=_token_count(usage.get("prompt_tokens")),
        completion_tokens=_token_count(usage.get("completion_tokens")),
        cached_prompt_tokens=_token_count(prompt_details.get("cached_tokens")),
        reasoning_tokens=_token_count(completion_details.get("reasoning_tokens")),
        reasoning=reasoning,
        tool_calls=_tool_calls(message),
        fingerprint=str(value.get("system_fingerprint") or "")[:200],
        raw=canonical_json(value),
    )


def split_reasoning(content: str, reasoning: str = "") -> tuple[str, str, bool]:
    """Take the reasoning that stands in front of a text out of it; return text, reasoning, and whether it was cut inside.

    Models write it between `<think>` and `</think>`; some chat templates write the first of the two for them.
    """
    body = content.lstrip()
    if body.startswith(_THINK):
        inside, end, rest = body[len(_THINK) :].partition(_THINK_END)
        return (rest.lstrip() if end else ""), _joined(reasoning, inside), not end
    before, end, rest = body.partition(_THINK_END)
    if end and body[:1] not in ("{", "[", '"', "`") and _THINK not in before:
        return rest.lstrip(), _joined(reasoning, before), False
    return content, reasoning, False


def _joined(first: str, second: str) -> str:
    return "\n".join(part for part in (first, second.strip()) if part)


def _reasoning_of(message: dict[str, Any]) -> str:
    """Return the reasoning where it has a field of its own (vLLM, DeepSeek: `reasoning_content`; others: `reasoning`)."""
    for name in ("reasoning_content", "reasoning"):
        if isinstance(message.get(name), str):
            return str(message[name])
    return ""


def _content_text(content: Any) -> str:
    """Return the text of a message: a string, nothing, or a list of parts."""
    if content is None:
        return ""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type") == "text")
    if not isinstance(content, str):
        raise TypeError("content is no text")
    return content


def _tool_calls(message: dict[str, Any]) -> tuple[ToolCall, ...]:
    given = message.get("tool_calls") or []
    if not isinstance(given, list) or len(given) > MAX_TOOL_CALLS:
        raise TypeError("tool calls are a list")
    calls = [_tool_call(call.get("id"), call["function"]) for call in given]
    old = message.get("function_call")
    return tuple(calls or ([_tool_call("", old)] if old else []))


def _tool_call(name: Any, function: dict[str, Any]) -> ToolCall:
    arguments = function.get("arguments") or ""
    text = arguments if isinstance(arguments, str) else canonical_json(arguments)
    if not isinstance(function["name"], str):
        raise TypeError("a function has a name")
    return ToolCall(id=str(name or "")[:200], name=function["name"], arguments=text)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _token_count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else 0


def join_stream(text: str) -> str:
    """Join the chunks of a stream of server-sent events (WHATWG HTML, 9.2) to the JSON text of one whole completion.

    Raises:
        MalformedReplyError: a chunk is no chunk, the stream reports an error, or it ends before the reply does.
    """
    try:
        return canonical_json(_join([_DECODER.decode(data) for data in _events(text) if data != "[DONE]"]))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        reason = str(error) if isinstance(error, MalformedReplyError) else "its stream is malformed"
        raise MalformedReplyError(f"{reason}: {' '.join(text[-120:].split())!r}") from None


def _events(text: str) -> list[str]:
    """Return the data of each event."""
    events, lines = [], []
    for line in [*_LINE_END.split(text), ""]:
        if line.startswith("data:"):
            lines.append(line[5:].removeprefix(" "))
        elif not line and lines:
            events.append("\n".join(lines).strip())
            lines = []
    return events


def _join(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    whole: dict[str, Any] = {"object": "chat.completion"}
    parts: dict[str, list[str]] = {name: [] for name in ("content", "reasoning_content", "reasoning", "refusal")}
    calls: dict[int, dict[str, Any]] = {}
    finish = None
    for chunk in chunks:
        if chunk.get("error"):
            raise MalformedReplyError(f"its stream ends with an error: {str(chunk['error'])[:200]}")
        whole |= {name: chunk[name] for name in ("id", "created", "model", "system_fingerprint", "usage") if chunk.get(name)}
        for choice in chunk["choices"]:
            if choice.get("index", 0) != 0:
                continue
            delta = choice.get("delta") or {"content": choice.get("text")}  # of `/completions`
            for name, texts in parts.items():
                texts.extend([delta[name]] if delta.get(name) else [])
            for call in delta.get("tool_calls") or []:
                _add_call(calls, call)
            finish = choice.get("finish_reason") or finish
    if finish is None:
        raise MalformedReplyError("its stream ends before the reply does")
    message: dict[str, Any] = {"role": "assistant", "content": "".join(parts.pop("content"))}
    message |= {name: "".join(texts) for name, texts in parts.items() if texts}
    message |= {"tool_calls": [calls[at] for at in sorted(calls)]} if calls else {}
    return {**whole, "choices": [{"index": 0, "message": message, "finish_reason": finish}]}


def _add_call(calls: dict[int, dict[str, Any]], delta: dict[str, Any]) -> None:
    """Add a piece of a tool call: the name comes first, the arguments bit by bit."""
    at = delta.get("index", 0)
    if not isinstance(at, int) or not 0 <= at < MAX_TOOL_CALLS:
        raise TypeError("a call of a tool has a place")
    call = calls.setdefault(at, {"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
    function = delta.get("function") or {}
    call["id"] = delta.get("id") or call["id"]
    call["function"]["name"] += function.get("name") or ""
    call["function"]["arguments"] += function.get("arguments") or ""
