r"""Rows of JSONL, CSV and Parquet files, one by one; what cannot be read is a `BadRow`, and the others are still read.

list(read_rows("faq.jsonl", b'{"id": 1}\n{oops\n'))
    [Row(number=1, values={"id": 1}), BadRow(number=2, reason="invalid_json", detail="Line 2: Expecting ...", ...)]
"""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from curation.ids import hash_bytes
from curation.ingest.decoding import decode_utf8, find_binary, strip_bom
from curation.ingest.text import excerpt_of

MAX_FIELD_CHARS = 16 * 1024 * 1024
HEAD_BYTES = 1024
"""A NUL byte this early means that the whole file is binary; later ones spoil their row only."""
ROW_SUFFIXES = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")


class Row(NamedTuple):
    """One readable row; `number` counts lines in JSONL and rows (header left out) elsewhere, from 1."""

    number: int
    values: dict[str, Any]


class BadRow(NamedTuple):
    """A row, or with number 0 the whole file, that cannot be read."""

    number: int
    reason: str
    detail: str
    raw_hash: str
    excerpt: str


def read_rows(name: str, data: bytes) -> Iterator[Row | BadRow]:
    """Yield the rows of a file whose name ends in one of ROW_SUFFIXES."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ".parquet":
        return _read_parquet(data)
    wrong = find_binary(data[:HEAD_BYTES])
    if wrong is not None:
        return iter([_bad(0, wrong.reason, wrong.detail, data)])
    if suffix in (".csv", ".tsv"):
        return _read_csv(strip_bom(data), "\t" if suffix == ".tsv" else ",")
    return _read_jsonl(strip_bom(data))


def _bad(number: int, reason: str, detail: str, raw: bytes) -> BadRow:
    return BadRow(number, reason, detail, hash_bytes(raw), excerpt_of(raw[:2000].decode("utf-8", "replace")))


def _read_jsonl(data: bytes) -> Iterator[Row | BadRow]:
    if data.lstrip()[:1] == b"[":
        yield _bad(0, "invalid_json", "The file holds one JSON array; write one object a line.", data)
        return
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.strip():
            yield _parse_line(number, line)


def _parse_line(number: int, line: bytes) -> Row | BadRow:
    text = decode_utf8(line)
    if not isinstance(text, str):
        return _bad(number, text.reason, f"Line {number}: {text.detail}", line)
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        json.dumps(value)  # nested too deeply to be written again is too deep for every later stage
    except (ValueError, RecursionError) as error:
        return _bad(number, "invalid_json", f"Line {number}: {error}.", line)
    if not isinstance(value, dict):
        return _bad(number, "not_an_object", f"Line {number} holds a JSON {type(value).__name__}, not an object.", line)
    return Row(number, value)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _read_csv(data: bytes, delimiter: str) -> Iterator[Row | BadRow]:
    text = io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")
    csv.field_size_limit(MAX_FIELD_CHARS)
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    header = _read_header(reader)
    if isinstance(header, str):
        yield _bad(0, "invalid_header", header, data)
        return
    number = 0
    while True:
        number, line = number + 1, reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _bad(number, "unreadable_row", f"Line {line}: {error}.", b"")
            continue
        if cells:
            yield _csv_row(number, line, header, cells)
        else:
            number -= 1


def _read_header(reader: Any) -> list[str] | str:
    try:
        header: list[str] = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        return f"The header cannot be read: {error}."
    if not any(header):
        return "The file has no header line."
    doubled = sorted({name for name in header if header.count(name) > 1})
    return f"The header names the column '{doubled[0]}' more than once." if doubled else header


def _csv_row(number: int, line: int, header: list[str], cells: list[str]) -> Row | BadRow:
    raw = ",".join(cells).encode("utf-8", "surrogateescape")
    text = decode_utf8(raw)
    if not isinstance(text, str):
        return _bad(number, text.reason, f"Line {line}: {text.detail} (Offset within the row.)", raw)
    if len(cells) != len(header):
        return _bad(number, "ragged_row", f"Line {line} has {len(cells)} cells, the header {len(header)}.", raw)
    return Row(number, dict(zip(header, cells, strict=True)))


def _read_parquet(data: bytes) -> Iterator[Row | BadRow]:
    number = 0
    try:
        with pq.ParquetFile(pa.BufferReader(data)) as file:
            for batch in file.iter_batches(batch_size=1024):
                yield from _batch_rows(number, batch)
                number += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        reason = "damaged_file" if number else "not_parquet"
        yield _bad(0, reason, f"Reading the Parquet file failed after row {number}: {' '.join(str(error).split())[:300]}", data)


def _batch_rows(before: int, batch: pa.RecordBatch) -> Iterator[Row | BadRow]:
    try:
        values = batch.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException):  # some cell: read one by one to keep the others
        for index in range(batch.num_rows):
            yield _parquet_row(before + index + 1, batch.slice(index, 1))
        return
    yield from (Row(before + index, row) for index, row in enumerate(values, start=1))


def _parquet_row(number: int, row: pa.RecordBatch) -> Row | BadRow:
    try:
        return Row(number, row.to_pylist()[0])
    except (ValueError, OverflowError, pa.ArrowException) as error:
        return _bad(number, "unreadable_row", f"Row {number}: {error}.", b"")
