r"""An answer taken apart into the quotes at its beginning and the text that follows them.

    read_cited_answer('<quote document="2">Returns ship free.</quote>\n\nNothing.')
        CitedAnswer(citations=(Citation(document=2, text="Returns ship free."),), text="Nothing.")

`curation.synthesis.citations` writes such answers and says where the form comes from.
"""

import re
from dataclasses import dataclass

_QUOTE = re.compile(r'<quote(?: document="(\d{1,4})")?>(.*?)</quote>\s*', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Citation:
    """A quote, and the number of the document in the prompt that it stands in (from 1; None if there is only one)."""

    text: str
    document: int | None = None


@dataclass(frozen=True, slots=True)
class CitedAnswer:
    """An answer taken apart."""

    citations: tuple[Citation, ...]
    text: str


def read_cited_answer(answer: str) -> CitedAnswer:
    """Take an answer apart; what is no quote at its beginning is text."""
    citations: list[Citation] = []
    at = 0
    while (match := _QUOTE.match(answer, at)) is not None:
        citations.append(Citation(match[2], int(match[1]) if match[1] else None))
        at = match.end()
    return CitedAnswer(tuple(citations), answer[at:])
