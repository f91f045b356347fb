"""One file -> its documents or demonstrations, and a rejection for each row, or the whole file, that is none.

for item in iterate_file(source, "guide/start.md", stream, reports.append):
    item.key                     "handbook/guide/start.md"
"""

import io
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from curation.ids import hash_bytes
from curation.ingest.config import RECORD_FORMATS, SourceConfig
from curation.ingest.ingested import Ingest, Ingested, SourceReport
from curation.ingest.readers.limits import Fault
from curation.ingest.readers.opening import FORMAT_OF_SUFFIX, ReadOptions, format_of, is_record_format, open_rows, unreadable
from curation.ingest.readers.prose_files import read_prose
from curation.ingest.readers.streams import read_whole
from curation.ingest.readers.unwrapping import InnerFile, unwrap
from curation.ingest.row_stream import iterate_rows, reject
from curation.ingest.text import excerpt_of
from curation.records import Document, Rejection

FOLDER_NAMES = ("index", "readme")
"""File stems that name their folder rather than themselves."""
Report = Callable[[SourceReport], None]


def options_of(source: SourceConfig) -> ReadOptions:
    """Return what a source declares about its files."""
    return ReadOptions(
        format=source.format, encoding=source.encoding, delimiter=source.delimiter, record_path=source.record_path
    )


def iterate_file(
    source: SourceConfig, name: str, stream: BinaryIO, report: Report, options: ReadOptions | None = None
) -> Iterator[Ingest]:
    """Yield what one file holds, row by row; an archive holds several files. Whatever is in it, nothing is raised.

    Args:
        source: what the recipe says.
        name: the name of the file below its source; the suffix tells the format, unless the source declares one.
        stream: the bytes, read from where it stands.
        report: called once for each file, after its last row.
        options: limits other than the usual ones.
    """
    options = options or options_of(source)
    for file in unwrap(name, stream, options.limits):
        yield from _iterate_plain(source, file, report, options)


def read_file(source: SourceConfig, name: str, data: bytes) -> Ingested:
    """Read a file that is in memory."""
    reports: list[SourceReport] = []
    return Ingested.of(iterate_file(source, name, io.BytesIO(data), reports.append), reports)


def reject_file(source: SourceConfig, name: str, fault: Fault, data: bytes = b"") -> Rejection:
    """Return the rejection of a whole file."""
    excerpt = excerpt_of(data[:2000].decode("utf-8", "replace"))
    return reject(source, name, name, fault.reason, fault.detail, hash_bytes(data), excerpt)


def _iterate_plain(source: SourceConfig, file: InnerFile, report: Report, options: ReadOptions) -> Iterator[Ingest]:
    problem = file.problem or _unsupported(source, file, options)
    if problem is not None or file.stream is None:
        yield reject_file(source, file.name, problem or Fault("unreadable_file", "It cannot be read."))
        report(failed_report(file.name, format_of(file.inner_name, options)))
    elif is_record_format(format_of(file.inner_name, options)):
        rows = open_rows(file.inner_name, file.stream, options)
        yield from iterate_rows(source, file.name, rows, report)
    else:
        yield _read_document(source, file, file.stream, report, options)


def _unsupported(source: SourceConfig, file: InnerFile, options: ReadOptions) -> Fault | None:
    format_name = format_of(file.inner_name, options)
    if not format_name:
        known = ", ".join(FORMAT_OF_SUFFIX)
        return Fault("unsupported_file_type", f"Files are read by their suffix, one of {known}; or declare `format`.")
    if source.role == "demonstrations" and not is_record_format(format_name):
        return Fault("unsupported_file_type", f"Demonstrations are read from {', '.join(RECORD_FORMATS)} files.")
    return None


def failed_report(name: str, format_name: str) -> SourceReport:
    """Return the report of a file that is one rejection."""
    return SourceReport(name=name, format=format_name, encoding="", confidence=0.0, shape="", rows=1, rejected=1)


def _read_document(
    source: SourceConfig, file: InnerFile, stream: BinaryIO, report: Report, options: ReadOptions
) -> Document | Rejection:
    data = b""
    try:
        data = _read_bytes(stream, options)
        found = read_prose(file.inner_name, data, options)
    except Fault as fault:
        report(failed_report(file.name, format_of(file.inner_name, options)))
        return reject_file(source, file.name, fault, data)
    report(
        SourceReport(
            name=file.name,
            format=found.format,
            encoding=found.encoding.name,
            confidence=found.encoding.confidence,
            shape=f"{len(found.prose.sections)} sections",
            rows=1,
            rejected=0,
        )
    )
    return Document(
        key=f"{source.name}/{file.name}",
        source=source.name,
        title=found.prose.title,
        kind=found.format,
        text=found.prose.text,
        sections=found.prose.sections,
        group=_group_of(file.inner_name),
        license=source.license,
        output_terms=source.output_terms,
    )


def _read_bytes(stream: BinaryIO, options: ReadOptions) -> bytes:
    try:
        return read_whole(stream, options.limits.row_bytes)
    except Fault:
        raise
    except Exception as error:  # file systems and decompressors raise what they like
        raise unreadable(error) from error


def _group_of(name: str) -> str:
    path = PurePosixPath(name)
    return f"{path.parent.name}/{path.stem}" if path.stem.lower() in FOLDER_NAMES else path.stem
