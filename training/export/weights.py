"""Weight files as bytes: whole or not, of which numbers, and written again in files of at most 5 GB.

A safetensors file is 8 bytes of length, that much JSON (name -> dtype, shape, data_offsets), then the tensors. Nothing here
loads a tensor, so an export copies a model of any size and any data type in little memory, bit by bit.
"""

import json
import math
import shutil
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from curation.errors import ExportError

SHARD_BYTES = 5_000_000_000
LONGEST_HEADER = 100_000_000
WHOLE_TYPES = frozenset({"F64", "F32", "BF16", "F16", "I64", "I32", "BOOL"})
"""Data types of weights that nobody has quantised (integers are buffers, such as positions)."""


class Tensor(NamedTuple):
    """One tensor of a file, unread."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    start: int
    """First byte in the file."""
    size: int
    """Bytes."""


def list_weight_files(folder: Path, name: str) -> list[Path]:
    """Return the weight files of a model, every one whole and none quantised.

    Raises:
        ExportError: if there is none, one is damaged, or one holds quantised weights.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ExportError(name=name, reason="the model folder holds no safetensors weights")
    for tensor in list_tensors(files, name):
        if tensor.dtype not in WHOLE_TYPES:
            reason = f"'{tensor.name}' is stored as {tensor.dtype}; a model is merged and exported in the precision of its base"
            raise ExportError(name=name, reason=reason)
    return files


def list_tensors(files: Sequence[Path], name: str) -> list[Tensor]:
    """Return the tensors of weight files in the order of their names. Raises ExportError if a file is damaged."""
    tensors = [tensor for file in files for tensor in _read_tensors(file, name)]
    return sorted(tensors, key=lambda tensor: tensor.name)


def count_parameters(files: Sequence[Path], name: str) -> int:
    """Return how many numbers the weight files hold. Raises ExportError if a file is damaged."""
    return sum(math.prod(tensor.shape) for tensor in list_tensors(files, name))


def write_weights(files: Sequence[Path], out: Path, *, name: str, limit: int = SHARD_BYTES) -> list[Path]:
    """Write the tensors of weight files to a folder, in files of at most `limit` bytes of tensors, and return the files.

    Files that are small enough already are copied as they are, with their index.

    Raises:
        ExportError: if a file is damaged.
        OSError: if something cannot be written.
    """
    if all(file.stat().st_size <= limit for file in files):
        index = files[0].parent / "model.safetensors.index.json"
        return [Path(shutil.copyfile(file, out / file.name)) for file in [*files, *([index] if index.exists() else [])]]
    groups = _pack(list_tensors(files, name), limit)
    names = [f"model-{number + 1:05d}-of-{len(groups):05d}.safetensors" for number in range(len(groups))]
    for file_name, group in zip(names, groups, strict=True):
        _write_file(out / file_name, group)
    places = {tensor.name: file_name for file_name, group in zip(names, groups, strict=True) for tensor in group}
    total = sum(tensor.size for group in groups for tensor in group)
    index = out / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": places}, indent=2, sort_keys=True))
    return [out / file_name for file_name in names]


def _pack(tensors: list[Tensor], limit: int) -> list[list[Tensor]]:
    groups: list[list[Tensor]] = [[]]
    room = limit
    for tensor in tensors:
        if groups[-1] and tensor.size > room:
            groups.append([])
            room = limit
        groups[-1].append(tensor)
        room -= tensor.size
    return groups


def _write_file(path: Path, tensors: list[Tensor]) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in tensors:
        entry = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [end, end + tensor.size]}
        header[tensor.name] = entry
        end += tensor.size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors:
            _copy_bytes(tensor, out)


def _copy_bytes(tensor: Tensor, out: Any, chunk: int = 1 << 24) -> None:
    with tensor.file.open("rb") as source:
        source.seek(tensor.start)
        left = tensor.size
        while left:
            part = source.read(min(left, chunk))
            if not part:
                raise OSError(f"{tensor.file.name} became shorter while it was read")
            out.write(part)
            left -= len(part)


def _read_tensors(file: Path, name: str) -> list[Tensor]:
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(min(length, LONGEST_HEADER)))
        header.pop("__metadata__", None)
        tensors = [_describe(file, 8 + int(length), tensor, entry) for tensor, entry in header.items()]
        if tensors and file.stat().st_size == max(tensor.start + tensor.size for tensor in tensors):
            return tensors
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, struct.error):
        pass
    raise ExportError(name=name, reason=f"{file.name} is damaged")


def _describe(file: Path, offset: int, name: str, entry: dict[str, Any]) -> Tensor:
    start, end = entry["data_offsets"]
    if not 0 <= start <= end:
        raise ValueError("a tensor that ends before it starts")
    return Tensor(name, str(entry["dtype"]), tuple(entry["shape"]), file, offset + start, end - start)
