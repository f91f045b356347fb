"""The texts of a row that may be a rewritten question.

    list(passages_of(3, document))      [Passage(row=3, field="document", text="How many tulips ..."), ...]

A chat gives its prompt, and each user message of a longer one. A document gives its paragraphs; a long paragraph is read
through windows that begin and end with a sentence, since one that cuts a question in two, or buries it, has another embedding.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from curation.contamination.items import Field, Row, texts_of
from curation.records import Document

MIN_WORDS = 4
PARAGRAPH_WORDS = 80
"""A paragraph of at most so many words is one passage."""
WINDOW_WORDS = 50
STEP_WORDS = 20
"""A window begins at the first sentence that lies so many words behind the beginning of the one before."""
MAX_PASSAGES = 1_000
"""Passages a document; the rest of it is only compared by word runs."""

_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n")


class Passage(NamedTuple):
    """A text of a row."""

    row: int
    field: Field
    text: str


def passages_of(number: int, row: Row) -> Iterator[Passage]:
    """Yield the passages of the row with this number; those of fewer than 4 words say too little."""
    if isinstance(row, Document):
        texts = list(_windows(f"{row.title}\n\n{row.text}"))[:MAX_PASSAGES]
        yield from (Passage(number, "document", text) for text in dict.fromkeys(texts))
        return
    systems = {turn.content for turn in row.prompt if turn.role == "system"}
    for field, text in texts_of(row):
        if field == "prompt" and text not in systems and is_long_enough(text):
            yield Passage(number, field, text)


def is_long_enough(text: str) -> bool:
    """Tell whether a text has the words that make it comparable."""
    return len(text.split(maxsplit=MIN_WORDS)) >= MIN_WORDS


def _windows(text: str) -> Iterator[str]:
    for paragraph in _PARAGRAPH.split(text):
        words = paragraph.split()
        if len(words) <= PARAGRAPH_WORDS:
            if len(words) >= MIN_WORDS:
                yield " ".join(words)
            continue
        yield from _windows_of_paragraph(paragraph)


def _windows_of_paragraph(paragraph: str) -> Iterator[str]:
    sentences = [sentence.split() for sentence in _SENTENCE_END.split(paragraph) if sentence.strip()]
    pieces = [words[start : start + WINDOW_WORDS] for words in sentences for start in range(0, len(words), WINDOW_WORDS)]
    begin, since = 0, STEP_WORDS
    while begin < len(pieces):
        if since >= STEP_WORDS:
            window, end = _window_from(pieces, begin)
            if len(window) >= MIN_WORDS:
                yield " ".join(window)
            if end == len(pieces):
                break
            since = 0
        since += len(pieces[begin])
        begin += 1


def _window_from(pieces: list[list[str]], begin: int) -> tuple[list[str], int]:
    """Return the words of as many whole sentences as fit, at least one, and where the next ones begin."""
    window, end = list(pieces[begin]), begin + 1
    while end < len(pieces) and len(window) + len(pieces[end]) <= WINDOW_WORDS:
        window += pieces[end]
        end += 1
    return window, end
