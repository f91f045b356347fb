r"""Docstring sections, numpydoc and Google style, as spans of the text that they stand in.

find_sections("Upper-case.\n\nReturns\n-------\nExpr")
    [("summary", "Summary", 0, 11), ("returns", "Returns", 29, 33)]
"""

import re
from typing import NamedTuple

_GOOGLE_NAMES = {
    "arg": "parameters",
    "args": "parameters",
    "arguments": "parameters",
    "params": "parameters",
    "keyword args": "parameters",
    "keyword arguments": "parameters",
    "return": "returns",
    "yield": "yields",
    "example": "examples",
    "note": "notes",
    "warning": "warnings",
}
"""Other spellings of the section names of numpydoc."""

_KNOWN_NAMES = frozenset(
    ("parameters", "other parameters", "returns", "yields", "receives", "raises", "warns", "warnings", "see also", "notes")
    + ("references", "examples", "attributes", "methods", "todo", "usage", "tip")
)
_TITLE = re.compile(r"[A-Z][\w /-]{0,39}")
_GOOGLE = re.compile(r"([A-Z][A-Za-z ]{0,29}):")


class DocstringSection(NamedTuple):
    """One section: its kind (`summary`, `body`, `parameters`, ...), its title as written, its half-open span."""

    kind: str
    title: str
    start: int
    end: int


class _Heading(NamedTuple):
    kind: str
    title: str
    start: int
    """Where the heading begins: the section before it ends here."""
    content: int
    """Where the text below the heading begins."""


def find_sections(text: str) -> list[DocstringSection]:
    """Split a cleaned docstring into summary, body and named sections; empty sections are left out.

    Spans hold the text below a heading, without the heading and without outer white space.
    """
    headings = _find_headings(text)
    opening = _strip(text, 0, headings[0].start if headings else len(text))
    sections = _opening_sections(text, *opening)
    ends = [*(heading.start for heading in headings[1:]), len(text)][: len(headings)]
    for heading, end in zip(headings, ends, strict=True):
        start, stop = _strip(text, heading.content, end)
        sections.append(DocstringSection(heading.kind, heading.title, start, stop))
    return [section for section in sections if section.end > section.start]


def _opening_sections(text: str, start: int, end: int) -> list[DocstringSection]:
    gap = text.find("\n\n", start, end)
    if gap < 0:
        return [DocstringSection("summary", "Summary", start, end)]
    body = _strip(text, gap, end)
    return [DocstringSection("summary", "Summary", start, gap), DocstringSection("body", "Description", *body)]


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    """Narrow a span to leave out empty lines before and white space after; indentation of the first line stays."""
    part = text[start:end]
    lead = len(part) - len(part.lstrip())
    indent = len(part[:lead]) - len(part[:lead].rstrip(" \t"))
    length = len(part.rstrip())
    return (start + lead - indent, start + length) if length else (end, end)


def _find_headings(text: str) -> list[_Heading]:
    lines = text.split("\n")
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line) + 1)
    found = []
    for number, line in enumerate(lines[:-1]):
        after_gap = number == 0 or not lines[number - 1]
        if _TITLE.fullmatch(line) and _is_underline(line, lines[number + 1]):
            found.append(_Heading(_kind(line), line, offsets[number], min(offsets[number + 2], len(text))))
        elif after_gap and (google := _GOOGLE.fullmatch(line)) and _is_google_section(google[1], lines[number + 1]):
            found.append(_Heading(_kind(google[1]), google[1], offsets[number], offsets[number + 1]))
    return found


def _is_underline(title: str, line: str) -> bool:
    return (
        len(line) >= 3
        and set(line) <= {"-"}
        and abs(len(line) - len(title)) <= 3
        or set(line) == {"="}
        and len(line) == len(title)
    )


def _is_google_section(title: str, next_line: str) -> bool:
    return _kind(title) in _KNOWN_NAMES and next_line.startswith((" ", "\t"))


def _kind(title: str) -> str:
    name = title.strip().lower()
    return _GOOGLE_NAMES.get(name, name)
