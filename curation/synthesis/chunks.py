"""Cuts documents into chunks: stretches of text that fit into a prompt beside others, cut where a section or paragraph ends.

    for chunk in cut_chunks(document, max_chars=1500):
        chunk.title                              "Guide: Install"
        document.text[chunk.start : chunk.end]   verbatim

No character is in two chunks. Headings between chunks, front matter, and stretches too short to ask about are in none.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from curation.records import Document

MIN_CHUNK_CHARS = 80
"""Shorter stretches are joined to what follows, and left out at the end of a document."""
_BREAKS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?])\s+"), re.compile(r"\s+"))
"""Where a long stretch may be cut, the best first: paragraphs, lines, sentences, words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """A stretch of a document (half-open character offsets) and what it is called."""

    title: str
    start: int
    end: int


def cut_chunks(document: Document, *, max_chars: int) -> list[Chunk]:
    """Return the chunks of a document in order; a document that fits is one chunk."""
    if len(document.text) <= max_chars:
        whole = _strip(document.text, 0, len(document.text))
        return [Chunk(title=document.title, start=whole[0], end=whole[1])] if whole[1] - whole[0] >= MIN_CHUNK_CHARS else []
    chunks: list[Chunk] = []
    open_chunk: Chunk | None = None
    for piece in _pieces(document, max_chars):
        if open_chunk is not None and piece.end - open_chunk.start <= max_chars and _is_short(open_chunk):
            open_chunk = Chunk(title=open_chunk.title, start=open_chunk.start, end=piece.end)
            continue
        if open_chunk is not None:
            chunks.append(open_chunk)
        open_chunk = piece
    return [chunk for chunk in [*chunks, *([open_chunk] if open_chunk else [])] if not _is_short(chunk)]


def _is_short(chunk: Chunk) -> bool:
    return chunk.end - chunk.start < MIN_CHUNK_CHARS


def _pieces(document: Document, max_chars: int) -> Iterator[Chunk]:
    """Yield the sections, long ones cut; without sections, the whole text."""
    reached = 0
    for section in sorted(document.sections, key=lambda section: (section.start, section.end)):
        start, end = max(section.start, reached), min(section.end, len(document.text))
        if section.kind == "front_matter" or start >= end:
            continue
        reached = end
        yield from _cut(document.text, start, end, _title(document.title, section.heading_path), max_chars)
    if not document.sections:
        yield from _cut(document.text, 0, len(document.text), document.title, max_chars)


def _title(title: str, path: tuple[str, ...]) -> str:
    heading = path[-1] if path else ""
    return f"{title}: {heading}" if heading and heading != title else title


def _cut(text: str, start: int, end: int, title: str, max_chars: int) -> Iterator[Chunk]:
    start, end = _strip(text, start, end)
    while end - start > max_chars:
        stop = _find_break(text, start, start + max_chars)
        begin, finish = _strip(text, start, stop)
        if begin < finish:
            yield Chunk(title=title, start=begin, end=finish)
        start = _strip(text, stop, end)[0]
    if start < end:
        yield Chunk(title=title, start=start, end=end)


def _find_break(text: str, start: int, end: int) -> int:
    """Return the last good place to cut in the second half of a stretch, or its end."""
    for pattern in _BREAKS:
        found = [match.start() for match in pattern.finditer(text, start + (end - start) // 2, end)]
        outside = [place for place in found if text.count("\n```", start, place) % 2 == 0]
        if outside or (found and pattern is not _BREAKS[0]):
            return (outside or found)[-1]
    return end


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a stretch without the white space around it."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
