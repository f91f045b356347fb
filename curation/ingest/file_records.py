"""One file -> its documents or demonstrations, and a rejection for each row, or the whole file, that is none.

read_file(source, "guide/start.md", data).documents[0].key     "handbook/guide/start.md"
"""

from pathlib import PurePosixPath

from curation.ids import hash_bytes
from curation.ingest.config import SourceConfig
from curation.ingest.decoding import decode_utf8
from curation.ingest.ingested import Ingested
from curation.ingest.markdown import Outline, parse_markdown
from curation.ingest.row_records import Unusable, read_demonstration, read_document, row_hash, row_key
from curation.ingest.rows import ROW_SUFFIXES, BadRow, Row, read_rows
from curation.ingest.text import excerpt_of, normalise_markdown, normalise_text
from curation.records import Document, Example, Rejection, Section

MARKDOWN_SUFFIXES = (".md", ".markdown", ".mdx")
TEXT_SUFFIXES = (".txt", ".text", ".rst")
FOLDER_NAMES = ("index", "readme")
"""File stems that name their folder rather than themselves."""


def read_file(source: SourceConfig, name: str, data: bytes) -> Ingested:
    """Read one file; whatever is in it, every record of it is either kept or rejected."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in ROW_SUFFIXES:
        return _collect(_row_results(source, name, data))
    if suffix not in MARKDOWN_SUFFIXES + TEXT_SUFFIXES:
        known = ", ".join(MARKDOWN_SUFFIXES + TEXT_SUFFIXES + ROW_SUFFIXES)
        return _collect(
            [reject_file(source, name, "unsupported_file_type", f"Files are read by their suffix, one of {known}.", data)]
        )
    if source.role == "demonstrations":
        detail = f"Demonstrations are read from {', '.join(ROW_SUFFIXES)} files."
        return _collect([reject_file(source, name, "unsupported_file_type", detail, data)])
    return _collect([_read_prose(source, name, data, is_markdown=suffix in MARKDOWN_SUFFIXES)])


def _collect(results: list[Document | Example | Rejection]) -> Ingested:
    return Ingested.of(
        documents=[item for item in results if isinstance(item, Document)],
        examples=[item for item in results if isinstance(item, Example)],
        rejections=[item for item in results if isinstance(item, Rejection)],
    )


def reject_file(source: SourceConfig, name: str, reason: str, detail: str, data: bytes) -> Rejection:
    """Return the rejection of a whole file."""
    excerpt = excerpt_of(data[:2000].decode("utf-8", "replace"))
    return _reject(source, name, name, reason, detail, hash_bytes(data), excerpt)


def _reject(source: SourceConfig, name: str, where: str, reason: str, detail: str, raw_hash: str, excerpt: str) -> Rejection:
    return Rejection(
        key=f"{source.name}/{where}",
        stage=source.role,
        reason=reason,
        detail=normalise_text(f"File '{name}': {detail}"),
        record_hash=raw_hash,
        excerpt=excerpt,
    )


def _read_prose(source: SourceConfig, name: str, data: bytes, *, is_markdown: bool) -> Document | Rejection:
    decoded = decode_utf8(data)
    if not isinstance(decoded, str):
        return reject_file(source, name, decoded.reason, decoded.detail, data)
    text = normalise_markdown(decoded) if is_markdown else normalise_text(decoded)
    if not text.strip():
        return reject_file(source, name, "empty_text", "The file holds no text.", data)
    path = PurePosixPath(name)
    whole = Outline(path.stem, (Section(heading_path=(path.stem,), kind="body", start=0, end=len(text)),))
    title, sections = parse_markdown(text, path.stem) if is_markdown else whole
    return Document(
        key=f"{source.name}/{name}",
        source=source.name,
        title=title,
        kind="markdown" if is_markdown else "text",
        text=text,
        sections=sections,
        group=f"{path.parent.name}/{path.stem}" if path.stem.lower() in FOLDER_NAMES else path.stem,
        license=source.license,
        output_terms=source.output_terms,
    )


def _row_results(source: SourceConfig, name: str, data: bytes) -> list[Document | Example | Rejection]:
    rows = list(read_rows(name, data))
    keyed = any(isinstance(row, Row) and row_key(source, row) for row in rows)
    taken: set[str] = set()
    results = [_row_result(source, name, row, taken, "row-" if keyed else "") for row in rows]
    return results or [reject_file(source, name, "empty_text", "The file holds no row.", data)]


def _row_result(
    source: SourceConfig, file_name: str, row: Row | BadRow, taken: set[str], prefix: str
) -> Document | Example | Rejection:
    """Turn one row into a record; in a file with keys, rows without one are `#row-NUMBER`, so that they never collide."""
    if isinstance(row, BadRow):
        where = f"{file_name}#{prefix}{row.number}" if row.number else file_name
        return _reject(source, file_name, where, row.reason, row.detail, row.raw_hash, row.excerpt)
    name = row_key(source, row) or f"{prefix}{row.number}"
    key = f"{source.name}/{file_name}#{name}"
    record = read_document(source, key, row) if source.role == "documents" else read_demonstration(source, key, row)
    if name in taken:
        record = Unusable("duplicate_key", f"An earlier row has the key '{name}' too.")
    taken.add(name)
    if not isinstance(record, Unusable):
        return record
    where, detail = f"{file_name}#{prefix}{row.number}", f"Row {row.number}: {record.detail}"
    return _reject(source, file_name, where, record.reason, detail, row_hash(row), excerpt_of(str(row.values)))
