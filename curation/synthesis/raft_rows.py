r"""The rows of RAFT: several documents and a question, answered with quotes from the one document that knows.

    row = build_raft_row(RaftParts(key="faq/7", question="...", answer="...", quotes=("...",)), oracle, distractors,
                         provenance=provenance)
    row.messages[-2].content     '<document 1>\nTitle: Returns\n\nReturns ship free ...\n</document 1>\n\n...\n\nQuestion: ...'
    row.messages[-1].content     '<quote document="1">Returns ship free.</quote>\n\nNothing.'
    read_raft_row(row).oracle    0: the place of the oracle among the documents; None where it was left out

RAFT: Zhang et al. 2024, "RAFT: Adapting Language Model to Domain Specific RAG" (arXiv 2403.10131). In a share of the rows
the oracle is left out and another distractor stands in its place, so that the number of documents says nothing. The order of
the documents is drawn by a stable hash of the row's key. Where the oracle is, is written twice: in the marks of the quotes,
and in the provenance, whose spans are first the quotes, then the documents in the order of the prompt, and last an oracle that
was left out. All of them are there because each is text of the row, and goes when its source is withdrawn.
"""

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass

from curation.cited_answer import Citation, read_cited_answer
from curation.ids import stable_fraction
from curation.records import Example, Message, Provenance, SourceSpan
from curation.synthesis.citations import check_marks, format_answer
from curation.synthesis.distractors import Passage
from curation.synthesis.grounding import open_messages

_DOCUMENT = re.compile(r"<document (\d{1,4})>\n(?:Title: ([^\n]*)\n\n)?(.*?)\n</document \1>\n\n", re.DOTALL)
_QUESTION = "Question: "


@dataclass(frozen=True, kw_only=True)
class RaftParts:
    """What a row is made of besides its documents."""

    key: str
    question: str
    answer: str
    quotes: tuple[str, ...] = ()
    """Stretches of the oracle, verbatim."""
    quote_spans: tuple[SourceSpan, ...] = ()
    """Where the quotes stand in their document, in order; empty for rows that bring their context with them."""
    reasoning: str = ""
    group: str = ""
    """Split group; empty: the key."""
    system_prompt: str = ""
    task: str = "raft"


@dataclass(frozen=True, kw_only=True)
class RaftReading:
    """A row taken apart."""

    documents: tuple[str, ...]
    question: str
    citations: tuple[Citation, ...]
    answer: str
    oracle: int | None
    """Place of the cited document in `documents`, from 0; None if nothing is cited."""


def build_raft_row(
    parts: RaftParts,
    oracle: Passage,
    distractors: Sequence[Passage],
    *,
    provenance: Provenance,
    with_oracle: bool = True,
    answer_without_oracle: str | None = None,
    seed: int = 0,
) -> Example:
    """Return a row over the distractors and, unless it is left out, the oracle.

    Args:
        parts: question, answer and quotes.
        oracle: the passage that answers the question.
        distractors: the other passages; without the oracle give one more, so that all rows have equally many documents.
        provenance: where the row comes from; spans, licences and terms of its documents are added.
        with_oracle: False leaves the oracle out. Nothing is quoted then, since nothing shown could be.
        answer_without_oracle: what to answer then; None: the answer itself (the paper's choice: the model learns it by heart).
        seed: of the order of the documents.

    Raises:
        UnusableError: `marks_in_text` if a text holds the marks that rows are made with, or a quote is not in the oracle.
    """
    shown = [*distractors, oracle] if with_oracle else list(distractors)
    shown.sort(key=lambda passage: stable_fraction(f"{parts.key}\n{passage.key}", f"raft order {seed}"))
    check_marks(parts.question, *(f"{passage.title}\n{passage.text}" for passage in shown))
    assert all(quote in oracle.text for quote in parts.quotes)
    prompt = "".join(_format_document(number, passage) for number, passage in enumerate(shown, start=1))
    return Example(
        key=parts.key,
        task=parts.task,
        messages=(
            *open_messages(parts.system_prompt),
            Message(role="user", content=f"{prompt}{_QUESTION}{parts.question}"),
            Message(role="assistant", content=_format_answer(parts, shown, oracle, with_oracle, answer_without_oracle)),
        ),
        group=parts.group or parts.key,
        provenance=_with_documents(provenance, parts if with_oracle else None, [*shown, oracle]),
    )


def _format_document(number: int, passage: Passage) -> str:
    title = " ".join(passage.title.split())[:300]
    head = f"Title: {title}\n\n" if title or passage.text.startswith("Title: ") else ""
    return f"<document {number}>\n{head}{passage.text}\n</document {number}>\n\n"


def _format_answer(
    parts: RaftParts, shown: Sequence[Passage], oracle: Passage, with_oracle: bool, answer_without_oracle: str | None
) -> str:
    if not with_oracle:
        return format_answer((), parts.answer if answer_without_oracle is None else answer_without_oracle)
    number = shown.index(oracle) + 1
    said = f"{parts.reasoning}\n\n{parts.answer}" if parts.reasoning else parts.answer
    return format_answer([Citation(quote, number) for quote in parts.quotes], said)


def _with_documents(provenance: Provenance, parts: RaftParts | None, passages: Sequence[Passage]) -> Provenance:
    """Add the spans, licences and terms of the documents; each document once, in the order of the prompt."""
    distinct = list(dict.fromkeys(passages))
    quotes = parts.quote_spans if parts else ()
    spans = (*quotes, *(passage.span for passage in distinct if passage.span is not None))
    licenses = dict.fromkeys(filter(None, (provenance.license, *(passage.license for passage in distinct))))
    stated = (provenance.output_terms, *(passage.output_terms for passage in distinct))
    terms = dict.fromkeys(part for text in stated for part in text.split("; ") if part)
    return dataclasses.replace(provenance, spans=spans, license=_join_licenses(list(licenses)), output_terms="; ".join(terms))


def _join_licenses(licenses: Sequence[str]) -> str:
    """Return the SPDX expression of text under several licences, all of which hold."""
    if len(licenses) == 1:
        return licenses[0]
    return " AND ".join(f"({text})" if " OR " in text.upper() else text for text in licenses)


def read_raft_row(row: Example) -> RaftReading:
    """Take a row apart: what the documents are, and which of them the answer cites.

    Raises:
        ValueError: if the row is none that `build_raft_row` made.
    """
    prompt = row.messages[-2].content
    documents: list[str] = []
    at = 0
    while (match := _DOCUMENT.match(prompt, at)) is not None and int(match[1]) == len(documents) + 1:
        documents.append(match[3])
        at = match.end()
    if not documents or not prompt.startswith(_QUESTION, at):
        raise ValueError(f"the row '{row.key}' is no RAFT row")
    cited = read_cited_answer(row.answer)
    numbers = {citation.document for citation in cited.citations}
    oracle = numbers.pop() if len(numbers) == 1 else None
    return RaftReading(
        documents=tuple(documents),
        question=prompt[at + len(_QUESTION) :],
        citations=cited.citations,
        answer=cited.text,
        oracle=oracle - 1 if oracle else None,
    )
