"""What reading a shard gives: records, and a rejection for everything that is not one.

Ingested.of(documents=[document], rejections=[rejection]).num_records    2
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from curation.records import Document, Example, Rejection


@dataclass(frozen=True, kw_only=True, slots=True)
class Ingested:
    """The records of a shard, in the order of their source. num_records == documents + examples + rejections."""

    documents: tuple[Document, ...] = ()
    examples: tuple[Example, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    num_records: int = 0

    @classmethod
    def of(
        cls, *, documents: Iterable[Document] = (), examples: Iterable[Example] = (), rejections: Iterable[Rejection] = ()
    ) -> Self:
        """Count the records of a shard."""
        rows = (tuple(documents), tuple(examples), tuple(rejections))
        return cls(documents=rows[0], examples=rows[1], rejections=rows[2], num_records=sum(map(len, rows)))
