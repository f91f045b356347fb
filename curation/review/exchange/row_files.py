"""Writing rows to a file that appears at once and whole: JSON Lines, a JSON array, CSV or Parquet, one row at a time.

    with open_writer(Path("items.jsonl")) as writer:
        writer.add({"item": {...}, "state": "open"})

The suffix says the format. Half surrogates, which no file of text can hold, become U+FFFD. A CSV cell that a spreadsheet
might calculate gets an apostrophe in front (see `csv_cells`), and NUL, which readers of CSV take for a binary file, becomes
U+FFFD in it.
"""

import contextlib
import csv
import io
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from curation.files import sync_folder
from curation.review.errors import ReviewFileError
from curation.review.exchange.csv_cells import neutralise
from curation.review.payload import encodable, json_line

FORMATS = (".jsonl", ".json", ".csv", ".parquet")
GROUP_ROWS = 2_000
GROUP_CHARS = 16_000_000


class RowWriter(Protocol):
    """Takes rows one by one."""

    def add(self, row: dict[str, Any]) -> None:
        """Write one row."""
        ...

    def finish(self) -> None:
        """Write what is left."""
        ...


@contextlib.contextmanager
def open_writer(path: Path, *, columns: Sequence[str] = (), schema: pa.Schema | None = None) -> Iterator[RowWriter]:
    """Give a writer of the format that the suffix names; the file replaces an older one when the block ends without an error.

    Args:
        path: file to write.
        columns: of a CSV file, in order.
        schema: of a Parquet file.

    Raises:
        ReviewFileError: if the suffix names no format, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS or (suffix == ".csv" and not columns) or (suffix == ".parquet" and schema is None):
        raise ReviewFileError(path=path, reason=f"this shape is not written as '{suffix}'; take one of {', '.join(FORMATS)}")
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            writer = _writer(suffix, file, columns, schema)
            yield writer
            writer.finish()
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise ReviewFileError(path=path, reason=error.strerror or str(error)) from error
    finally:
        part.unlink(missing_ok=True)


def _writer(suffix: str, file: Any, columns: Sequence[str], schema: pa.Schema | None) -> RowWriter:
    if suffix == ".parquet":
        assert schema is not None
        return _ParquetWriter(file, schema)
    if suffix == ".csv":
        return _CsvWriter(file, columns)
    return _JsonWriter(file, is_array=suffix == ".json")


class _JsonWriter:
    def __init__(self, file: Any, *, is_array: bool) -> None:
        self._file, self._is_array, self._num = file, is_array, 0

    def add(self, row: dict[str, Any]) -> None:
        if self._is_array:
            self._file.write(b"[\n" if not self._num else b",\n")
            self._file.write(json_line(row)[:-1])
        else:
            self._file.write(json_line(row))
        self._num += 1

    def finish(self) -> None:
        if self._is_array:
            self._file.write(b"\n]\n" if self._num else b"[]\n")


class _CsvWriter:
    def __init__(self, file: Any, columns: Sequence[str]) -> None:
        self._file, self._columns = file, columns
        self._text = io.StringIO(newline="")
        self._csv = csv.writer(self._text, quoting=csv.QUOTE_ALL)
        self._write(columns)

    def add(self, row: dict[str, Any]) -> None:
        self._write([row.get(name, "") for name in self._columns])

    def _write(self, cells: Sequence[Any]) -> None:
        self._csv.writerow([neutralise(cell) if isinstance(cell, str) else cell for cell in cells])
        self._file.write(encodable(self._text.getvalue()).replace("\0", "\ufffd").encode())
        self._text.seek(0)
        self._text.truncate()

    def finish(self) -> None:
        pass


class _ParquetWriter:
    """Writes a row group as soon as enough rows, or enough text, has come together."""

    def __init__(self, file: Any, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(file, schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []
        self._num_chars = 0

    def add(self, row: dict[str, Any]) -> None:
        text = json.dumps(row, ensure_ascii=False)
        self._rows.append(row if text.isascii() else json.loads(encodable(text)))
        self._num_chars += len(text)
        if len(self._rows) >= GROUP_ROWS or self._num_chars >= GROUP_CHARS:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows, self._num_chars = [], 0

    def finish(self) -> None:
        self._flush()
        self._writer.close()
