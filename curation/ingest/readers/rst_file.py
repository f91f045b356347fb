r"""reStructuredText: the source as it is, cut at its headings, which docutils finds. No file is included, nothing is run.

read_rst("Guide\n=====\n\nRun it.\n", "guide").sections     (Section(("Guide",), "body", 13, 20),)
"""

import re
from typing import Any, NamedTuple

from curation.ingest.readers.limits import Fault
from curation.ingest.readers.prose import Prose
from curation.ingest.text import normalise_text
from curation.records import Section

MAX_CHARS = 4_000_000
_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1*")

_SETTINGS: dict[str, object] = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": 5,
    "halt_level": 6,
    "syntax_highlight": "none",
    "line_length_limit": MAX_CHARS,
    "_disable_config": True,
}


class _Heading(NamedTuple):
    level: int
    title: str
    start: int
    content: int


def read_rst(text: str, fallback_title: str) -> Prose:
    """Return the normalised source with its sections.

    Raises:
        Fault: `empty_text`; `file_too_large` above 4 million characters; `invalid_rst` if docutils cannot parse it.
    """
    source = normalise_text(text)
    if not source.strip():
        raise Fault("empty_text", "The file holds no text.")
    if len(source) > MAX_CHARS:
        raise Fault("file_too_large", f"The document has more than {MAX_CHARS:,} characters; cut it into several.")
    headings = _place(source, _titles(source))
    title = headings[0].title if headings else fallback_title
    sections = [_section(source, (title,), 0, headings[0].start if headings else len(source))]
    path: list[_Heading] = []
    ends = [*(heading.start for heading in headings[1:]), len(source)]
    for heading, end in zip(headings, ends, strict=False):
        path = [*(above for above in path if above.level < heading.level), heading]
        sections.append(_section(source, tuple(above.title for above in path), heading.content, end))
    return Prose(title, source, tuple(section for section in sections if section.start < section.end))


def _section(text: str, path: tuple[str, ...], start: int, end: int) -> Section:
    part = text[start:end]
    lead = len(part) - len(part.lstrip("\n"))
    return Section(heading_path=path, kind="body", start=start + lead, end=max(start + lead, start + len(part.rstrip())))


def _titles(source: str) -> list[tuple[int, str, str]]:
    """Return level, source text and readable text of each heading, in order."""
    from docutils.frontend import get_default_settings
    from docutils.nodes import section
    from docutils.parsers.rst import Parser
    from docutils.utils import new_document

    parser = Parser()
    settings = get_default_settings(parser)
    for name, value in _SETTINGS.items():
        setattr(settings, name, value)
    document = new_document("source", settings)
    try:
        parser.parse(source, document)
    except Exception as error:  # directives of docutils raise what they like at odd input
        raise Fault("invalid_rst", f"docutils cannot parse it ({type(error).__name__}).") from error
    found = []
    for node in document.findall(section):
        level = 1
        above: Any = node.parent
        while above is not None:
            level += isinstance(above, section)
            above = above.parent
        title = node.next_node()
        found.append((level, str(getattr(title, "rawsource", "")), title.astext() if title is not None else ""))
    return found


def _place(source: str, titles: list[tuple[int, str, str]]) -> list[_Heading]:
    """Find each heading in the source: its text on one line, with a line of one punctuation mark below it."""
    lines = source.split("\n")
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line) + 1)
    found: list[_Heading] = []
    at = 0
    for level, raw, title in titles:
        while at < len(lines) - 1 and not (lines[at].strip() == raw.strip() and _ADORNMENT.fullmatch(lines[at + 1])):
            at += 1
        if at >= len(lines) - 1:
            break
        overlined = at > 0 and lines[at - 1] == lines[at + 1]
        content = min(offsets[min(at + 2, len(lines))], len(source))
        found.append(_Heading(level, " ".join(title.split()) or raw, offsets[at - overlined], content))
        at += 2
    return found
