r"""Markdown sections: the text below each heading, with the path of headings above it.

parse_markdown("# Guide\n\n## Install\n\nRun it.", "guide")
    Outline(title="Guide", sections=(Section(heading_path=("Guide", "Install"), kind="body", start=21, end=28),))
"""

import re
from typing import NamedTuple

from markdown_it import MarkdownIt

from curation.records import Section

_FRONT_MATTER = re.compile(r"---\n.*?\n(?:---|\.\.\.)(?=\n|\Z)", re.DOTALL)
_MARKUP = re.compile(r"[*_`]+|!?\[([^\]]*)\]\([^)]*\)|\s#+$")


class Outline(NamedTuple):
    """Title (the first heading of the highest level, or the fallback) and sections of a document."""

    title: str
    sections: tuple[Section, ...]


class _Heading(NamedTuple):
    level: int
    title: str
    start: int
    content: int


def parse_markdown(text: str, fallback_title: str) -> Outline:
    """Cut normalised Markdown into sections; headings inside fenced code, quotes and lists do not count.

    Spans leave out the heading line and outer white space; headings without text below them have no section.
    """
    headings = _find_headings(text)
    front = _FRONT_MATTER.match(text)
    top = min((heading.level for heading in headings), default=0)
    title = next((heading.title for heading in headings if heading.level == top and heading.title), fallback_title)
    sections = [_section(text, ("Front matter",), "front_matter", 0, front.end())] if front else []
    begin = front.end() if front else 0
    sections.append(_section(text, (title,), "body", begin, headings[0].start if headings else len(text)))
    path: list[_Heading] = []
    for heading, end in zip(headings, [*(later.start for later in headings[1:]), len(text)][: len(headings)], strict=True):
        path = [*(above for above in path if above.level < heading.level), heading]
        sections.append(_section(text, tuple(above.title for above in path), "body", heading.content, end))
    return Outline(title, tuple(section for section in sections if section.end > section.start))


def _section(text: str, path: tuple[str, ...], kind: str, start: int, end: int) -> Section:
    part = text[start:end]
    lead = len(part) - len(part.lstrip("\n"))
    return Section(heading_path=path, kind=kind, start=start + lead, end=max(start + lead, start + len(part.rstrip())))


def _find_headings(text: str) -> list[_Heading]:
    """Parse blocks only: no inline markup is read, so hostile inline syntax costs nothing."""
    front = _FRONT_MATTER.match(text)
    blanked = "\n" * front.group().count("\n") + text[front.end() :] if front else text
    parser = MarkdownIt("commonmark", {"html": False})
    parser.core.ruler.enableOnly(["normalize", "block"])
    tokens = parser.parse(blanked)
    offsets = [0]
    for line in text.split("\n"):
        offsets.append(min(offsets[-1] + len(line) + 1, len(text)))
    found = []
    for number, token in enumerate(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map is not None:
            title = _MARKUP.sub(r"\1", tokens[number + 1].content).strip()
            found.append(_Heading(int(token.tag[1:]), title, offsets[token.map[0]], offsets[token.map[1]]))
    return found
