"""A chat endpoint that counts: what it was asked and what it answered stands in a file, so that nothing is paid twice unseen.

    with counting_server(folder) as server:
        server.url                          "http://127.0.0.1:43211/v1"
        server.count_asked()                Counter({"question 7": 1, ...})     every request that came in
        server.count_paid()                 Counter({"question 7": 1, ...})     every reply that went out

A line is written before a reply is sent. A request whose client is gone when its reply is ready gets none, and is not paid.
Every reply has a serial number, so that a stale one shows.
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from curation.ids import stable_fraction

SHORTEST_SECONDS, LONGEST_SECONDS = 0.02, 0.05


@dataclass(frozen=True)
class CountingServer:
    """Where the server listens, and what it wrote down."""

    url: str
    log: Path

    def count_asked(self) -> Counter[str]:
        """Return how often each last message came in."""
        return self._count("A")

    def count_paid(self) -> Counter[str]:
        """Return how often each last message was answered."""
        return self._count("P")

    def _count(self, kind: str) -> Counter[str]:
        lines = self.log.read_text().splitlines()
        return Counter(line[2:] for line in lines if line.startswith(kind))


@contextlib.contextmanager
def counting_server(folder: Path) -> Iterator[CountingServer]:
    """Serve from a process of its own."""
    log = folder / "server.log"
    command = [sys.executable, "-m", "benchmarks.counting_server", str(log)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield CountingServer(f"http://127.0.0.1:{int(process.stdout.readline())}/v1", log)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class _Endpoint:
    def __init__(self, log: Path) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._serial = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request after the other."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._answer(reader, writer):
                pass
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.partition("content-length:")[2].partition("\r\n")[0])
        body = json.loads(await reader.readexactly(length))
        name = str(body["messages"][-1]["content"]).replace("\n", " ")
        self._write("A", name)
        self._serial += 1
        serial = self._serial
        spread = stable_fraction(f"{name} {serial}", "delay")
        await asyncio.sleep(SHORTEST_SECONDS + spread * (LONGEST_SECONDS - SHORTEST_SECONDS))
        if reader.at_eof() or writer.is_closing():
            return False
        self._write("P", name)
        writer.write(_format_answer(f"reply {serial}"))
        await writer.drain()
        return True

    def _write(self, kind: str, name: str) -> None:
        os.write(self._log, f"{kind} {name}\n".encode())


def _format_answer(text: str) -> bytes:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    value = {"id": "c-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    body = json.dumps(value).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


async def _serve(log: Path) -> None:
    server = await asyncio.start_server(_Endpoint(log).serve, "127.0.0.1", 0, limit=1 << 20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    asyncio.run(_serve(parser.parse_args().log))


if __name__ == "__main__":
    main()
