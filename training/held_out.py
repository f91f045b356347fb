"""Rows that a stage does not learn, so that its loss on them says when to stop: whole groups, chosen by their name alone.

learnt, held_out = split_groups(store, share=0.1)
learnt.read_table(Example, root, asset="sft_dataset")       # nine groups of ten
held_out.read_table(Example, root, asset="sft_dataset")     # the tenth

A group never changes its side as rows come and go.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from curation.errors import ConfigError
from curation.ids import stable_fraction
from curation.records import Record

R = TypeVar("R", bound=Record)
SALT = "early_stopping"


class RecordSource(Protocol):
    """Where records are read: a store, or one side of it."""

    def read_table(self, cls: type[R], root: str, *, asset: str = ...) -> Iterable[R]:
        """Return the records of a table."""
        ...


@dataclass(frozen=True)
class Side:
    """The records on one side of the split."""

    store: RecordSource
    share: float
    """Share of the groups that is held out."""
    is_held_out: bool

    def read_table(self, cls: type[R], root: str, *, asset: str = "the asset that makes it") -> Iterator[R]:
        """Yield the records of a table on this side.

        Raises:
            ConfigError: if there are none, since then there is nothing to learn or nothing to measure.
        """
        groups, num_found = set(), 0
        for record in self.store.read_table(cls, root, asset=asset):
            group: str = record.group  # type: ignore[attr-defined]
            groups.add(group)
            if is_held_out(group, self.share) == self.is_held_out:
                num_found += 1
                yield record
        if groups and not num_found:
            problem = f"leaves none to {'measure on' if self.is_held_out else 'learn from'}, of {len(groups)} groups"
            raise ConfigError(path="early_stopping.held_out_share", problem=problem, value=self.share)


class Split(NamedTuple):
    """Both sides."""

    learnt: Side
    held_out: Side


def split_groups(store: RecordSource, *, share: float) -> Split:
    """Return both sides of a store's records."""
    return Split(Side(store, share, is_held_out=False), Side(store, share, is_held_out=True))


def is_held_out(group: str, share: float) -> bool:
    """Tell on which side a split group stands."""
    return stable_fraction(group, SALT) < share
