r"""Byte streams between a file and its reader: peeked, capped, copied to disk to be seekable, or turned into UTF-8.

head, stream = peek(stream, 1024)                 the first bytes, and a stream that still begins with them
to_utf8(stream, Encoding("utf-16", ...)).read()   the same text in UTF-8, without a byte order mark
"""

import codecs
import io
import tempfile
from collections.abc import Callable
from typing import IO, BinaryIO, cast

from curation.ingest.readers.encoding import Encoding
from curation.ingest.readers.limits import Fault

CHUNK_BYTES = 1024 * 1024
_MARK = "tunewright.mark"
_UTF8_BOM = codecs.BOM_UTF8


def _mark_bad_bytes(error: UnicodeError) -> tuple[str, int]:
    """Turn what cannot be decoded into a lone surrogate, whose bytes are no UTF-8: its row will be rejected."""
    if isinstance(error, UnicodeDecodeError):
        return "\udcff", error.end
    raise error


codecs.register_error(_MARK, _mark_bad_bytes)


class ReadOnlyStream(io.RawIOBase):
    """A stream made of a function that returns the next bytes, or none at the end."""

    def __init__(self, read_next: Callable[[], bytes], on_close: Callable[[], object] | None = None) -> None:
        self._read_next = read_next
        self._on_close = on_close
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return True: this is for reading."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer with what comes next; 0 means the end."""
        if not self._rest:
            self._rest = memoryview(self._read_next())
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        """Close what it reads from, too."""
        if not self.closed and self._on_close is not None:
            self._on_close()
        super().close()


def buffered(read_next: Callable[[], bytes], on_close: Callable[[], object] | None = None) -> BinaryIO:
    """Return a buffered stream over a function that returns the next bytes; it cannot seek."""
    return cast(BinaryIO, io.BufferedReader(ReadOnlyStream(read_next, on_close), CHUNK_BYTES))


def peek(stream: BinaryIO, size: int) -> tuple[bytes, BinaryIO]:
    """Return the first bytes of a stream, and a stream that begins with them."""
    head = read_exactly(stream, size)
    if stream.seekable():
        stream.seek(-len(head), io.SEEK_CUR)
        return head, stream
    chunks = iter((head,))
    return head, buffered(lambda: next(chunks, b"") or stream.read(CHUNK_BYTES))


def read_exactly(stream: BinaryIO, size: int) -> bytes:
    """Read so many bytes, fewer only at the end: a raw stream may give less at a time."""
    parts: list[bytes] = []
    missing = size
    while missing > 0 and (part := stream.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def read_whole(stream: BinaryIO, limit: int) -> bytes:
    """Read a whole document.

    Raises:
        Fault: `file_too_large` if it is longer than the limit.
    """
    data = read_exactly(stream, limit + 1)
    if len(data) > limit:
        raise Fault("file_too_large", f"The document has more than {limit:,} bytes; cut it into several.")
    return data


def to_disk(stream: BinaryIO, limit: int) -> IO[bytes]:
    """Copy a stream to a temporary file, which goes away when it is closed.

    Raises:
        Fault: `file_too_large` if it is longer than the limit.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        while chunk := stream.read(CHUNK_BYTES):
            file.write(chunk)
            if file.tell() > limit:
                detail = f"The file has more than {limit:,} bytes and cannot be read from its start alone."
                raise Fault("file_too_large", detail)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def to_utf8(stream: BinaryIO, encoding: Encoding) -> BinaryIO:
    """Return the text of a stream in UTF-8 without a byte order mark; what cannot be decoded spoils its row only."""
    if encoding.name == "utf-8":
        head, stream = peek(stream, len(_UTF8_BOM))
        if head == _UTF8_BOM:
            stream.read(len(_UTF8_BOM))
        return stream
    decoder = codecs.getincrementaldecoder(encoding.name)(_MARK)
    state = {"open": True, "start": True}

    def next_bytes() -> bytes:
        while state["open"]:
            chunk = stream.read(CHUNK_BYTES)
            state["open"] = bool(chunk)
            text = decoder.decode(chunk, final=not chunk)
            if text and state["start"]:
                state["start"], text = False, text.removeprefix("\ufeff")
            if text:
                return text.encode("utf-8", "surrogatepass")
        return b""

    return buffered(next_bytes)
