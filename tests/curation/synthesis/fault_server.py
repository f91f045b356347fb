"""A chat endpoint that misbehaves as told: each request takes the next behaviour; the last one stays.

    with fault_server([refuse(429, "slow down", retry_after="0.1"), chat('{"questions": []}')]) as server:
        server.url, server.requests

In place of a list it takes a function from the body of a request to its behaviour. `FAULTS` are all behaviours that go wrong.
"""

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Seen:
    """A request as it arrived."""

    body: dict[str, Any]
    authorization: str
    at: float
    path: str = "/v1/chat/completions"


@dataclass
class FaultServer:
    """Address of the server and what it was asked."""

    url: str
    requests: list[Seen] = field(default_factory=list)


@contextlib.contextmanager
def fault_server(behaviours: Sequence[Behaviour] | Callable[[dict[str, Any]], Behaviour]) -> Iterator[FaultServer]:
    """Serve on a free port of this machine."""
    choose = behaviours if callable(behaviours) else None
    script = [] if callable(behaviours) else list(behaviours)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with lock:
                seen.requests.append(Seen(body, self.headers.get("authorization", ""), time.monotonic(), self.path))
                behave = choose(body) if choose else script.pop(0) if len(script) > 1 else script[0]
            with contextlib.suppress(ConnectionError):
                behave(self)

        def log_message(self, *_: Any) -> None:
            """Stay silent."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

        def handle_error(self, *_: Any) -> None:
            """Stay silent."""

    server = Server(("127.0.0.1", 0), Handler)
    seen = FaultServer(url=f"http://127.0.0.1:{server.server_address[1]}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answer(status: int, body: bytes, *, content_type: str = "application/json", **headers: str) -> Behaviour:
    """Send a whole answer."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("content-type", content_type)
        handler.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def completion(text: Any, *, finish_reason: str = "stop", **more: Any) -> dict[str, Any]:
    """Return a chat completion as JSON."""
    message = {"role": "assistant", "content": text, **more}
    choice = {"index": 0, "finish_reason": finish_reason, "message": message}
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    return {"id": "c-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def chat(text: Any, **more: Any) -> Behaviour:
    """Answer as a chat endpoint does."""
    return answer(200, json.dumps(completion(text, **more)).encode())


def stream_of(value: dict[str, Any]) -> str:
    """Turn a completion into the stream of server-sent events that says the same, a few characters at a time."""
    (choice,) = value["choices"]
    message = dict(choice["message"])
    content, calls = message.pop("content") or "", message.pop("tool_calls", [])
    deltas: list[dict[str, Any]] = [{**message}]
    deltas += [{"content": content[at : at + 4]} for at in range(0, len(content), 4)]
    for number, call in enumerate(calls):
        arguments = call["function"]["arguments"]
        deltas += [{"tool_calls": [{**call, "index": number, "function": {"name": call["function"]["name"]}}]}]
        deltas += [
            {"tool_calls": [{"index": number, "function": {"arguments": arguments[at : at + 4]}}]}
            for at in range(0, len(arguments), 4)
        ]
    chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks += [{"choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]}]
    chunks += [{"choices": [], "usage": value["usage"]}]
    head = {"id": value["id"], "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return "".join(f"data: {json.dumps(head | chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


def stream(text: str, cut: int | None = None) -> Behaviour:
    """Answer with a stream, as far as a number of bytes."""
    return answer(200, text.encode()[:cut], content_type="text/event-stream")


def refuse(status: int, message: str, *, code: str | None = None, **headers: str) -> Behaviour:
    """Refuse as OpenAI does."""
    return answer(
        status, json.dumps({"error": {"message": message, "code": code, "type": "error", "param": None}}).encode(), **headers
    )


def echo_key(handler: BaseHTTPRequestHandler) -> None:
    """Answer with the key that was sent."""
    chat(json.dumps({"key": handler.headers.get("authorization", "")}))(handler)


def cut_short(handler: BaseHTTPRequestHandler) -> None:
    """Promise more bytes than are sent."""
    body = json.dumps(completion("half")).encode()
    handler.send_response(200)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    handler.close_connection = True


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection without a word."""
    handler.close_connection = True
    handler.connection.close()


def hang(handler: BaseHTTPRequestHandler) -> None:
    """Say nothing for long."""
    time.sleep(2.0)


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Send one byte at a time, each within any read timeout, without end."""
    handler.send_response(200)
    handler.send_header("content-length", "100000")
    handler.end_headers()
    for _ in range(60):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Reset the connection."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


def raw(data: bytes) -> Behaviour:
    """Send bytes as they are and hang up."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(data)
        handler.close_connection = True

    return behave


def whole(**changes: Any) -> Behaviour:
    """Answer with a completion some fields of which are replaced; None removes one."""
    value = {name: item for name, item in {**completion("{}"), **changes}.items() if item is not None}
    return answer(200, json.dumps(value).encode())


FAULTS: dict[str, Behaviour] = {
    "429 with retry-after": refuse(429, "slow down", retry_after="0.05"),
    "429 without retry-after": refuse(429, "slow down"),
    "429 with nonsense": refuse(429, "slow down", retry_after="soon"),
    "503 with retry-after": refuse(503, "overloaded", retry_after="0.05"),
    "500": refuse(500, "oops"),
    "502 html": answer(502, b"<html>bad gateway</html>", content_type="text/html"),
    "529": refuse(529, "overloaded"),
    "408": refuse(408, "too slow"),
    "timeout": hang,
    "slow drip": drip,
    "reset": reset,
    "hung up": hang_up,
    "cut short": cut_short,
    "html page": answer(200, b"<html><body>Please log in</body></html>", content_type="text/html"),
    "empty 200": answer(200, b""),
    "blank 200": answer(200, b"  \n"),
    "garbage bytes": answer(200, bytes(range(256)) * 8),
    "garbage in gzip": answer(200, b"\x1f\x8b" + bytes(range(64)), content_encoding="gzip"),
    "no http": raw(b"\x00\xff220 smtp ready\r\n\r\n"),
    "bad status line": raw(b"HTTP/1.1 two hundred OK\r\n\r\n{}"),
    "bad length": raw(b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n{}"),
    "bad chunks": raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}"),
    "null": answer(200, b"null"),
    "a list": answer(200, b"[1, 2]"),
    "no choices": whole(choices=None),
    "empty choices": whole(choices=[]),
    "no message": whole(choices=[{}]),
    "content is a number": answer(200, json.dumps(completion(12)).encode()),
    "tool calls are a text": chat("{}", tool_calls="x"),
    "not a number": answer(200, b'{"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": NaN}}'),
    "deep": answer(200, b"[" * 100_000),
    "wrong schema": chat('{"name": "Tea"}'),
    "no json": chat("I would call it Tea."),
    "json cut": chat('{"title": "Te'),
    "no text": chat(""),
    "finish reason length": chat('{"title": "Te', finish_reason="length"),
    "cut while reasoning": chat("<think>It may be", finish_reason="length"),
    "finish reason content_filter": chat("", finish_reason="content_filter"),
    "refusal": chat(None, refusal="I cannot"),
    "too long": refuse(400, "This model's maximum context length is 10 tokens", code="context_length_exceeded"),
    "413": refuse(413, "too much"),
    "stream with an error": stream('data: {"error": {"message": "overloaded"}}\n\n'),
    "stream of garbage": stream("data: {]\n\n"),
    "stream cut": stream(stream_of(completion('{"title": "Tea"}')), 500),
    "stream without an end": stream('data: {"choices": [{"index": 0, "delta": {"content": "{}"}}]}\n\ndata: [DONE]\n\n'),
}
"""Everything that is no usable reply, by name."""

_TEA = {"role": "assistant", "content": '{"title": "Tea"}'}
ODD_REPLIES: dict[str, Behaviour] = {
    "duplicate choices": whole(choices=[{"index": 0, "finish_reason": "stop", "message": _TEA}] * 2),
    "usage missing": whole(choices=[{"index": 0, "finish_reason": "stop", "message": _TEA}], usage=None),
    "usage is nonsense": whole(choices=[{"index": 0, "finish_reason": "stop", "message": _TEA}], usage=["x"]),
    "finish reason missing": whole(choices=[{"message": _TEA}]),
    "reasoning in the text": chat('<think>Hm.</think>{"title": "Tea"}'),
    "text in parts": chat([{"type": "text", "text": '{"title": '}, {"type": "text", "text": '"Tea"}'}]),
    "a stream": stream(stream_of(completion('{"title": "Tea"}'))),
    "a stream without usage": stream(
        stream_of(completion('{"title": "Tea"}')).replace('"choices": [], "usage"', '"choices": [], "used"')
    ),
}
"""Odd, but usable: all of them say the title Tea."""
