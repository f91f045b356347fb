r"""Documents of every prose format -> title, text and sections.

read_prose("guide.md", b"# Guide\n\nRun it.", ReadOptions())    ("markdown", Prose(title="Guide", ...), Encoding("utf-8", ...))
"""

from dataclasses import replace
from pathlib import PurePosixPath
from typing import NamedTuple

from curation.ingest.markdown import parse_markdown
from curation.ingest.readers.docx_file import read_docx
from curation.ingest.readers.encoding import Encoding, first_bad_byte, marked_encoding
from curation.ingest.readers.html_file import declared_charset, read_html
from curation.ingest.readers.limits import Fault, Limits
from curation.ingest.readers.opening import BINARY_ENCODING, ReadOptions, format_of, open_text, unreadable
from curation.ingest.readers.pdf_file import read_pdf
from curation.ingest.readers.prose import Prose
from curation.ingest.readers.rst_file import read_rst
from curation.ingest.text import normalise_markdown, normalise_text
from curation.records import Section


class ProseFile(NamedTuple):
    """A document, its format and its encoding."""

    format: str
    prose: Prose
    encoding: Encoding


def read_prose(name: str, data: bytes, options: ReadOptions) -> ProseFile:
    """Read one document.

    Raises:
        Fault: if there is no text in it, or it cannot be read. Nothing else.
    """
    format_name, title = format_of(name, options), PurePosixPath(name.rpartition("!/")[2]).stem
    try:
        if format_name in ("pdf", "docx"):
            return ProseFile(format_name, _read_binary(format_name, data, title, options.limits), BINARY_ENCODING)
        text, encoding = open_text(data, _with_charset(data, options) if format_name == "html" else options)
        return ProseFile(format_name, _read_text(format_name, text, title), encoding)
    except Fault:
        raise
    except Exception as error:
        raise unreadable(error) from error


def _with_charset(data: bytes, options: ReadOptions) -> ReadOptions:
    """Let a page that is not UTF-8 say what it is; what the recipe says comes first."""
    if options.encoding or marked_encoding(data) or first_bad_byte(data, whole=True) < 0:
        return options
    return replace(options, encoding=declared_charset(data))


def _read_binary(format_name: str, data: bytes, title: str, limits: Limits) -> Prose:
    if not data:
        raise Fault("empty_text", "The file holds no text.")
    return read_pdf(data, title, limits) if format_name == "pdf" else read_docx(data, title, limits)


def _read_text(format_name: str, text: str, title: str) -> Prose:
    if not text.strip():
        raise Fault("empty_text", "The file holds no text.")
    if format_name == "html":
        return read_html(text, title)
    if format_name == "rst":
        return read_rst(text, title)
    cleaned = normalise_markdown(text) if format_name == "markdown" else normalise_text(text)
    if not cleaned.strip():
        raise Fault("empty_text", "The file holds no text.")
    if format_name == "markdown":
        outline = parse_markdown(cleaned, title)
        return Prose(outline.title, cleaned, outline.sections)
    return Prose(title, cleaned, (Section(heading_path=(title,), kind="body", start=0, end=len(cleaned)),))
