"""What reading a shard gives: records, a rejection for everything that is not one, and a report on each file.

Ingested.of([document, rejection], [report]).num_records    2
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Self

from curation.records import Document, Example, PreferencePair, Rejection, UnpairedPreference

Ingest = Document | Example | PreferencePair | UnpairedPreference | Rejection
"""One thing read from a source."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceReport:
    """What was found out about one file, query or data set, and how many rows came of it."""

    name: str
    format: str
    encoding: str
    """Python's name; empty for binary formats and where nothing could be read."""
    confidence: float
    """1.0 where the encoding is declared or follows from the bytes; less where it was detected by statistics."""
    shape: str
    """How the rows were read, in one line for people, with the findings of the reader."""
    rows: int
    """Rows (or documents) met, good and bad. rows == rejected + records made."""
    rejected: int

    def describe(self) -> str:
        """Return one line for people."""
        encoding = f", {self.encoding}" if self.encoding else ""
        sure = f" (detected, {self.confidence:.0%} sure)" if self.encoding and self.confidence < 1.0 else ""
        shape = f", {self.shape}" if self.shape else ""
        return (
            f"{self.name}: {self.format or 'unknown format'}{encoding}{sure}{shape}; {self.rows} rows, {self.rejected} rejected"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Ingested:
    """The records of a shard, in the order of their source. num_records counts all of them, rejections included."""

    documents: tuple[Document, ...] = ()
    examples: tuple[Example, ...] = ()
    pairs: tuple[PreferencePair, ...] = ()
    unpaired: tuple[UnpairedPreference, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    reports: tuple[SourceReport, ...] = ()
    num_records: int = 0

    @classmethod
    def of(cls, items: Iterable[Ingest], reports: Iterable[SourceReport] = ()) -> Self:
        """Sort what was read by its kind. `reports` is asked last, so that it may fill while the items are read."""
        kinds: dict[type, list[Ingest]] = {kind: [] for kind in _FIELD_OF_KIND}
        for item in items:
            kinds[type(item)].append(item)
        found = {_FIELD_OF_KIND[kind]: tuple(rows) for kind, rows in kinds.items()}
        return cls(**found, reports=tuple(reports), num_records=sum(map(len, kinds.values())))  # type: ignore[arg-type]


_FIELD_OF_KIND: dict[type, str] = {
    Document: "documents",
    Example: "examples",
    PreferencePair: "pairs",
    UnpairedPreference: "unpaired",
    Rejection: "rejections",
}
assert set(_FIELD_OF_KIND.values()) < {field.name for field in fields(Ingested)}
