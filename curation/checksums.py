"""The SHA-256 of every file of a folder that is handed on, as `sha256sum -c` reads it.

write_sums(folder)              SHA256SUMS: one line a file, "9f86d0...  adapter/adapter_config.json"
find_changed(folder)            "" or what differs: "model.safetensors was changed"
add_sums(folder, "more.json")   signs one more file; the others keep the lines that they have
"""

import hashlib
import re
from pathlib import Path, PurePosixPath

from curation.files import write_atomically

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def write_sums(folder: Path) -> Path:
    """Write the SHA-256 of every file below a folder, and return the file. Raises OSError."""
    return _write(folder, {name: hash_file(folder / name) for name in _list_files(folder)})


def add_sums(folder: Path, *names: str) -> Path:
    """Sign more files of a folder that is signed already, and return the file.

    Raises:
        OSError: if a file cannot be read.
        ValueError: if the folder is not signed, or the list is damaged.
    """
    return _write(folder, read_sums(folder) | {name: hash_file(folder / name) for name in names})


def read_sums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file, by its path in the folder.

    Raises:
        ValueError: if there is no list, a line cannot be read, or a path leads out of the folder.
    """
    try:
        lines = (folder / SUMS).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{SUMS} cannot be read ({type(error).__name__})") from error
    sums: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        found = _LINE.fullmatch(line)
        if found is None or found[2] in sums:
            raise ValueError(f"line {number} of {SUMS} cannot be read")
        path = PurePosixPath(found[2])
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"line {number} of {SUMS} leads out of the folder")
        sums[found[2]] = found[1]
    return sums


def find_changed(folder: Path) -> str:
    """Return the first file that is missing, changed or unsigned, as a sentence without a full stop; empty if all is well."""
    try:
        sums = read_sums(folder)
    except ValueError as error:
        return str(error)
    there = set(_list_files(folder))
    for name, digest in sorted(sums.items()):
        if name not in there:
            return f"{name} is missing"
        if hash_file(folder / name) != digest:
            return f"{name} was changed"
    unsigned = sorted(there - sums.keys())
    return f"{unsigned[0]} was added" if unsigned else ""


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, read piece by piece. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _list_files(folder: Path) -> list[str]:
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in files if name != SUMS)


def _write(folder: Path, sums: dict[str, str]) -> Path:
    write_atomically(folder / SUMS, "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode())
    return folder / SUMS
