"""The part of an item that shows why it was found, in pieces: some are hits, the others are what stands around them.

    snippet(["Use str.head(3)."], parse_query("head").wanted)      [("Use str.", False), ("head", True), ("(3).", False)]

Pieces are plain text: the template escapes them.
"""

from collections.abc import Sequence
from typing import NamedTuple

from curation.review.search.query import Term
from curation.review.search.words import MAX_INDEXED_CHARS, WORD, fold

MAX_CHARS = 240
_BEFORE = 60
_MAX_HITS = 20


class Piece(NamedTuple):
    """A stretch of text, and whether it is a hit."""

    text: str
    is_hit: bool


def snippet(texts: Sequence[str], wanted: Sequence[Term]) -> list[Piece]:
    """Return the pieces of the first text that holds one of the terms' words, else the beginning of the first text."""
    exact = {word for term in wanted for word in (term.words[:-1] if term.is_prefix else term.words)}
    beginnings = tuple(term.words[-1] for term in wanted if term.is_prefix)
    for text in texts:
        spans = _spans(text[:MAX_INDEXED_CHARS], exact, beginnings) if wanted else []
        if spans:
            return _cut(text, spans)
    first = next((text for text in texts if text.strip()), "")
    return [Piece(_one_line(first[:MAX_CHARS]) + ("\u2026" if len(first) > MAX_CHARS else ""), is_hit=False)] if first else []


def _spans(text: str, exact: set[str], beginnings: tuple[str, ...]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for found in WORD.finditer(text):
        word = fold(found[0])
        if word in exact or (beginnings and word.startswith(beginnings)):
            if spans and found.start() > spans[0][0] + MAX_CHARS:
                break
            spans.append(found.span())
            if len(spans) == _MAX_HITS:
                break
    return spans


def _cut(text: str, spans: Sequence[tuple[int, int]]) -> list[Piece]:
    start = max(0, spans[0][0] - _BEFORE)
    end = min(len(text), start + MAX_CHARS)
    pieces = [Piece("\u2026", is_hit=False)] if start else []
    at = start
    for first, last in spans:
        if last > end:
            break
        pieces += [Piece(_one_line(text[at:first]), is_hit=False)] if first > at else []
        pieces.append(Piece(text[first:last], is_hit=True))
        at = last
    rest = _one_line(text[at:end]) + ("\u2026" if end < len(text) else "")
    return pieces + ([Piece(rest, is_hit=False)] if rest else [])


def _one_line(text: str) -> str:
    return text.replace("\r\n", " ").replace("\n", " ").replace("\t", " ")
