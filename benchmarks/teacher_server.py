"""A chat endpoint on this machine for benchmarks, in a process of its own: quick, with a latency and, if told, a cap.

    with teacher_server(latency_s=0.05, cap="window:100") as server:
        server.url                       "http://127.0.0.1:43211/v1"
        server.stats()                   {"ok": 5000, "limited": 21, "most_in_flight": 100, "seconds": 50.3}

The cap is not disclosed in any header. `window:100` lets 100 requests through in each second of the clock, `sliding:100` in any
second, `bucket:100:10` 100 a second with a burst of 10. What is over it gets 429 after the same latency.
"""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

CONTENT = "Paris is the capital of France, and has been since the tenth century."
REPLY = {
    "id": "c-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "system_fingerprint": "fp_1",
    "choices": [{"index": 0, "finish_reason": "stop", "logprobs": None, "message": {"role": "assistant", "content": CONTENT}}],
    "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
}
BODY = json.dumps(REPLY).encode()


def make_cap(text: str) -> Callable[[float], bool]:
    """Return a function that tells whether a request at a moment is let through."""
    kind, *numbers = text.split(":")
    rate = float(numbers[0]) if numbers else 0.0
    if kind == "none":
        return lambda now: True
    if kind == "window":
        return _window(rate)
    return _sliding(rate) if kind == "sliding" else _bucket(rate, float(numbers[1]))


def _window(rate: float) -> Callable[[float], bool]:
    second, used = -1, 0

    def allow(now: float) -> bool:
        nonlocal second, used
        if int(now) != second:
            second, used = int(now), 0
        used += 1
        return used <= rate

    return allow


def _sliding(rate: float) -> Callable[[float], bool]:
    passed: deque[float] = deque()

    def allow(now: float) -> bool:
        while passed and passed[0] <= now - 1:
            passed.popleft()
        if len(passed) >= rate:
            return False
        passed.append(now)
        return True

    return allow


def _bucket(rate: float, burst: float) -> Callable[[float], bool]:
    level, at = burst, 0.0

    def allow(now: float) -> bool:
        nonlocal level, at
        level, at = min(burst, level + (now - at) * rate), now
        if level < 1:
            return False
        level -= 1
        return True

    return allow


@dataclass
class Tally:
    """What the server saw."""

    ok: int = 0
    limited: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    first: float = 0.0
    last: float = 0.0


class ChatProtocol(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as much of it as chat clients use."""

    def __init__(self, latency_s: float, allow: Callable[[float], bool], tally: Tally) -> None:
        self._latency_s, self._allow, self._tally = latency_s, allow, tally
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note of the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every whole request in what has arrived."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        if head.startswith(b"get /stats"):
            seconds = self._tally.last - self._tally.first
            self._send(200, json.dumps({**vars(self._tally), "seconds": seconds}).encode())
        elif head.startswith(b"get"):
            self._send(200, b'{"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "us"}]}')
        else:
            self._take(time.time())

    def _take(self, now: float) -> None:
        tally = self._tally
        tally.first = tally.first or now
        tally.in_flight += 1
        tally.most_in_flight = max(tally.most_in_flight, tally.in_flight)
        asyncio.get_running_loop().call_later(self._latency_s, self._reply, self._allow(now))

    def _reply(self, is_allowed: bool) -> None:
        tally = self._tally
        tally.in_flight -= 1
        tally.last = time.time()
        if is_allowed:
            tally.ok += 1
            self._send(200, BODY)
        else:
            tally.limited += 1
            self._send(429, b'{"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}}')

    def _send(self, status: int, body: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        reason = "OK" if status == 200 else "Too Many Requests"
        head = f"HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


@dataclass(frozen=True)
class TeacherServer:
    """A server that runs."""

    url: str

    def stats(self) -> dict[str, Any]:
        """Return what it saw."""
        with urllib.request.urlopen(self.url.removesuffix("/v1") + "/stats", timeout=10) as answer:
            seen: dict[str, Any] = json.load(answer)
        return seen


@contextlib.contextmanager
def teacher_server(*, latency_s: float = 0.05, cap: str = "none") -> Iterator[TeacherServer]:
    """Run a server in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.teacher_server", "--latency", str(latency_s), "--cap", cap]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        yield TeacherServer(url=child.stdout.readline().strip())
    finally:
        child.kill()
        child.wait()


async def _serve(latency_s: float, cap: str) -> None:
    allow, tally = make_cap(cap), Tally()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ChatProtocol(latency_s, allow, tally), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--cap", default="none")
    given = parser.parse_args()
    asyncio.run(_serve(given.latency, given.cap))
