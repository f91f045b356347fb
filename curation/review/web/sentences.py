"""An answer with its sentences told apart, so that each can be pointed at: what the source does not hold stands out.

mark_sentences("Yes. It is free.", [Sentence(start=0, end=4, how="nothing"), Sentence(start=5, end=16, how="unsupported")])
    Markup('<span class="sentence" data-sentence="0">Yes.</span> <span class="sentence unsupported" data-sentence="1">...')
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from curation.review.evidence.support import Sentence, Span
from curation.review.web import show
from curation.review.web.marks import mark_answer

_NOTES = {"unsupported": "Not found in the source", "unchecked": "Not compared with the source"}


class Piece(NamedTuple):
    """A sentence as the page lists it."""

    number: int
    text: str
    is_unsupported: bool
    is_marked: bool


def mark_sentences(answer: str, sentences: Iterable[Sentence]) -> Markup:
    """Return an answer as HTML with a span around every sentence; numbers count from 0, as in `VoteDetails.unsupported`."""
    parts: list[Markup] = []
    at = 0
    for number, sentence in enumerate(sentences):
        if not at <= sentence.start < sentence.end <= len(answer):
            continue
        note = _NOTES.get(sentence.how, "")
        kind = f" {sentence.how}" if note else ""
        title = Markup(' title="{}"').format(note) if note else ""
        inside = _mark_missing(answer[sentence.start : sentence.end], sentence)
        span = Markup('<span class="sentence{}" data-sentence="{}"{}>{}</span>').format(kind, number, title, inside)
        parts += [show.reveal(answer[at : sentence.start]), span]
        at = sentence.end
    return Markup("").join([*parts, show.reveal(answer[at:])])


def _mark_missing(text: str, sentence: Sentence) -> Markup:
    missing = tuple(Span(start - sentence.start, end - sentence.start) for start, end in sentence.missing)
    return mark_answer(text, [Sentence(start=0, end=len(text), how="nothing", missing=missing)])


def list_pieces(answer: str, sentences: Sequence[Sentence], marked: Iterable[int]) -> list[Piece]:
    """Return the sentences that a reviewer may mark."""
    chosen = frozenset(marked)
    return [
        Piece(number, show.excerpt(answer[sentence.start : sentence.end], 120), sentence.how == "unsupported", number in chosen)
        for number, sentence in enumerate(sentences)
        if sentence.how != "nothing"
    ]
