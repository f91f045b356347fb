r"""The files inside a file: .gz, .zst and .zip are taken off, layer by layer, at most two.

for file in unwrap("faq.zip", stream, Limits()):
    file.name, file.inner_name      "faq.zip!/a.jsonl.gz", "faq.zip!/a.jsonl"
"""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO, NamedTuple

from curation.ingest.readers.archive import open_archive
from curation.ingest.readers.compressed import COMPRESSED_SUFFIXES, open_compressed
from curation.ingest.readers.limits import Fault, Limits
from curation.ingest.readers.opening import unreadable

ARCHIVE_SUFFIX = ".zip"


class InnerFile(NamedTuple):
    """One plain file: its name, its name without the suffix of a compression, and its stream or why it has none."""

    name: str
    inner_name: str
    stream: BinaryIO | None
    problem: Fault | None = None


def unwrap(name: str, stream: BinaryIO, limits: Limits) -> Iterator[InnerFile]:
    """Yield the plain files in a file: itself, unless it is compressed or an archive. Never raises for what is in it."""
    yield from _unwrap(name, name, stream, limits, 0)


def _unwrap(name: str, inner_name: str, stream: BinaryIO, limits: Limits, depth: int) -> Iterator[InnerFile]:
    suffix = PurePosixPath(inner_name).suffix.lower()
    if suffix not in (*COMPRESSED_SUFFIXES, ARCHIVE_SUFFIX):
        yield InnerFile(name, inner_name, stream)
    elif depth >= limits.wrappers:
        detail = f"It is packed more than {limits.wrappers} times; unpack it first."
        yield InnerFile(name, inner_name, None, Fault("nested_archive", detail))
    elif suffix == ARCHIVE_SUFFIX:
        yield from _members(name, stream, limits, depth)
    else:
        inner_name, unpacked = open_compressed(inner_name, stream, limits)
        yield from _unwrap(name, inner_name, unpacked, limits, depth + 1)


def _members(name: str, stream: BinaryIO, limits: Limits, depth: int) -> Iterator[InnerFile]:
    found = 0
    try:
        for member in open_archive(name, stream, limits):
            found += 1
            if member.stream is None:
                yield InnerFile(member.name, member.name, None, member.problem)
            else:
                yield from _unwrap(member.name, member.name, member.stream, limits, depth + 1)
    except Fault as fault:
        yield InnerFile(name, name, None, fault)
        return
    except Exception as error:
        yield InnerFile(name, name, None, unreadable(error))
        return
    if not found:
        yield InnerFile(name, name, None, Fault("empty_text", "The archive holds no file."))
