r"""What parent and worker send each other: one JSON line, then as many raw bytes as it announces.

{"texts": ["How do I ...", ...]}\n                          to the worker
{"rows": 2, "dimension": 384, "bytes": 3072}\n              back, and the numbers as float32; or {"error": "..."}\n
"""

import json
import os
import select
import time
from typing import Any, BinaryIO

MAX_LINE_BYTES = 64 * 1024 * 1024
_PIECE = 1 << 20


class FrameReader:
    """Reads frames from a pipe, waiting a limited time for each."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = bytearray()

    def read(self, seconds: float) -> tuple[dict[str, Any], bytes]:
        """Return the next header and its bytes.

        Raises:
            EOFError: if the other side closed the pipe.
            TimeoutError: if it did not come in time.
            ValueError: if it is no frame.
        """
        deadline = time.monotonic() + seconds
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > MAX_LINE_BYTES:
                raise ValueError("a header without an end")
            self._fill(deadline)
        header = json.loads(bytes(self._buffer[:end]))
        del self._buffer[: end + 1]
        if not isinstance(header, dict):
            raise ValueError("a header that is no object")
        size = int(header.get("bytes", 0))
        while len(self._buffer) < size:
            self._fill(deadline)
        body = bytes(self._buffer[:size])
        del self._buffer[:size]
        return header, body

    def _fill(self, deadline: float) -> None:
        ready, _, _ = select.select([self._descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        piece = os.read(self._descriptor, _PIECE)
        if not piece:
            raise EOFError
        self._buffer += piece


def write_frame(pipe: BinaryIO, header: dict[str, Any], body: bytes = b"") -> None:
    """Write one frame and flush it. Raises BrokenPipeError if the other side is gone."""
    pipe.write(json.dumps(header | {"bytes": len(body)}).encode() + b"\n" + body)
    pipe.flush()
