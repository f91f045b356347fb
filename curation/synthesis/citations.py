r"""How an answer cites: its quotes first, each between marks with the number of its document, then the answer.

    format_answer([Citation(document=2, text="Returns ship free.")], "Nothing.")
        '<quote document="2">Returns ship free.</quote>\n\nNothing.'
    read_cited_answer(...)       takes it apart again, see `curation.cited_answer`

RAFT (Zhang et al. 2024, arXiv 2403.10131) marks quotes with ##begin_quote## and ##end_quote##; here the mark names the document
as well, so that whether a model cites the right one can be counted. Text that holds the marks cannot be cited.
"""

import re
from collections.abc import Sequence

from curation.cited_answer import Citation
from curation.synthesis.parse import UnusableError

_MARK = re.compile(r"</?quote\b|</?document\b", re.IGNORECASE)


def format_answer(citations: Sequence[Citation], text: str) -> str:
    """Return the answer with its quotes before it. Raises UnusableError (`marks_in_text`) if a text holds the marks."""
    check_marks(text, *(citation.text for citation in citations))
    quotes = "\n".join(_format(citation) for citation in citations)
    return f"{quotes}\n\n{text}" if quotes else text


def _format(citation: Citation) -> str:
    number = "" if citation.document is None else f' document="{citation.document}"'
    return f"<quote{number}>{citation.text}</quote>"


def check_marks(*texts: str) -> None:
    """Check that texts hold no marks of a quote or a document. Raises UnusableError."""
    if any(map(has_marks, texts)):
        raise UnusableError("marks_in_text", "The text holds marks such as <quote> or <document>, so it cannot be cited.")


def has_marks(text: str) -> bool:
    """Tell whether a text holds marks of a quote or a document."""
    return "<" in text and _MARK.search(text) is not None
