r"""The one seam of all readers: a name and a byte stream in, rows or a document out, and what was found out about the file.

rows = open_rows("faq.csv", stream, ReadOptions())
rows.format, rows.encoding.name          "csv", "utf-8"
next(rows)                               Row(number=1, values={"question": "Why?", "answer": "Because."})

Nothing but these values comes out, whatever is in the file: a damaged one ends with a `BadRow` whose number is 0.
"""

import codecs
import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import BinaryIO, cast

from curation.ingest.config import RECORD_FORMATS, FormatName
from curation.ingest.readers.delimited import find_delimiter, read_delimited
from curation.ingest.readers.encoding import Encoding, detect_encoding, looks_damaged, marked_encoding
from curation.ingest.readers.json_file import layout_of, read_json
from curation.ingest.readers.limits import Fault, Limits
from curation.ingest.readers.parquet import read_arrow, read_parquet
from curation.ingest.readers.streams import peek, to_disk, to_utf8
from curation.ingest.readers.xml_file import find_record_path, read_xml
from curation.ingest.rows import BadRow, Row, bad_row

FORMAT_OF_SUFFIX: dict[str, FormatName] = {
    ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv", ".tab": "tsv",
    ".parquet": "parquet", ".arrow": "arrow", ".arrows": "arrow", ".feather": "arrow", ".ipc": "arrow", ".xml": "xml",
    ".html": "html", ".htm": "html", ".xhtml": "html", ".md": "markdown", ".markdown": "markdown", ".mdx": "markdown",
    ".rst": "rst", ".txt": "text", ".text": "text", ".pdf": "pdf", ".docx": "docx",
}  # fmt: skip
BINARY_ENCODING = Encoding("", 1.0, "binary")
_XML_ENCODING = re.compile(rb"""^<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadOptions:
    """What a source declares about its files; empty means found out."""

    format: str = ""
    encoding: str = ""
    delimiter: str = ""
    record_path: str = ""
    limits: Limits = field(default_factory=Limits)


class RowStream:
    """The rows of a file, one by one, and what was found out about it: `format`, `encoding`, `layout`."""

    def __init__(self, format_name: str, encoding: Encoding, layout: str, rows: Iterator[Row | BadRow]) -> None:
        self.format = format_name
        self.encoding = encoding
        self.layout = layout
        """Further findings, such as the delimiter, or the element of a record."""
        self._rows = rows

    def __iter__(self) -> Iterator[Row | BadRow]:
        return self._rows

    def __next__(self) -> Row | BadRow:
        return next(self._rows)


def format_of(name: str, options: ReadOptions) -> str:
    """Return the format of a file: the declared one, or by its suffix; empty if that is not known."""
    return options.format or FORMAT_OF_SUFFIX.get(PurePosixPath(name).suffix.lower(), "")


def is_record_format(format_name: str) -> bool:
    """Tell whether a format holds rows rather than one document."""
    return format_name in RECORD_FORMATS


def open_rows(name: str, stream: BinaryIO, options: ReadOptions) -> RowStream:
    """Return the rows of a file of a record format. Never raises for what is in it, nor do the rows."""
    format_name = format_of(name, options)
    openers: dict[str, Callable[[BinaryIO, ReadOptions], RowStream]] = {
        "json": lambda stream, options: _open_json(stream, options, lines_expected=False),
        "jsonl": lambda stream, options: _open_json(stream, options, lines_expected=True),
        "csv": lambda stream, options: _open_delimited("csv", stream, options),
        "tsv": lambda stream, options: _open_delimited("tsv", stream, options),
        "parquet": lambda stream, options: RowStream("parquet", BINARY_ENCODING, "", read_parquet(stream, options.limits)),
        "arrow": lambda stream, options: RowStream("arrow", BINARY_ENCODING, "", read_arrow(stream, options.limits)),
        "xml": _open_xml,
    }
    try:
        opened = openers[format_name](stream, options)
    except Fault as fault:
        return RowStream(format_name, Encoding("", 0.0, "unknown"), "", iter([bad_row(0, fault.reason, fault.detail)]))
    except Exception as error:
        failed = bad_row(0, "unreadable_file", unreadable(error).detail)
        return RowStream(format_name, Encoding("", 0.0, "unknown"), "", iter([failed]))
    return RowStream(opened.format, opened.encoding, opened.layout, _guarded(iter(opened), opened.encoding.candidates))


def _guarded(rows: Iterator[Row | BadRow], candidates: tuple[str, ...]) -> Iterator[Row | BadRow]:
    """Turn what ends a file early into its last row. Parsers of other people raise what they like at hostile input."""
    try:
        for row in rows:
            if candidates and isinstance(row, BadRow) and row.reason == "not_utf8":
                row = row._replace(detail=f"{row.detail} The file may be {', '.join(candidates)}; declare `encoding`.")
            yield row
    except Fault as fault:
        yield bad_row(0, fault.reason, fault.detail)
    except Exception as error:
        yield bad_row(0, "unreadable_file", unreadable(error).detail)


def unreadable(error: Exception) -> Fault:
    """Describe an error that reading a file met: of the system, or of a parser."""
    text = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
    return Fault("unreadable_file", f"It cannot be read: {' '.join(str(text).split())[:300]}.")


def _open_json(stream: BinaryIO, options: ReadOptions, *, lines_expected: bool) -> RowStream:
    head, whole, stream = _look(stream, options)
    encoding = _row_encoding(head, whole, options)
    text = head if encoding.name == "utf-8" else head.decode(encoding.name, "replace").encode("utf-8", "surrogatepass")
    layout = layout_of(text.removeprefix(codecs.BOM_UTF8), whole=whole, lines_expected=lines_expected)
    copy = None
    if layout == "json_object" and not stream.seekable():
        copy = stream = cast(BinaryIO, to_disk(stream, options.limits.spool_bytes))
    start = stream.tell() if stream.seekable() else 0

    def reopen() -> BinaryIO:
        if stream.seekable():
            stream.seek(start)
        return to_utf8(stream, encoding)

    def rows() -> Iterator[Row | BadRow]:
        with copy or nullcontext():
            yield from read_json(reopen, layout, options.limits, options.record_path)

    where = f"records at '{options.record_path}'" if options.record_path and layout == "json_object" else ""
    return RowStream(layout, encoding, where, rows())


def _open_delimited(format_name: str, stream: BinaryIO, options: ReadOptions) -> RowStream:
    head, whole, stream = _look(stream, options)
    encoding = _row_encoding(head, whole, options)
    expected = options.delimiter or ("\t" if format_name == "tsv" else ",")
    text = head.decode(encoding.name, "replace").removeprefix("\ufeff")
    complete = text if whole else text.rpartition("\n")[0]
    delimiter = expected if options.delimiter or format_name == "tsv" else find_delimiter(complete, expected)
    rows = read_delimited(to_utf8(stream, encoding), delimiter, options.limits)
    return RowStream(format_name, encoding, f"cells cut by {delimiter!r}", rows)


def _open_xml(stream: BinaryIO, options: ReadOptions) -> RowStream:
    head, _, stream = _look(stream, options)
    declared = _XML_ENCODING.match(head.removeprefix(codecs.BOM_UTF8))
    name = options.encoding or (declared[1].decode().lower() if declared else marked_encoding(head) or "utf-8")
    path = options.record_path or find_record_path(head)
    rows = read_xml(stream, path, options.limits, options.encoding)
    how = "declared" if options.encoding or declared else "valid"
    return RowStream("xml", Encoding(name, 1.0, how), f"records at '{path}'" if path else "one record", rows)


def _look(stream: BinaryIO, options: ReadOptions) -> tuple[bytes, bool, BinaryIO]:
    """Return the head of a stream, whether that is all of it, and the stream from its start."""
    size = options.limits.head_bytes
    head, stream = peek(stream, size + 1)
    return head[:size], len(head) <= size, stream


def _row_encoding(head: bytes, whole: bool, options: ReadOptions) -> Encoding:
    """Return the encoding of a file of rows.

    Where it is in doubt, the file is read as UTF-8: rows of plain ASCII are the same in every candidate, the others are
    rejected one by one.
    """
    if not options.encoding and looks_damaged(head):
        return Encoding("utf-8", 1.0, "valid but for some rows")
    try:
        return detect_encoding(head, whole=whole, declared=options.encoding)
    except Fault as fault:
        if fault.reason == "binary_file" and b"\0" not in head[:NUL_HEAD_BYTES]:
            return Encoding("utf-8", 1.0, "valid but for some rows")
        if fault.reason == "binary_file":
            raise
        return Encoding("utf-8", 0.0, "ascii rows only", fault.candidates)


NUL_HEAD_BYTES = 1024
"""A NUL byte this early means that a file of rows is binary; later ones spoil their row only."""


def open_text(data: bytes, options: ReadOptions) -> tuple[str, Encoding]:
    """Decode a whole document.

    Raises:
        Fault: `binary_file`, or `not_utf8` with the first bad byte and the candidates.
    """
    encoding = detect_encoding(data, whole=True, declared=options.encoding)
    try:
        return data.decode(encoding.name).removeprefix("\ufeff"), encoding
    except (UnicodeError, ValueError) as error:
        place = f" at offset {error.start}" if isinstance(error, UnicodeDecodeError) else ""
        detail = f"It is not {encoding.name} ({encoding.how}): there is a wrong byte{place}."
        raise Fault("not_utf8", detail) from error
