r"""The files in a .zip archive, each under the name `archive.zip!/member`; what is unsafe is named, not unpacked.

for member in open_archive("faq.zip", stream, Limits()):
    member.name, member.problem       "faq.zip!/a.jsonl", None
    member.name, member.problem       "faq.zip!/../x.md", Fault("unsafe_member_name", ...)
"""

import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, BinaryIO, NamedTuple

from curation.ingest.readers.compressed import Meter
from curation.ingest.readers.limits import Fault, Limits
from curation.ingest.readers.streams import CHUNK_BYTES, buffered, to_disk

MAX_NAME_CHARS = 400
_ENCRYPTED_FLAG = 0x1
_FAILURES = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError, ValueError)
"""What `zipfile` raises at damaged or unknown input (bzip2 and lzma errors are OSError and RuntimeError)."""


class Member(NamedTuple):
    """One file of an archive: either its stream, or why it is not read."""

    name: str
    stream: BinaryIO | None
    problem: Fault | None


def open_archive(name: str, stream: BinaryIO, limits: Limits) -> Iterator[Member]:
    """Yield the files of an archive, sorted by name; folders are no files. Read each stream before the next member is taken.

    Raises:
        Fault: if there is no archive to read, or if it has too many members.
    """
    seekable: IO[bytes] = stream if stream.seekable() else to_disk(stream, limits.spool_bytes)
    try:
        archive = _open(seekable, limits)
        files = sorted((info for info in archive.infolist() if not info.is_dir()), key=lambda info: info.orig_filename)
        if len(files) > limits.members:
            raise Fault("decompression_bomb", f"The archive has {len(files):,} files, more than {limits.members:,}.")
        meter = Meter(limits, packed=sum(info.compress_size for info in files))
        taken: set[str] = set()
        for info in files:
            yield _member(archive, info, name, taken, meter)
    finally:
        if seekable is not stream:
            seekable.close()


def _open(stream: IO[bytes], limits: Limits) -> zipfile.ZipFile:
    try:
        end = zipfile._EndRecData(stream)  # type: ignore[attr-defined]
        if end is not None and end[5] > limits.directory_bytes:  # its size: it would be read whole
            raise Fault("decompression_bomb", f"The table of contents of the archive has {end[5]:,} bytes.")
        return zipfile.ZipFile(stream)
    except _FAILURES as error:
        raise Fault("damaged_file", f"The file is no ZIP archive that can be read ({error}).") from error


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, taken: set[str], meter: Meter) -> Member:
    full = f"{name}!/{_shown(info.orig_filename)}"
    problem = _problem_of(info)
    if problem is None and info.filename in taken:
        problem = Fault("duplicate_member", "An earlier file of the archive has the same name.")
    taken.add(info.filename)
    if problem is not None:
        return Member(full, None, problem)
    chunks = _chunks(archive, info, meter)
    return Member(full, buffered(lambda: next(chunks, b"")), None)


def _problem_of(info: zipfile.ZipInfo) -> Fault | None:
    """Return why a member is not read: its name leads out of the archive, or it is no plain file."""
    shown = info.orig_filename
    parts = PurePosixPath(shown.replace("\\", "/")).parts
    leads_out = ".." in parts or parts[:1] == ("/",) or (parts and ":" in parts[0]) or "\0" in shown
    if leads_out or not parts or len(shown) > MAX_NAME_CHARS:
        return Fault("unsafe_member_name", "The name of the file leads out of the archive, or is none.")
    if stat.S_ISLNK(info.external_attr >> 16):
        return Fault("link_member", "It is a link, not a file.")
    if info.flag_bits & _ENCRYPTED_FLAG:
        return Fault("encrypted_file", "It is encrypted; unpack the archive with its password first.")
    return None


def _shown(name: str) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in name[:MAX_NAME_CHARS])


def _chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo, meter: Meter) -> Iterator[bytes]:
    try:
        with archive.open(info) as file:
            while chunk := file.read(CHUNK_BYTES):
                meter.count(len(chunk))
                yield chunk
    except Fault:
        raise
    except _FAILURES as error:
        raise Fault("damaged_file", f"The file cannot be unpacked ({error}).") from error
