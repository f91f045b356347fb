r""".gz and .zst: the unpacked stream, which ends with a `Fault` where it grows beyond all measure or is damaged.

open_compressed("a.jsonl.gz", stream, Limits())     ("a.jsonl", stream of the unpacked bytes)
"""

import zlib
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from curation.ingest.readers.limits import Fault, Limits
from curation.ingest.readers.streams import CHUNK_BYTES, buffered

COMPRESSED_SUFFIXES = (".gz", ".zst")
_OUTPUT_BYTES = 4 * CHUNK_BYTES
_SLICE_BYTES = 4096
_MAX_WINDOW_BYTES = 128 * CHUNK_BYTES
"""What `zstd` writes without `--long=28` or more; a larger window is memory that a hostile file asks for."""


class Meter:
    """Counts what goes in and comes out of a decompressor, and refuses a bomb."""

    def __init__(self, limits: Limits, *, packed: int = 0) -> None:
        self.limits = limits
        self.packed = packed
        self.unpacked = 0

    def count(self, size: int) -> None:
        """Count output.

        Raises:
            Fault: `decompression_bomb` if there is too much of it, at all or for its input.
        """
        self.unpacked += size
        limits = self.limits
        if self.unpacked > limits.unpacked_bytes:
            raise Fault("decompression_bomb", f"It unpacks to more than {limits.unpacked_bytes:,} bytes.")
        allowed = max(limits.ratio_free_bytes, self.packed * limits.unpacked_ratio)
        if self.unpacked > allowed:
            raise Fault("decompression_bomb", f"It unpacks to more than {limits.unpacked_ratio} times its size.")


def open_compressed(name: str, stream: BinaryIO, limits: Limits) -> tuple[str, BinaryIO]:
    """Return the name without its suffix, and the unpacked stream. Its `read` raises `Fault` if the file is damaged."""
    path = PurePosixPath(name)
    chunks = _gzip_chunks if path.suffix.lower() == ".gz" else _zstd_chunks
    unpacked = _metered(stream, chunks, limits)
    return name[: -len(path.suffix)], buffered(lambda: next(unpacked, b""))


def _metered(stream: BinaryIO, chunks: Callable[[Callable[[], bytes]], Iterator[bytes]], limits: Limits) -> Iterator[bytes]:
    meter = Meter(limits)

    def read() -> bytes:
        chunk = stream.read(CHUNK_BYTES // 4)
        meter.packed += len(chunk)
        return chunk

    for chunk in chunks(read):
        meter.count(len(chunk))
        yield chunk


def _gzip_chunks(read: Callable[[], bytes]) -> Iterator[bytes]:
    """Unpack all members of a gzip stream; zero padding after one is allowed, as gzip does."""
    packed = read()
    while packed:
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        while not unpacker.eof:
            if not packed:
                raise Fault("damaged_file", "The gzip stream is cut off.")
            try:
                chunk = unpacker.decompress(packed, _OUTPUT_BYTES)
            except zlib.error as error:
                raise Fault("damaged_file", f"The gzip stream is damaged ({error}).") from error
            if chunk:
                yield chunk
            packed = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail or read()
        packed = packed.lstrip(b"\0")
        while not packed and (more := read()):
            packed = more.lstrip(b"\0")


def _zstd_chunks(read: Callable[[], bytes]) -> Iterator[bytes]:
    """Unpack all frames of a zstd stream, a small slice at a time: one may give 32,768 times its size at once."""
    import zstandard

    unpacker = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)
    packed = read()
    while packed:
        frame = unpacker.decompressobj()
        while not frame.eof:
            if not packed:
                raise Fault("damaged_file", "The zstd stream is cut off.")
            try:
                chunk = frame.decompress(packed[:_SLICE_BYTES])
            except zstandard.ZstdError as error:
                raise Fault("damaged_file", f"The zstd stream is damaged ({error}).") from error
            if chunk:
                yield chunk
            packed = frame.unused_data + packed[_SLICE_BYTES:] if frame.eof else packed[_SLICE_BYTES:] or read()
        packed = packed or read()
