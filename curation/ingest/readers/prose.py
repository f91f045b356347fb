r"""Blocks and headings in reading order -> one normalised text with sections: for formats whose source nobody reads.

writer = ProseWriter("guide")
writer.heading(1, "Guide"); writer.block("Run it.")
writer.finish()     Prose(title="Guide", text="# Guide\n\nRun it.", sections=(Section(("Guide",), "body", 9, 16),))
"""

from typing import NamedTuple

from curation.ingest.readers.limits import Fault
from curation.ingest.text import normalise_text
from curation.records import Section

MAX_HEADING_CHARS = 500


class Prose(NamedTuple):
    """The text of a document, its title, and its sections as spans of the text."""

    title: str
    text: str
    sections: tuple[Section, ...]


class ProseWriter:
    """Collects a document block by block; each heading opens a section."""

    def __init__(self, fallback_title: str, kind: str = "body") -> None:
        self._title = fallback_title
        self._fallback = fallback_title
        self._kind = kind
        self._parts: list[str] = []
        self._length = 0
        self._path: list[tuple[int, str]] = []
        self._start = 0
        self._sections: list[Section] = []

    def heading(self, level: int, text: str) -> None:
        """Open a section below the headings of a lower level; an empty heading opens none."""
        title = " ".join(normalise_text(text).split())[:MAX_HEADING_CHARS]
        if not title:
            return
        self._close()
        if self._title == self._fallback and not self._path:
            self._title = title
        self._path = [*(above for above in self._path if above[0] < level), (level, title)]
        self._append(f"{'#' * min(level, 6)} {title}")
        self._start = self._length

    def block(self, text: str) -> None:
        """Add a paragraph, list item, table or code block."""
        cleaned = normalise_text(text)
        if cleaned.strip():
            self._append(cleaned)

    def divide(self, title: str) -> None:
        """Open a section without a heading in the text, such as a page."""
        self._close()
        self._path = [(1, self._title), (2, title)]
        self._start = self._length

    def finish(self, title: str = "") -> Prose:
        """Return the document.

        Raises:
            Fault: `empty_text` if there is no text in it.
        """
        self._close()
        text = "\n\n".join(self._parts)
        if not text.strip():
            raise Fault("empty_text", "The file holds no text.")
        return Prose(" ".join(normalise_text(title).split())[:MAX_HEADING_CHARS] or self._title, text, tuple(self._sections))

    def _append(self, text: str) -> None:
        self._length += len(text) + (2 if self._parts else 0)
        self._parts.append(text)

    def _close(self) -> None:
        """End the open section where the text ends now; without a block in it, it is no section."""
        start = self._start + 2 if self._start else 0
        if start < self._length:
            path = tuple(title for _, title in self._path) or (self._title,)
            self._sections.append(Section(heading_path=path, kind=self._kind, start=start, end=self._length))
        self._start = self._length
