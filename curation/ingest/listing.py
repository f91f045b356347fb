"""The files of a source, local or remote, each with a fingerprint that changes when its content does.

listing = list_files(SourceConfig(name="handbook", kind="files", path="docs/**/*.md"))
[(file.name, file.fingerprint) for file in listing.files]     [("guide/start.md", "9f..."), ...]
"""

import functools
import hashlib
import io
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from curation.errors import SourceNotFoundError, SourceUnreadableError
from curation.ids import DIGEST_BYTES, content_hash
from curation.ingest.config import SourceConfig
from curation.ingest.readers.streams import buffered

BUFFER_BYTES = 1024 * 1024
MAGIC = "*?["
STAMPS = (
    "ETag", "etag", "Content-MD5", "Digest", "content_hash", "md5Hash", "generation", "LastModified", "Last-Modified",
    "last_modified", "mtime", "created",
)  # fmt: skip
"""What remote file systems report that changes with the content, best first."""
SETTLED_SECONDS = 2.0
"""A file that changed less than this ago is hashed again each time: clocks of file systems are coarse."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFile:
    """One file of a source. `name` is its path below the fixed part of the source's path and never holds the machine's."""

    path: str
    name: str
    fingerprint: str


class SourceFiles:
    """The files of a source and the file system that they are on."""

    def __init__(self, filesystem: Any, files: tuple[SourceFile, ...]) -> None:
        self._filesystem = filesystem
        self.files = files

    def open(self, file: SourceFile) -> BinaryIO:
        """Open a file for reading, buffered. Raises OSError if it cannot be opened, and whatever the driver likes."""
        if isinstance(self._filesystem, LocalFileSystem):
            return Path(file.path).open("rb", buffering=BUFFER_BYTES)
        if file.path.startswith(("http://", "https://")):  # not every web server can give parts of a file
            remote = self._filesystem.open(file.path, "rb", block_size=0)
            return buffered(lambda: bytes(remote.read(BUFFER_BYTES)), remote.close)
        return cast(BinaryIO, io.BufferedReader(self._filesystem.open(file.path, "rb"), BUFFER_BYTES))


def list_files(source: SourceConfig) -> SourceFiles:
    """List the files of a source, sorted by name.

    Raises:
        SourceNotFoundError: if nothing is there.
        SourceUnreadableError: if the file system cannot be reached.
    """
    try:
        filesystem, root = fsspec.core.url_to_fs(source.path)
        base, found = _expand(filesystem, root)
        files = (_source_file(filesystem, base, path, info) for path, info in found.items())
        listed = tuple(sorted(files, key=lambda file: file.name))
    except FileNotFoundError as error:
        raise SourceNotFoundError(source=source.name, path=source.path) from error
    except Exception as error:  # drivers raise what they like: missing extras, credentials, network
        raise SourceUnreadableError(source=source.name, path=source.path, reason=f"{type(error).__name__}: {error}") from error
    if not listed:
        raise SourceNotFoundError(source=source.name, path=source.path)
    return SourceFiles(filesystem, listed)


def _expand(filesystem: Any, root: str) -> tuple[str, dict[str, dict[str, Any]]]:
    """Return the fixed folder of a path or glob, and the information of each file by path; hidden ones only if asked for."""
    if any(mark in root for mark in MAGIC) and not filesystem.exists(root):
        first = min(root.find(mark) for mark in MAGIC if mark in root)
        base, found = root[:first].rpartition("/")[0], filesystem.glob(root, detail=True)
        hidden_too = _is_hidden(_name_below(base, root))
    elif filesystem.isdir(root):
        base, found = root.rstrip("/"), filesystem.find(root, detail=True)
        hidden_too = False
    else:
        base, found = root.rpartition("/")[0], {root: filesystem.info(root)}
        hidden_too = True
    shown = {path: info for path, info in found.items() if hidden_too or not _is_hidden(_name_below(base, path))}
    return base, {path: info for path, info in shown.items() if info.get("type") == "file"}


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(name).parts)


def _name_below(base: str, path: str) -> str:
    """Return the path of a file below a folder; bytes that are no UTF-8 are shown as escapes."""
    return path.removeprefix(base).lstrip("/").encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _source_file(filesystem: Any, base: str, path: str, info: dict[str, Any]) -> SourceFile:
    name = _name_below(base, path)
    stamp = next((str(info[key]) for key in STAMPS if info.get(key)), "")
    if isinstance(filesystem, LocalFileSystem):
        stamp = _local_hash(Path(path))
    elif not stamp:
        with filesystem.open(path, "rb", block_size=0 if path.startswith("http") else BUFFER_BYTES) as file:
            stamp = _hash_stream(file)
    return SourceFile(path=path, name=name, fingerprint=content_hash([name, info.get("size"), stamp]))


def _local_hash(path: Path) -> str:
    """Hash a local file by content, or say that it cannot be read: reading it later gives the rejection."""
    try:
        stat = path.stat()
        if time.time() - stat.st_mtime < SETTLED_SECONDS:
            return _hash_file(path)
        return _settled_hash(str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino)
    except OSError as error:
        return f"unreadable: {error.strerror}"


@functools.lru_cache(maxsize=65_536)
def _settled_hash(path: str, _size: int, _mtime_ns: int, _inode: int) -> str:
    return _hash_file(Path(path))


def _hash_file(path: Path) -> str:
    with path.open("rb", buffering=0) as file:
        return _hash_stream(file)


def _hash_stream(file: Any) -> str:
    state = hashlib.blake2b(digest_size=DIGEST_BYTES)
    while chunk := file.read(BUFFER_BYTES):
        state.update(chunk)
    return state.hexdigest()
