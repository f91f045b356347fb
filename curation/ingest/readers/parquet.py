r"""Parquet, Arrow IPC files and streams (and Feather, which is an Arrow file), a small batch at a time.

next(read_parquet(stream, Limits()))      Row(number=1, values={"question": "Why?", "answer": "Because."})
next(read_arrow(stream, Limits()))        the same
"""

from collections.abc import Callable, Iterator
from typing import IO, Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from curation.ingest.readers.limits import MEBIBYTE, Fault, Limits
from curation.ingest.readers.streams import to_disk
from curation.ingest.rows import BadRow, Row, bad_row

BATCH_ROWS = 256
BATCH_BYTES = 8 * MEBIBYTE
ARROW_FILE_MAGIC = b"ARROW1"
FEATHER_V1_MAGIC = b"FEA1"
_FAILURES = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError, TypeError, KeyError)


def read_parquet(stream: BinaryIO, limits: Limits) -> Iterator[Row | BadRow]:
    """Yield the rows of a Parquet file, column chunks read through a buffer of 1 MiB.

    Raises:
        Fault: `not_parquet`, or `damaged_file` after the rows before the damage.
    """
    number = 0
    with _Seekable(stream, limits) as file:
        try:
            reader = pq.ParquetFile(file, buffer_size=MEBIBYTE, pre_buffer=False, page_checksum_verification=True)
            _check_names(reader.schema_arrow.names)
            for batch in reader.iter_batches(batch_size=_batch_rows(reader.metadata)):
                yield from _batch_rows_of(number, batch, limits)
                number += batch.num_rows
            lost = reader.metadata.num_rows - number
        except _FAILURES as error:
            reason = "damaged_file" if number else "not_parquet"
            raise Fault(reason, f"Reading the Parquet file failed after row {number}: {_one_line(error)}") from error
    if lost:
        raise Fault("damaged_file", f"The Parquet file says {number + lost} rows, but holds {number}.")


def read_arrow(stream: BinaryIO, limits: Limits) -> Iterator[Row | BadRow]:
    """Yield the rows of an Arrow IPC file or stream; batches stay on disk until they are needed, unless compressed.

    Raises:
        Fault: `not_arrow`, or `damaged_file` after the rows before the damage.
    """
    number = 0
    with _Seekable(stream, limits) as file:
        try:
            for batch in _arrow_batches(file):
                batch.validate(full=True)
                yield from _batch_rows_of(number, batch, limits)
                number += batch.num_rows
        except _FAILURES as error:
            reason = "damaged_file" if number else "not_arrow"
            raise Fault(reason, f"Reading the Arrow file failed after row {number}: {_one_line(error)}") from error


class _Seekable:
    """The stream as a file on disk if it has none, so that Arrow can seek in it and map it."""

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        self._stream = stream
        self._limits = limits
        self._copy: IO[bytes] | None = None

    def __enter__(self) -> IO[bytes]:
        if self._stream.seekable():
            return self._stream
        self._copy = to_disk(self._stream, self._limits.spool_bytes)
        return self._copy

    def __exit__(self, *_: object) -> None:
        if self._copy is not None:
            self._copy.close()


def _arrow_batches(file: IO[bytes]) -> Iterator[pa.RecordBatch]:
    magic = file.read(len(ARROW_FILE_MAGIC))
    file.seek(0)
    if magic.startswith(FEATHER_V1_MAGIC):
        raise Fault("not_arrow", "Feather version 1 is not read; write the file as Feather version 2 or Parquet.")
    source = _mapped(file)
    if magic == ARROW_FILE_MAGIC:
        reader = pa.ipc.open_file(source)
        _check_names(reader.schema.names)
        yield from (reader.get_batch(index) for index in range(reader.num_record_batches))
    else:
        stream = pa.ipc.open_stream(source)
        _check_names(stream.schema.names)
        yield from stream


def _mapped(file: IO[bytes]) -> Any:
    """Map a file of the local disk into memory, page by page as needed; others are read as they are."""
    try:
        return pa.memory_map(f"/proc/self/fd/{file.fileno()}")
    except (OSError, AttributeError, pa.ArrowException):
        return pa.PythonFile(file, mode="r")


def _check_names(names: list[str]) -> None:
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise Fault("invalid_header", f"The table names the column '{doubled[0]}' more than once.")


def _batch_rows(metadata: Any) -> int:
    """Return how many rows a batch may have, judging by the mean size of the widest row group."""
    groups = [metadata.row_group(index) for index in range(min(metadata.num_row_groups, 1000))]
    widest = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=1.0)
    return int(max(1, min(BATCH_ROWS, BATCH_BYTES / max(widest, 1.0))))


def _batch_rows_of(before: int, batch: pa.RecordBatch, limits: Limits) -> Iterator[Row | BadRow]:
    """Yield the rows of a batch in slices of a bounded size."""
    mean = batch.nbytes / max(batch.num_rows, 1)
    step = int(max(1, min(BATCH_ROWS, BATCH_BYTES / max(mean, 1.0))))
    for start in range(0, batch.num_rows, step):
        yield from _slice_rows(before + start, batch.slice(start, step), limits)


def _slice_rows(before: int, batch: pa.RecordBatch, limits: Limits) -> Iterator[Row | BadRow]:
    try:
        values = batch.to_pylist()
    except _FAILURES:  # some cell: read one by one to keep the others
        for index in range(batch.num_rows):
            row = batch.slice(index, 1)
            yield _one_row(before + index + 1, lambda row=row: row.to_pylist()[0], row.nbytes, limits)  # type: ignore[misc]
        return
    large = batch.nbytes > limits.row_bytes
    for index, value in enumerate(values):
        size = batch.slice(index, 1).nbytes if large else 0
        yield _one_row(before + index + 1, lambda value=value: value, size, limits)  # type: ignore[misc]


def _one_row(number: int, convert: Callable[[], dict[str, Any]], size: int, limits: Limits) -> Row | BadRow:
    if size > limits.row_bytes:
        return bad_row(number, "row_too_large", f"Row {number} has {size:,} bytes, more than {limits.row_bytes:,}.")
    try:
        return Row(number, convert())
    except _FAILURES as error:
        return bad_row(number, "unreadable_row", f"Row {number}: {_one_line(error)}.")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
