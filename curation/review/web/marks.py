r"""Marks in texts that nobody here wrote: what supports an answer, what does not, what speaks to the reviewer.

highlight_passage("Returns are free.", [Span(12, 16)])      Markup('Returns are <mark>free</mark>.')
mark_answer("Free for 60 days.", support(...))
    Markup('<span class="unsupported" title="No source says this">Free for </span><span class="unsupported missing" ...>60...')
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from curation.review.evidence.support import Sentence
from curation.review.web.show import reveal

_TITLES = {
    "unsupported": "No source says this",
    "missing": "This stands in no source",
    "instruction": "This speaks to whoever reviews or judges the answer",
}


class _Mark(NamedTuple):
    start: int
    end: int
    name: str
    """CSS class; empty for a plain <mark>."""
    title: str = ""


def highlight_passage(passage: str, spans: Iterable[tuple[int, int]]) -> Markup:
    """Return a passage as HTML in which these stretches (half-open characters) are marked."""
    return _mark(passage, [_Mark(start, end, "") for start, end in spans])


def mark_answer(answer: str, sentences: Sequence[Sentence], instructions: Iterable[tuple[int, int]] = ()) -> Markup:
    """Return an answer as HTML: what no source says, numbers and names that stand in none, and which source says the rest.

    `instructions` are marked as well: what speaks to the reviewer (see `instructions.flag_instructions`).
    """
    marks = [_Mark(part.start, part.end, *_verdict(part)) for part in sentences if _verdict(part)[0]]
    marks += [_Mark(start, end, "missing", _TITLES["missing"]) for part in sentences for start, end in part.missing]
    return _mark(answer, marks + _instructions(instructions))


def mark_instructions(text: str, spans: Iterable[tuple[int, int]]) -> Markup:
    """Return a text as HTML in which what speaks to its reviewer is marked (see `instructions.flag_instructions`)."""
    return _mark(text, _instructions(spans))


def _instructions(spans: Iterable[tuple[int, int]]) -> list[_Mark]:
    return [_Mark(start, end, "instruction", _TITLES["instruction"]) for start, end in spans]


def _verdict(part: Sentence) -> tuple[str, str]:
    if part.how == "unsupported":
        return "unsupported", _TITLES["unsupported"]
    if part.is_supported and part.passage is not None:
        return "supported", f"Source {part.passage + 1}{', word for word' if part.how == 'quote' else ''}"
    return "", ""


def _mark(text: str, marks: list[_Mark]) -> Markup:
    """Return HTML with a mark around each stretch; where stretches overlap, the piece has the marks of all."""
    edges: dict[int, list[_Mark]] = defaultdict(list)
    for mark in marks:
        start, end = max(0, mark.start), min(len(text), mark.end)
        if start < end:
            edges[start].append(mark)
            edges[end].append(mark)
    html: list[Markup] = []
    active: list[_Mark] = []
    previous = 0
    for edge in sorted(edges):
        html.append(_wrap(active, text[previous:edge]))
        for mark in edges[edge]:
            active.remove(mark) if mark in active and edge == min(len(text), mark.end) else active.append(mark)
        previous = edge
    return Markup("").join([*html, reveal(text[previous:])])


def _wrap(marks: list[_Mark], text: str) -> Markup:
    names = " ".join(dict.fromkeys(mark.name for mark in marks if mark.name))
    if not marks or not text:
        return reveal(text)
    if not names:
        return Markup("<mark>{}</mark>").format(reveal(text))
    titles = "; ".join(dict.fromkeys(mark.title for mark in marks if mark.title))
    return Markup('<span class="{}" title="{}">{}</span>').format(names, titles, reveal(text))
