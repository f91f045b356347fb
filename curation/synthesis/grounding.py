"""What a method writes about: a document or a stretch of it, and the checks that a row rests on it word for word.

    source = open_source(document)
    span = source.support(reply["quote"])             SourceSpan in document.text
    source.check_numbers(reply["answer"])             UnusableError: `number_not_in_source`
    source.shown()                                    the document as the teacher is shown it

A quote that touches text which speaks to its reader (`curation.synthesis.injection`) supports nothing.
"""

import dataclasses
import functools
import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from curation.records import Document, Message, SourceSpan, record_hash
from curation.synthesis.chunks import Chunk
from curation.synthesis.injection import InstructionSpan, find_instructions, overlaps
from curation.synthesis.parse import (
    MAX_ANSWER_CHARS,
    MAX_QUESTION_CHARS,
    MIN_QUESTION_CHARS,
    UnusableError,
    check_text,
    locate_quote,
)

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_LEADS_NOWHERE = re.compile(
    r"\b(?:this|the (?:above|given|provided|following)|that|these) "
    r"(?:document|text|passage|section|page|article|excerpt|chapter)\b"
    r"|\b(?:according to|in) the (?:document|text|passage|excerpt)\b|\b(?:mentioned|described|shown|listed) above\b"
    r"|\b(?:diese[mrs]?|obige[mnrs]?) (?:dokument|text|abschnitt|seite)s?\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A document, or a stretch of it, that rows are made from."""

    document: Document
    document_hash: str
    title: str
    start: int
    end: int
    """Half-open character offsets in the document's text."""
    instructions: tuple[InstructionSpan, ...]
    """Where the stretch speaks to its reader; offsets in `text`."""

    @property
    def text(self) -> str:
        """The stretch, verbatim."""
        return self.document.text[self.start : self.end]

    def shown(self) -> Document:
        """Return the stretch as a document, for a prompt."""
        return dataclasses.replace(self.document, title=self.title, text=self.text, sections=())

    def whole(self) -> SourceSpan:
        """Return the span of the stretch."""
        return self._span(0, self.end - self.start)

    def support(self, quote: str) -> SourceSpan:
        """Return where a quote stands in the document.

        Raises:
            UnusableError: `quote_not_in_source`, or `instruction_in_source` if it touches text that speaks to its reader.
        """
        start, end = locate_quote(quote, self.text)
        hit = overlaps(self.instructions, start, end)
        if hit is not None:
            raise UnusableError("instruction_in_source", f"The quote stands in text that instructs its reader ({hit.kind}).")
        return self._span(start, end)

    def quote(self, span: SourceSpan) -> str:
        """Return the text of a span of this document."""
        return self.document.text[span.start : span.end]

    def check_numbers(self, text: str, *given: str) -> None:
        """Check that every number of a text stands in the source or in what was `given`. Raises UnusableError."""
        known = {number for source in (self.title, self.text, *given) for number in _numbers(source)}
        strange = next((number for number in _numbers(text) if number not in known), None)
        if strange is not None:
            raise UnusableError("number_not_in_source", f"The number {strange[:40]} does not stand in the source.")

    def check_reply(self, *texts: str) -> None:
        """Check that what a teacher wrote about a source with instructions in it carries none on. Raises UnusableError."""
        for text in texts if self.instructions else ():
            if find_instructions(text):
                raise UnusableError("instruction_in_reply", "The source instructs its reader, and the reply carries that on.")

    def _span(self, start: int, end: int) -> SourceSpan:
        return SourceSpan(
            document_key=self.document.key,
            document_hash=self.document_hash,
            start=self.start + start,
            end=self.start + end,
        )


def open_source(document: Document, chunk: Chunk | None = None) -> Source:
    """Return a document, or a chunk of it, as a source."""
    start, end = (chunk.start, chunk.end) if chunk else (0, len(document.text))
    return Source(
        document=document,
        document_hash=_hash_of(document),
        title=chunk.title if chunk else document.title,
        start=start,
        end=end,
        instructions=tuple(find_instructions(document.text[start:end])),
    )


@functools.lru_cache(maxsize=4096)
def _hash_of(document: Document) -> str:
    return record_hash(document)


def count_flagged(sources: Iterable[Source]) -> float:
    """Return how many documents have text that speaks to its reader: the figure `instructions_in_documents`."""
    return float(len({source.document.key for source in sources if source.instructions}))


def read_question(text: str, seen: Set[str]) -> str:
    """Return a question on one line; `seen` holds the earlier ones, folded, and is left to the caller to fill.

    Raises:
        UnusableError: if it is too short or long, was seen before, or cannot be understood without the document.
    """
    question = " ".join(text.split())
    check_text(question, "question", MIN_QUESTION_CHARS, MAX_QUESTION_CHARS)
    lost = _LEADS_NOWHERE.search(question)
    if lost is not None:
        raise UnusableError("not_self_contained", f"The question says '{lost.group()}', which nobody can see.")
    if question.casefold() in seen:
        raise UnusableError("repeated_question", "This question is asked twice.")
    return question


def read_answer(text: str) -> str:
    """Return an answer without outer white space. Raises UnusableError if it is empty, too long, or holds bad characters."""
    answer = text.strip()
    check_text(answer, "answer", 1, MAX_ANSWER_CHARS)
    return answer


def open_messages(system_prompt: str) -> tuple[Message, ...]:
    """Return the beginning of a row: the system message, if there is one."""
    return (Message(role="system", content=system_prompt),) if system_prompt else ()


def distinct_spans(spans: Sequence[SourceSpan]) -> tuple[SourceSpan, ...]:
    """Return spans in order, each once."""
    return tuple(dict.fromkeys(spans))


def _numbers(text: str) -> list[str]:
    """Return the numbers of a text, without marks of thousands and zeros that say nothing."""
    return [re.sub(r"[.,](?=\d{3}(?!\d))", "", number).replace(",", ".") for number in _NUMBER.findall(text)]
