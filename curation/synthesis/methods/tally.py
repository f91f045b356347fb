"""What a method counts up while it reads replies: rows, and a rejection for everything that is none.

tally = Tally()
for index, entry in tally.entries(answer, "questions", 3, document_hash):
    with tally.guard(answer, f"{unit.key}/{index}", document_hash) as key:
        tally.examples.append(build(key, entry))          an UnusableError in the block becomes a rejection
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from curation.records import Example, Rejection
from curation.synthesis.asking import Answer, Session
from curation.synthesis.citations import check_marks
from curation.synthesis.grounding import Source
from curation.synthesis.methods.method import STAGE, Made, Unit
from curation.synthesis.parse import UnusableError, excerpt_of


class Tally:
    """Rows and rejections as they come."""

    def __init__(self) -> None:
        self.examples: list[Example] = []
        self.rejections: list[Rejection] = []

    def reject(self, answer: Answer, record_hash: str, *, problem: UnusableError | None = None, key: str = "") -> None:
        """Note that nothing, or one row less, came of an answer."""
        self.rejections.append(answer.rejection(stage=STAGE, record_hash=record_hash, problem=problem, key=key))

    def without_marks(self, units: Sequence[Unit], sources: Sequence[Source]) -> list[Unit]:
        """Return the units whose text can stand in a row; the others are rejected before anything is paid for them."""
        kept: list[Unit] = []
        for unit, source in zip(units, sources, strict=True):
            try:
                check_marks(source.title, source.text)
                kept.append(unit)
            except UnusableError as error:
                self.rejections.append(
                    Rejection(
                        key=unit.key,
                        stage=STAGE,
                        reason=error.reason,
                        detail=error.detail,
                        record_hash=source.document_hash,
                        excerpt=excerpt_of(source.text),
                    )
                )
        return kept

    def entries(self, answer: Answer, name: str, number: int, record_hash: str) -> Iterator[tuple[int, Any]]:
        """Yield the entries of a reply's list with their places; an empty list is rejected, and so is every surplus entry."""
        found = answer.value[name]
        if not found:
            self.reject(answer, record_hash, problem=UnusableError("empty_reply", f"The list '{name}' has no entries."))
        for index, entry in enumerate(found):
            if index < number:
                yield index, entry
            else:
                problem = UnusableError("surplus_entry", f"Only {number} entries were asked for.")
                self.reject(answer, record_hash, problem=problem, key=f"{answer.ask.key}/{index}")

    @contextlib.contextmanager
    def guard(self, answer: Answer, key: str, record_hash: str) -> Iterator[str]:
        """Turn an `UnusableError` in the block into the rejection of one row. Yields the key of the row."""
        try:
            yield key
        except UnusableError as error:
            self.reject(answer, record_hash, problem=error, key=key)

    @staticmethod
    def also_asked(example: Example, answer: Answer) -> Example:
        """Return the row with a further call in its provenance."""
        provenance = example.provenance
        requests = tuple(dict.fromkeys((*provenance.request_ids, *answer.request_ids)))
        return dataclasses.replace(example, provenance=dataclasses.replace(provenance, request_ids=requests))

    def made(self, figures: Mapping[str, float]) -> Made:
        """Return what came of it."""
        return Made(examples=tuple(self.examples), rejections=tuple(self.rejections), figures=dict(figures))


def cold(session: Session) -> dict[str, Any]:
    """Return the sampling parameters of a check, which should come out the same every time."""
    return {"temperature": 0.0} if session.is_model else {}
