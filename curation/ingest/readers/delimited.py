r"""CSV and TSV, row by row: a stray quote or a ragged line costs its own row, not the rest of the file.

find_delimiter("id;text\n1;a, b\n", "")                                 ";"
list(read_delimited(io.BytesIO(b"id,text\n1,a\n2\n"), ",", Limits()))
    [Row(number=1, values={"id": "1", "text": "a"}), BadRow(number=2, reason="ragged_row", ...)]
"""

import csv
import io
from collections import deque
from collections.abc import Iterator
from typing import Any, BinaryIO

from curation.ingest.decoding import decode_utf8
from curation.ingest.readers.limits import MEBIBYTE, Fault, Limits
from curation.ingest.rows import BadRow, Row, bad_row

MAX_FIELD_CHARS = 16 * MEBIBYTE
DELIMITERS = (",", ";", "\t", "|")
HEAD_ROWS = 50
CLEAR_SHARE = 0.9
"""Another delimiter than the expected one is taken if it cuts so many of the first rows as it cuts the header."""
REREAD_CHARS = 256 * MEBIBYTE
"""How much text behind unclosed quotes is read a second time in one file; beyond it, it is rejected with the row."""


def find_delimiter(head: str, expected: str) -> str:
    """Return what cuts the rows of a CSV file: `expected`, unless another one clearly does.

    Raises:
        Fault: `ambiguous_delimiter` if several others do.
    """
    shares = {mark: _share(head, mark) for mark in dict.fromkeys((expected, *DELIMITERS))}
    if shares[expected] >= 1 - CLEAR_SHARE:
        return expected
    clear = [mark for mark, share in shares.items() if share >= CLEAR_SHARE]
    if len(clear) > 1:
        listed = ", ".join(repr(mark) for mark in clear)
        raise Fault("ambiguous_delimiter", f"The cells may be cut by {listed}; declare `delimiter`.")
    return clear[0] if clear else expected


def _share(head: str, delimiter: str) -> float:
    """Return the share of the first rows with as many cells as the header; 0 if that has one only."""
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
    widths: list[int] = []
    try:
        for cells in reader:
            if cells:
                widths.append(len(cells))
            if len(widths) > HEAD_ROWS:
                break
    except csv.Error:
        pass
    if not widths or widths[0] < 2:
        return 0.0
    rows = widths[1:] or [widths[0]]
    return sum(width == widths[0] for width in rows) / len(rows)


class _Lines:
    """The lines of a text, with the current row's kept, so that reading can begin again behind its first."""

    def __init__(self, text: io.TextIOWrapper, limits: Limits) -> None:
        self._text = text
        self._limits = limits
        self._again: deque[str] = deque()
        self.row: list[str] = []
        self.number = 0
        """Number of the last line taken, from 1."""
        self.reread = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._text.readline(self._limits.row_bytes)
        if not line:
            raise StopIteration
        self.number += 1
        self.row.append(line)
        return line

    def go_back(self) -> bool:
        """Give back all lines of the row but the first; False if too much was given back in this file."""
        rest = self.row[1:]
        self.reread += sum(map(len, rest))
        if self.reread > REREAD_CHARS:
            return False
        self._again.extendleft(reversed(rest))
        self.number -= len(rest)
        del self.row[1:]
        return True


def read_delimited(stream: BinaryIO, delimiter: str, limits: Limits) -> Iterator[Row | BadRow]:
    """Yield the rows of a UTF-8 stream; empty lines are no rows.

    Raises:
        Fault: `invalid_header` if the first line does not name the columns, each once.
    """
    csv.field_size_limit(MAX_FIELD_CHARS)
    text = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline="")
    try:
        yield from _rows(_Lines(text, limits), delimiter, limits)
    finally:
        text.detach()  # the stream is the caller's to close


def _rows(lines: _Lines, delimiter: str, limits: Limits) -> Iterator[Row | BadRow]:
    header = _read_header(lines, delimiter)
    number = 0
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.row.clear()
        first = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            number += 1
            yield _unreadable(number, first, lines, str(error))
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            continue
        if cells:
            number += 1
            yield _row(number, first, header, cells, lines.row, limits)


def _unreadable(number: int, first: int, lines: _Lines, error: str) -> BadRow:
    """Reject a row whose quotes do not fit; its further lines are read as rows of their own, if that is affordable."""
    swallowed = "" if lines.go_back() else f" The {len(lines.row) - 1} lines behind it are rejected with it."
    return bad_row(number, "unreadable_row", f"Line {first}: {error}.{swallowed}", _raw(lines.row))


def _raw(lines: list[str]) -> bytes:
    return "".join(lines).encode("utf-8", "surrogateescape")


def _read_header(lines: _Lines, delimiter: str) -> list[str]:
    try:
        header: list[str] = [name.strip() for name in next(csv.reader(lines, delimiter=delimiter, strict=True), [])]
    except csv.Error as error:
        raise Fault("invalid_header", f"The header cannot be read: {error}.") from error
    if not any(header):
        raise Fault("invalid_header", "The file has no header line.")
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        raise Fault("invalid_header", f"The header names the column '{doubled[0]}' more than once.")
    if not isinstance(decode_utf8(_raw(header)), str):
        raise Fault("invalid_header", "The header is not UTF-8 text.")
    return header


def _row(number: int, line: int, header: list[str], cells: list[str], raw: list[str], limits: Limits) -> Row | BadRow:
    text: Any = decode_utf8(_raw(raw))
    if not isinstance(text, str):
        return bad_row(number, text.reason, f"Line {line}: {text.detail} (Offset within the row.)", _raw(raw))
    if len(cells) != len(header):
        return bad_row(number, "ragged_row", f"Line {line} has {len(cells)} cells, the header {len(header)}.", _raw(raw))
    if len(text) > limits.row_bytes:
        return bad_row(number, "row_too_large", f"Line {line}: the row has {len(text):,} characters.", _raw(raw))
    return Row(number, dict(zip(header, cells, strict=True)))
