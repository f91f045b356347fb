"""Atomic, durable file writes under one root, local or remote (any fsspec URL).

Local files are written under a temporary name, fsynced and renamed, and their folder is fsynced. Object stores publish
an object only when its upload is complete, which gives the same promise.
"""

import os
import shutil
import uuid
from pathlib import Path

import fsspec

from curation.errors import StoreFullError


class FileSystem:
    """Reads and writes below one root. Paths are relative, with forward slashes."""

    def __init__(self, url: str) -> None:
        filesystem, root = fsspec.core.url_to_fs(url)
        self._remote = filesystem
        self._root = root.rstrip("/")
        self.is_local = "file" in (filesystem.protocol if isinstance(filesystem.protocol, tuple) else (filesystem.protocol,))

    def _path(self, path: str) -> str:
        return f"{self._root}/{path}"

    def exists(self, path: str) -> bool:
        """Tell whether a file or folder is there."""
        return os.path.exists(self._path(path)) if self.is_local else bool(self._remote.exists(self._path(path)))

    def local_path(self, path: str) -> Path:
        """Return where a file lies on this machine; only for a local root (`is_local`)."""
        assert self.is_local, "a remote file has no local path"
        return Path(self._path(path))

    def read_bytes(self, path: str) -> bytes:
        """Return a whole file. Raises OSError if it cannot be read."""
        if self.is_local:
            return Path(self._path(path)).read_bytes()
        return bytes(self._remote.cat_file(self._path(path)))

    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a whole file so that readers see either the old content, none, or all of the new one.

        Raises:
            StoreFullError: if the write is refused; the temporary file is removed.
        """
        try:
            if self.is_local:
                write_atomically(Path(self._path(path)), data)
            else:
                self._remote.pipe_file(self._path(path), data)
        except OSError as error:
            raise StoreFullError(path=self._path(path), reason=error.strerror or str(error)) from error

    def find(self, path: str, suffix: str) -> list[str]:
        """Return the relative paths of all files below a folder whose name ends in `suffix`, sorted."""
        full = self._path(path)
        if not self._remote.exists(full):
            return []
        return sorted(str(name)[len(self._root) + 1 :] for name in self._remote.find(full) if str(name).endswith(suffix))

    def remove(self, path: str) -> None:
        """Delete a file or a folder with all that is in it."""
        self._remote.rm(self._path(path), recursive=True)

    def put_folder(self, source: Path, path: str) -> None:
        """Copy a local folder to `path`; it appears there at once and whole. Raises StoreFullError."""
        target = self._path(path)
        try:
            if self.is_local:
                _copy_folder(source, Path(target))
            else:
                self._remote.put(f"{source}/", target, recursive=True)
        except OSError as error:
            raise StoreFullError(path=target, reason=error.strerror or str(error)) from error

    def get_folder(self, path: str, cache: Path) -> Path:
        """Return a local path of a folder; a remote one is copied to `cache` once."""
        if self.is_local:
            return Path(self._path(path))
        if not cache.exists():
            part = cache.with_name(f"{cache.name}.{uuid.uuid4().hex}.part")
            part.mkdir(parents=True)
            self._remote.get(f"{self._path(path)}/", f"{part}/", recursive=True)
            part.rename(cache)
        return cache


def write_atomically(path: Path, data: bytes) -> None:
    """Write a local file by temporary name, fsync and rename. Raises OSError; leaves no temporary file behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make renames inside a folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Make a folder durable with every file and folder below it."""
    for path in (*folder.rglob("*"), folder):
        sync_folder(path)


def replace_folder(part: Path, folder: Path) -> None:
    """Put a finished folder where another may be, durably; between two renames there is none, never half of one.

    Raises:
        OSError: if it cannot be put there; the one before is back in its place.
    """
    sync_tree(part)
    old = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.old")
    if folder.exists():
        folder.rename(old)
    try:
        part.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _copy_folder(source: Path, target: Path) -> None:
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copytree(source, part)
        sync_tree(part)
        try:
            part.rename(target)
        except OSError:
            if not target.exists():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    sync_folder(target.parent)
