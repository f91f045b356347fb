"""Rows that are texts to learn from: their text columns, one section each.

{"title": "Pool", "text": "Opens at 8."}      Document(title="Pool", text="Opens at 8.", kind="row", ...)
"""

from collections.abc import Sequence
from dataclasses import dataclass

from curation.ingest.config import SourceConfig
from curation.ingest.row_records import MAX_SHOWN_COLUMNS, Unusable, key_column, list_columns, row_group, row_hash
from curation.ingest.rows import Row
from curation.ingest.text import excerpt_of, normalise_text
from curation.records import Document, Section

DEFAULT_TEXT_COLUMNS = ("text", "content", "body")
TITLE_COLUMNS = ("title", "name")


@dataclass(frozen=True, slots=True)
class DocumentShaper:
    """Reads each row of a file as a document."""

    source: SourceConfig
    head: tuple[Row, ...]
    hint: str
    """What people should know besides; empty for nothing."""

    @property
    def name(self) -> str:
        """Name of the shape."""
        return "documents"

    def describe(self) -> str:
        """Return one line for people."""
        used = dict.fromkeys(name for row in self.head for name in _columns(self.source, row) if name in row.values)
        fits = sum(not isinstance(self.convert("", row), Unusable) for row in self.head)
        shown = excerpt_of(", ".join(used), MAX_SHOWN_COLUMNS)
        return f"documents: {shown} -> text ({fits} of {len(self.head)} head rows fit){self.hint}"

    def convert(self, key: str, row: Row) -> Document | Unusable:
        """Return the document of a row, or why it has none."""
        return read_document(self.source, key, row)


def read_document(source: SourceConfig, key: str, row: Row) -> Document | Unusable:
    """Return the document that a row holds: its text columns, one section each."""
    cells = _text_cells(source, row)
    if isinstance(cells, Unusable):
        return cells
    title = next((normalise_text(value) for name in TITLE_COLUMNS if isinstance(value := row.values.get(name), str)), "") or key
    text, sections = "", []
    for name, value in cells:
        text += ("\n\n" if text else "") + (f"{name}: " if len(cells) > 1 else "")
        sections.append(Section(heading_path=(title, name), kind="body", start=len(text), end=len(text) + len(value)))
        text += value
    return Document(
        key=key,
        source=source.name,
        title=title,
        kind="row",
        text=text,
        sections=tuple(sections),
        group=row_group(source, row) or row_hash(row),
        license=source.license,
        output_terms=source.output_terms,
    )


def _declared(source: SourceConfig) -> Sequence[str]:
    declared = source.shape.columns.text
    return source.text_columns or ((declared,) if declared else ())


def _columns(source: SourceConfig, row: Row) -> Sequence[str]:
    columns = _declared(source) or [name for name in DEFAULT_TEXT_COLUMNS if isinstance(row.values.get(name), str)][:1]
    key = key_column(source)
    return columns or [name for name, value in row.values.items() if isinstance(value, str) and name != key]


def _text_cells(source: SourceConfig, row: Row) -> list[tuple[str, str]] | Unusable:
    """Return the columns with text in them, normalised, in order."""
    absent = [name for name in _declared(source) if name not in row.values]
    if absent:
        return Unusable("missing_column", f"There is no column '{absent[0]}', only {list_columns(row.values)}.")
    columns = _columns(source, row)
    cells = [(normalise_text(name), _plain(row.values[name])) for name in columns if row.values[name] is not None]
    cells = [(name, value) for name, value in cells if value.strip()]
    return cells or Unusable("empty_text", f"No text in {', '.join(columns)[:300] or list_columns(row.values)}.")


def _plain(value: object) -> str:
    try:
        return normalise_text(str(value))
    except (ValueError, RecursionError):  # an integer of more digits than Python prints, or nesting without end
        return ""
