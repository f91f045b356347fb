"""The file of an exported ledger: a first line that announces the rows, then the rows, compressed as the name says.

    {"format":"tunewright-ledger","num_bytes":812000,"num_calls":1001,"rows_hash":"9f...","version":1}

The header is a piece (a zstd frame, a gzip member) of its own, since it is known only when the rows are written.
"""

import contextlib
import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from curation.ids import DIGEST_BYTES
from curation.ingest.readers.compressed import COMPRESSED_SUFFIXES, open_compressed
from curation.ingest.readers.limits import Fault, Limits

FORMAT = "tunewright-ledger"
VERSION = 1
MAX_HEADER_BYTES = 10_000


SUFFIXES = (*COMPRESSED_SUFFIXES, ".jsonl")
"""Ends of names; all but the last are compressed."""


def write_file(header: dict[str, Any], rows: Path, part: Path, path: Path) -> None:
    """Put the header, packed for itself, before the packed rows: both formats allow several pieces in a row."""
    with part.open("wb") as file:
        with packed(file, path) as packer:
            packer.write(json.dumps(header, sort_keys=True).encode("ascii") + b"\n")
        with rows.open("rb") as packed_rows:
            shutil.copyfileobj(packed_rows, file, 1 << 20)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def packed(file: BinaryIO, path: Path) -> Iterator[BinaryIO]:
    """Compress what is written to a file, by the suffix of the name; the file stays open."""
    suffix = path.suffix.lower()
    if suffix == ".zst":
        import zstandard

        with zstandard.ZstdCompressor(level=6).stream_writer(file, closefd=False) as writer:
            yield cast(BinaryIO, writer)
    elif suffix == ".gz":
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=6) as packer:
            yield cast(BinaryIO, packer)
    else:
        yield file


def verify_file(path: Path, limits: Limits) -> None:
    """Read the whole file once. Raises Fault if it is not what its header says."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    num_lines = num_bytes = 0
    with open_lines(path, limits) as (header, stream):
        while chunk := stream.read(1 << 20):
            num_lines, num_bytes = num_lines + chunk.count(b"\n"), num_bytes + len(chunk)
            digest.update(chunk)
            if num_bytes > header["num_bytes"]:
                break
    found = {"num_calls": num_lines, "num_bytes": num_bytes, "rows_hash": digest.hexdigest()}
    if any(header[name] != value for name, value in found.items()):
        raise Fault("damaged_file", "its rows are not those that its first line announces; it was cut short or changed")


@contextlib.contextmanager
def open_lines(path: Path, limits: Limits) -> Iterator[tuple[dict[str, Any], BinaryIO]]:
    """Give the header and the stream of the rows."""
    with path.open("rb") as file:
        stream: BinaryIO = file
        if path.suffix.lower() in COMPRESSED_SUFFIXES:
            stream = open_compressed(path.name, file, limits)[1]
        yield _read_header(stream.readline(MAX_HEADER_BYTES)), stream


def _read_header(line: bytes) -> dict[str, Any]:
    try:
        header = json.loads(line)
        is_ours = header["format"] == FORMAT and type(header["version"]) is int
        is_sound = all(type(header[name]) is int for name in ("num_calls", "num_bytes")) and isinstance(
            header["rows_hash"], str
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        is_ours = is_sound = False
    if not (is_ours and is_sound):
        raise Fault("no_ledger", "it is no ledger file: its first line is not that of one")
    if header["version"] != VERSION:
        raise Fault("other_version", f"it has format version {header['version']}; this program reads version {VERSION}")
    return cast(dict[str, Any], header)


def iter_lines(stream: BinaryIO, max_bytes: int) -> Iterator[bytes]:
    """Yield the lines; one that is too long is cut, so that it is longer than allowed by one byte."""
    while line := stream.readline(max_bytes + 1):
        rest = line
        while len(rest) > max_bytes and not rest.endswith(b"\n"):
            rest = stream.readline(max_bytes + 1)
        yield line
