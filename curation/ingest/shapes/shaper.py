"""The seam between readers and shapes: rows of one file in, records or the reason why not out.

shaper = open_shaper(source, "faq.csv", head)      a Shaper, or a ShapeProblem that rejects the file
shaper.describe()              "question_answer: question -> user, answer -> assistant (12 of 12 head rows fit)"
shaper.convert("faq/faq.csv#1", row)               Example(key="faq/faq.csv#1", ...) or Unusable("empty_text", ...)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from curation.ids import content_hash
from curation.ingest.config import SourceConfig
from curation.ingest.row_records import Unusable, row_group
from curation.ingest.rows import Row
from curation.ingest.shapes.cells import read_date
from curation.ingest.shapes.config import ShapeConfig
from curation.ingest.shapes.detect import Candidate, content_roles, detect
from curation.ingest.shapes.detect import ShapeProblem as ShapeProblem
from curation.ingest.shapes.documents import DocumentShaper
from curation.ingest.shapes.reading import Comparison, Demonstration, Draft
from curation.records import Document, Example, Message, PreferencePair, Provenance, UnpairedPreference

REJECTED_KIND = "dispreferred"
Shaped = Document | Example | PreferencePair | UnpairedPreference


class Shaper(Protocol):
    """Turns the rows of one file into records."""

    @property
    def name(self) -> str:
        """Name of the shape."""

    def describe(self) -> str:
        """Return one line for people: the shape, what each column is read as, how many head rows fit."""

    def convert(self, key: str, row: Row) -> Shaped | Unusable:
        """Return the record of a row under the given key; never raises, whatever the row holds."""


def open_shaper(source: SourceConfig, file_name: str, head: Sequence[Row]) -> Shaper | ShapeProblem:
    """Return what reads the rows of a file, judging by its first rows and what the source declares.

    Args:
        source: with role `documents`, rows are documents unless a shape of another name is declared; otherwise the shape
            is detected.
        file_name: name of the file, for the description of a problem.
        head: some hundred rows from the start of the file (all rows of a small one); they are only looked at.
    """
    config = source.shape
    if config.name == "documents" or (source.role == "documents" and config.name == "auto"):
        idle = [role for role in content_roles(config) if role != "text"]
        if idle:
            detail = f"Columns are declared for {', '.join(idle)}, which documents do not have; declare `role: demonstrations`."
            return ShapeProblem("unknown_shape", detail)
        return DocumentShaper(source, tuple(head), _hint(source, config, head))
    found = detect(source, config, head)
    return found if isinstance(found, ShapeProblem) else RowShaper(source, found)


def _hint(source: SourceConfig, config: ShapeConfig, head: Sequence[Row]) -> str:
    """Say that the rows of a source of documents look like demonstrations, if they do."""
    found = detect(source, config, head) if config.name == "auto" and not source.text_columns else None
    if not isinstance(found, Candidate) or 2 * found.fits < len(head):
        return ""
    return f"; they look like {found.shape.name}, which `role: demonstrations` reads"


@dataclass(frozen=True, slots=True)
class RowShaper:
    """Reads each row of a file as the detected or declared shape says."""

    source: SourceConfig
    candidate: Candidate

    @property
    def name(self) -> str:
        """Name of the shape."""
        return self.candidate.shape.name

    def describe(self) -> str:
        """Return one line for people."""
        return self.candidate.describe()

    def convert(self, key: str, row: Row) -> Shaped | Unusable:
        """Return the record of a row, or why it is none."""
        reading = self.candidate.reading
        draft = self.candidate.shape.convert(reading, row.values)
        if isinstance(draft, Unusable):
            return draft
        column = reading.config.columns.date or self.source.date_column
        created_at = read_date(row.values.get(column)) if column else ""
        if created_at is None:
            return Unusable("invalid_date", f"Column '{column}' is neither an ISO 8601 date nor seconds since 1970.")
        group = row_group(self.source, row, by_key=False)
        return _finish(self.source, key, draft, group, created_at)


def _finish(source: SourceConfig, key: str, draft: Draft, group: str, created_at: str) -> Shaped:
    """Return the record that a draft makes; without a declared group, rows with the same prompt are one group."""
    provenance = Provenance(
        origin=source.origin,
        method="demonstration",
        license=source.license,
        output_terms=source.output_terms,
        created_at=created_at,
    )
    if isinstance(draft, Demonstration):
        return Example(
            key=key,
            task=source.task,
            messages=draft.messages,
            tools=draft.tools,
            group=group or prompt_hash(draft.messages[:-1]),
            provenance=provenance,
        )
    group = group or prompt_hash(draft.prompt)
    if isinstance(draft, Comparison):
        return PreferencePair(
            key=key,
            task=source.task,
            prompt=draft.prompt,
            chosen=draft.chosen,
            rejected=draft.rejected,
            rejected_kind=REJECTED_KIND,
            tools=draft.tools,
            group=group,
            provenance=provenance,
        )
    return UnpairedPreference(
        key=key,
        task=source.task,
        prompt=draft.prompt,
        answer=draft.answer,
        is_desirable=draft.is_desirable,
        group=group,
        provenance=provenance,
    )


def prompt_hash(prompt: Sequence[Message]) -> str:
    """Return the hash of a prompt, the same in every source and shape."""
    return content_hash([[message.role, message.text] for message in prompt])
