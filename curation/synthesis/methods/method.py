"""What every method of generation offers, so that the recipe can combine them and fill quotas.

    method = Raft(config)
    units = method.plan(inputs)                 what could be made, in a stable order, nothing asked yet
    made = method.make(units[:50], session)     rows and rejections; every unit ends as at least one of them

A unit is the smallest piece of work that is asked for by itself: a document, a seed, a conversation to be.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from curation.records import Document, Example, PreferencePair, Rejection, VerifiableTask
from curation.synthesis.asking import Session

STAGE = "candidates"
"""Stage of all rejections that methods return."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What methods work on."""

    documents: Sequence[Document] = ()
    examples: Sequence[Example] = ()
    """Demonstrations of the same shard: seeds, tone, and what novelty is measured against."""
    seed: int = 0
    shard_index: int = 0
    num_shards: int = 1
    """Which of how many shards these inputs are: quotas are shared out, and what rests on no source is made in the first."""

    @property
    def has_free_units(self) -> bool:
        """Whether units that rest on no document and no example are made from these inputs too."""
        return self.shard_index == 0

    def share_of(self, number: int) -> int:
        """Return the part of a number that falls to this shard; the parts of all shards add up to it."""
        whole, rest = divmod(number, self.num_shards)
        return whole + (self.shard_index < rest)


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One piece of work."""

    key: str
    """`DOCUMENT_OR_SEED_KEY#METHOD`, with `/N` where one source gives several; the beginning of its rows' keys."""
    slice: str = ""
    """What quotas are counted by: a label, a language, a kind. Empty: all units of the method together."""
    payload: Any = None
    """What the method needs to work on it."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """What came of some units. Every row that was proposed is in exactly one of the four lists."""

    examples: tuple[Example, ...] = ()
    pairs: tuple[PreferencePair, ...] = ()
    tasks: tuple[VerifiableTask, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)
    """Numbers that are worth plotting, by name: `novelty`, `share_unanswerable`, `failed_evolutions`."""

    def __add__(self, other: "Made") -> "Made":
        return Made(
            examples=self.examples + other.examples,
            pairs=self.pairs + other.pairs,
            tasks=self.tasks + other.tasks,
            rejections=self.rejections + other.rejections,
            figures={**self.figures, **other.figures},
        )


class Method(Protocol):
    """A way of making rows."""

    @property
    def name(self) -> str:
        """Name in the recipe, in keys and in `Provenance.method`."""
        ...

    def plan(self, inputs: Inputs) -> list[Unit]:
        """Return all units that the inputs allow, in a stable order that is drawn by hash and not by position."""
        ...

    def make(self, units: Sequence[Unit], session: Session) -> Made:
        """Make rows of some units. One bad reply costs its own rows only."""
        ...
