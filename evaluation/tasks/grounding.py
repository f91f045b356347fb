r"""Whether an answer rests on the documents of its prompt: its quotes stand there, and it quotes those that the reference does.

    measure_citations('<quote document="2">Returns ship free.</quote>\n\nNothing.', reference, sources)
        Citations(is_grounded=True, precision=1.0, recall=1.0, text="Nothing.")

The form of quotes is that of `curation.cited_answer`. Whether a sentence follows
from a source is for a judge.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from curation.cited_answer import Citation, read_cited_answer

_DOCUMENT = re.compile(r"<document(?: (\d{1,4}))?>\n(.*?)\n</document(?: \1)?>", re.DOTALL)


class Citations(NamedTuple):
    """What the quotes of an answer are worth."""

    is_grounded: bool
    """It quotes where the reference does and only then, and every quote stands in its document."""
    precision: float
    """Share of the quotes that stand in the document which they name; 1 without quotes if the reference has none either."""
    recall: float
    """Share of the documents that the reference quotes from which the answer quotes rightly; 1 if it quotes none."""
    text: str
    """The answer without its quotes."""


def find_sources(prompt: str) -> tuple[str, ...]:
    """Return the documents in a prompt, in order; none if it shows none between marks."""
    return tuple(match[2] for match in _DOCUMENT.finditer(prompt))


def without_sources(prompt: str, sources: Sequence[str] = ()) -> str:
    """Return what is asked, without the documents that the prompt shows to rest the answer on; all of it if nothing is left.

    Args:
        prompt: text of the prompt; documents between marks are left out.
        sources: documents that stand in it without marks.
    """
    text = _DOCUMENT.sub("\n", prompt)
    for source in sources:
        text = text.replace(source, "\n")
    return text.strip() or prompt


def measure_citations(answer: str, reference: str, sources: Sequence[str]) -> Citations:
    """Compare the quotes of an answer with the sources and with those of the reference."""
    given, wanted = read_cited_answer(answer), read_cited_answer(reference)
    right = [_places(citation, sources) for citation in given.citations]
    num_right = sum(bool(places) for places in right)
    expected = {place for citation in wanted.citations for place in _places(citation, sources)}
    found = {place for places in right for place in places} & expected
    precision = num_right / len(given.citations) if given.citations else float(not wanted.citations)
    is_grounded = precision == 1.0 and bool(given.citations) == bool(wanted.citations)
    return Citations(is_grounded, precision, len(found) / len(expected) if expected else 1.0, given.text)


def _places(citation: Citation, sources: Sequence[str]) -> set[int]:
    """Return the numbers of the sources that hold a quote word for word but for white space: the named one, or any."""
    quote = " ".join(citation.text.split())
    numbers = range(1, len(sources) + 1) if citation.document is None else [citation.document]
    return {
        number for number in numbers if quote and 1 <= number <= len(sources) and quote in " ".join(sources[number - 1].split())
    }
