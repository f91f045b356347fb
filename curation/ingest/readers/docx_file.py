r"""DOCX: headings, paragraphs and tables in reading order; inserted text is read, deleted text, notes and headers are not.

read_docx(data, "policy", Limits()).text     "# Policy\n\nReturns are free.\n\nitem | days\nbook | 30"
"""

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from curation.ingest.readers.limits import Fault, Limits
from curation.ingest.readers.prose import Prose, ProseWriter

_OLE_MAGIC = b"\xd0\xcf\x11\xe0"
"""How an encrypted DOCX begins, and a DOC."""
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)
_CONTAINERS = frozenset((f"{_WORD}sdt", f"{_WORD}sdtContent", f"{_WORD}ins", f"{_WORD}customXml", f"{_WORD}smartTag"))
_MARKS = {f"{_WORD}tab": "\t", f"{_WORD}br": "\n", f"{_WORD}cr": "\n", f"{_WORD}noBreakHyphen": "-"}
MAX_TABLE_DEPTH = 20
TITLE_LEVEL, TEXT_LEVEL = 0, -1


def read_docx(data: bytes, fallback_title: str, limits: Limits) -> Prose:
    """Return the text of a Word document.

    Raises:
        Fault: `not_docx`, `encrypted_file`, `decompression_bomb`, `empty_text`.
    """
    import docx

    _check_package(data, limits)
    try:
        document = docx.Document(io.BytesIO(data))
        styles = {style.style_id: str(style.name or "") for style in document.styles}
        writer = ProseWriter(fallback_title)
        blocks = list(_blocks(document.element.body, styles, 0))
        below_title = any(level == TITLE_LEVEL for level, _ in blocks)
        for level, text in blocks:
            if level == TEXT_LEVEL:
                writer.block(text)
            else:
                writer.heading(level + below_title, text)
    except Fault:
        raise
    except Exception as error:  # python-docx and lxml raise what they like at damaged files
        raise Fault("not_docx", f"The file is no DOCX that can be read ({type(error).__name__}: {error}).") from error
    return writer.finish()


def _check_package(data: bytes, limits: Limits) -> None:
    """Refuse a bomb before anything is unpacked; the sizes are those that unpacking will be held to."""
    if data.startswith(_OLE_MAGIC):
        raise Fault("encrypted_file", "The document is encrypted or an old DOC; save it as DOCX without a password.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            size = sum(info.file_size for info in infos if info.filename.endswith((".xml", ".rels")))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, RuntimeError) as error:
        raise Fault("not_docx", f"The file is no DOCX that can be read ({error}).") from error
    allowed = min(limits.unpacked_bytes, max(limits.ratio_free_bytes, len(data) * limits.unpacked_ratio))
    if size > allowed or len(infos) > limits.members:
        raise Fault("decompression_bomb", f"The document unpacks to {size:,} bytes in {len(infos):,} parts.")


def _blocks(parent: Any, styles: dict[str, str], depth: int) -> Iterator[tuple[int, str]]:
    """Yield level (of the heading, or one of the two constants) and text of each block of a body or cell."""
    for element in parent:
        if element.tag == f"{_WORD}p":
            yield _level(element, styles), _paragraph_text(element)
        elif element.tag == f"{_WORD}tbl":
            yield TEXT_LEVEL, _table_text(element, styles, depth)
        elif element.tag in _CONTAINERS:
            yield from _blocks(element, styles, depth)


def _level(paragraph: Any, styles: dict[str, str]) -> int:
    style = paragraph.find(f"{_WORD}pPr/{_WORD}pStyle")
    name = styles.get(style.get(f"{_WORD}val", ""), "") if style is not None else ""
    found = _HEADING.fullmatch(name)
    if found:
        return int(found[1])
    return TITLE_LEVEL if name.lower() == "title" else TEXT_LEVEL


def _paragraph_text(paragraph: Any) -> str:
    """Return all text of a paragraph, links and inserted runs included; a text box counts once."""
    parts: list[str] = []
    todo = [paragraph]
    while todo:
        element = todo.pop()
        if element.tag == f"{_WORD}t":
            parts.append(element.text or "")
        elif element.tag in _MARKS:
            parts.append(_MARKS[element.tag])
        elif element.tag not in (_FALLBACK, f"{_WORD}pPr", f"{_WORD}rPr"):
            todo.extend(reversed(element))
    return "".join(parts)


def _table_text(table: Any, styles: dict[str, str], depth: int) -> str:
    if depth >= MAX_TABLE_DEPTH:
        raise Fault("nested_too_deeply", f"Tables are nested more than {MAX_TABLE_DEPTH} deep.")
    rows = []
    for row in table.iter(f"{_WORD}tr"):
        if next(row.iterancestors(f"{_WORD}tbl")) is not table:
            continue  # of a table in a cell
        cells = (cell for cell in row.iter(f"{_WORD}tc") if next(cell.iterancestors(f"{_WORD}tr")) is row)
        rows.append(" | ".join(" ".join(text for _, text in _blocks(cell, styles, depth + 1)).strip() for cell in cells))
    return "\n".join(rows)
