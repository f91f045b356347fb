"""The training rows and documents nearest to a question, by the words that they share (BM25).

    find_nearest({"faq/12": "Which part reads CSV files?"}, passages)["faq/12"][0]
        Nearest(kind="training row", key="api/polars.read_csv#routing/0", text="How do I read ... -> input_output", score=9.1)

It shows what an answer may have been learnt from, or what is missing in the data. It proves nothing: a model looks no rows up.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from curation.bm25 import Bm25Index
from curation.records import Document, Example

MAX_PASSAGES = 200_000
"""Of each kind; of more, the first by key are searched."""
MAX_QUESTIONS = 2_000
SHOWN_OF_A_KIND = 3
MAX_TEXT = 300


class Passage(NamedTuple):
    """Something that training read."""

    kind: str
    """`training row` or `document`."""
    key: str
    text: str


class Nearest(NamedTuple):
    """A passage near a question, with its BM25 score."""

    kind: str
    key: str
    text: str
    score: float


def passages_of(examples: Iterable[Example], documents: Iterable[Document]) -> list[Passage]:
    """Return training rows as question and answer, and documents as title and text, at most `MAX_PASSAGES` of each."""
    rows = [Passage("training row", row.key, f"{_question(row)} -> {row.answer}") for row in examples]
    texts = [Passage("document", row.key, f"{row.title}: {row.text}"[:4000]) for row in documents]
    return [passage for kind in (rows, texts) for passage in sorted(kind)[:MAX_PASSAGES]]


def _question(row: Example) -> str:
    return row.prompt[-1].text if row.prompt else ""


def find_nearest(questions: Mapping[str, str], passages: Iterable[Passage]) -> dict[str, tuple[Nearest, ...]]:
    """Return the nearest passages of each kind by the key of the question, best first; the first `MAX_QUESTIONS` by key."""
    by_kind: dict[str, list[Passage]] = {}
    for passage in passages:
        by_kind.setdefault(passage.kind, []).append(passage)
    indexes = {kind: Bm25Index(passage.text for passage in found) for kind, found in by_kind.items()}
    return {
        key: tuple(
            Nearest(kind, by_kind[kind][at].key, by_kind[kind][at].text[:MAX_TEXT], round(score, 3))
            for kind, index in indexes.items()
            for at, score in index.rank(questions[key], limit=SHOWN_OF_A_KIND)
        )
        for key in sorted(questions)[:MAX_QUESTIONS]
    }
