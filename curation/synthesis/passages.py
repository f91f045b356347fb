"""Reads the prose of a passage, sentence by sentence, and tells it from code, tables and markup.

    for sentence in read_sentences(passage):
        sentence.section     "summary", "body", "parameters", "returns", "notes", ... or a Markdown heading in lower case
        sentence.label       name of the parameter, or the heading as written
        sentence.text        one line, markup removed, without the full stop
        sentence.quote       the same stretch of the passage, character by character

Knows docstrings (numpydoc and Google style, with a signature as the first line), Markdown and plain text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_NUMPY_RULE = re.compile(r"\s*[-=~^]{3,}\s*$")
_MARKDOWN_HEADING = re.compile(r"#{1,6}\s+(.+?)\s*#*$")
_GOOGLE_HEADING = re.compile(r"(Args|Arguments|Parameters|Returns|Yields|Raises|Examples?|Notes?|Warnings?|See Also):$")
_SIGNATURE = re.compile(r"[\w.]+(\(.*\))?( -> .+)?$")
_PARAMETER = re.compile(r"\*{0,2}[A-Za-z_][\w.]*(\s*,\s*\*{0,2}[A-Za-z_][\w.]*)*(\s*:.*)?$")
_CODE = re.compile(r"\s*(>>>|\.\.\.|[\u2500-\u257f]|\||shape: \(|\$ )")
_DIRECTIVE = re.compile(r"\s*\.\. ")
_SENTENCE_END = re.compile(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)(?<!etc\.)\s+(?=[A-Z`*\"'(])|\n\s*\n")
_ROLE = re.compile(r":[\w:]+:`~?([^`<]+?)(?:\s*<[^`>]*>)?`")
_EMPHASIS = re.compile(r"(?<!\w)(\*{1,3})(?=\S)([^*\n]+?)(?<=\S)\1(?!\w)")
_MARKDOWN_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)")
LISTS = frozenset(
    {"parameters", "other parameters", "attributes", "args", "arguments", "raises", "returns", "yields", "see also"}
)
"""Sections that are lists of names with indented descriptions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentence:
    """One sentence of prose and where it comes from."""

    section: str
    label: str
    text: str
    quote: str


@dataclass(frozen=True, slots=True)
class _Block:
    """Consecutive lines of prose: half-open offsets in the passage."""

    section: str
    label: str
    start: int
    end: int


def read_sentences(passage: str) -> list[Sentence]:
    """Return the sentences of a passage in order; code, tables, directives and headings are left out."""
    sentences: list[Sentence] = []
    for block in _read_blocks(passage):
        for start, end in _split(passage, block.start, block.end):
            quote = passage[start:end]
            text = clean_markup(quote).rstrip(".:;,").strip()
            if any(character.isalpha() for character in text):
                sentences.append(Sentence(section=block.section, label=block.label, text=text, quote=quote))
    return sentences


def read_signature(passage: str) -> str:
    """Return the first line if it is the signature of an object, else an empty string."""
    first = passage.split("\n", 1)[0].strip()
    return first if "." in first.split("(")[0] and _SIGNATURE.match(first) else ""


def clean_markup(text: str) -> str:
    """Return a text on one line without reStructuredText and Markdown markup."""
    text = _ROLE.sub(lambda match: match[1].rpartition(".")[2], text)
    text = _MARKDOWN_LINK.sub(r"\1", text)
    text = _EMPHASIS.sub(r"\2", text.replace("`", ""))
    return " ".join(text.split())


def _split(passage: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the offsets of the sentences of a block, without outer white space."""
    position = start
    for match in [*_SENTENCE_END.finditer(passage, start, end), None]:
        stop = match.start() if match else end
        stretch = passage[position:stop]
        if stretch.strip():
            yield position + len(stretch) - len(stretch.lstrip()), position + len(stretch.rstrip())
        position = match.end() if match else end


class _Reader:
    """Walks over the lines of a passage and gathers blocks."""

    def __init__(self, passage: str) -> None:
        self.lines = passage.split("\n")
        self.section = "summary"
        self.label = ""
        self.blocks: list[_Block] = []
        self.start: int | None = None
        self.end = 0

    def flush(self) -> None:
        if self.start is not None:
            self.blocks.append(_Block(self.section, self.label, self.start, self.end))
            self.start = None
            if self.section == "summary":
                self.section = "body"

    def add(self, start: int, end: int) -> None:
        self.start = start if self.start is None else self.start
        self.end = end

    def open_section(self, name: str) -> None:
        self.flush()
        self.section, self.label = name.lower(), name


def _read_blocks(passage: str) -> list[_Block]:
    reader = _Reader(passage)
    offset, skip_until_blank, fenced, directive = 0, False, False, False
    signature = read_signature(passage)
    for number, line in enumerate(reader.lines):
        start, offset = offset, offset + len(line) + 1
        stripped = line.strip()
        if number == 0 and signature:
            continue
        if stripped.startswith(("```", "~~~")):
            reader.flush()
            fenced = not fenced
        elif fenced:
            continue
        elif not stripped:
            reader.flush()
            skip_until_blank = False
        elif skip_until_blank or (directive and line[:1].isspace()):
            continue
        elif _DIRECTIVE.match(line) or _CODE.match(line):
            reader.flush()
            directive = bool(_DIRECTIVE.match(line))
            skip_until_blank = not directive
        else:
            directive = False
            _read_prose(reader, number, line, start)
    reader.flush()
    return reader.blocks


def _read_prose(reader: _Reader, number: int, line: str, start: int) -> None:
    stripped = line.strip()
    following = reader.lines[number + 1] if number + 1 < len(reader.lines) else ""
    heading = _MARKDOWN_HEADING.match(stripped) or _GOOGLE_HEADING.match(stripped)
    if heading is not None:
        reader.open_section(heading[1])
    elif _NUMPY_RULE.match(following) and not line[:1].isspace():
        reader.open_section(stripped)
    elif _NUMPY_RULE.match(line):
        return
    elif reader.section in LISTS and not line[:1].isspace() and _PARAMETER.match(stripped):
        reader.flush()
        reader.label = stripped.split(":")[0].strip()
    else:
        reader.add(start, start + len(line))
