"""How many model-made generations lie between a row and what people wrote.

resolve_depths([human, made_from_human, made_from_that])    {"h/1": 0, "s/1": 1, "s/2": 2}
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from curation.records import Provenance


class Descendant(Protocol):
    """A row with a key and a provenance."""

    @property
    def key(self) -> str:
        """The stable name."""

    @property
    def provenance(self) -> Provenance:
        """Where the row comes from."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """The depth of every row, and the rows that descend from themselves."""

    depths: dict[str, int]
    circular: tuple[str, ...]


def resolve_lineage(rows: Iterable[Descendant]) -> Lineage:
    """Return the depth of every row: what it declares, or more if its parents among the rows say so.

    A synthetic row is one deeper than its deepest parent; a row that people wrote or edited adds nothing. Parents that
    are not among the rows count by what the row declares. Rows in a circle keep what they declare and are listed.
    """
    known: dict[str, Descendant] = {}
    for row in rows:
        other = known.get(row.key)
        if other is None or row.provenance.generation_depth > other.provenance.generation_depth:
            known[row.key] = row
    depths: dict[str, int] = {}
    circular: set[str] = set()
    for key in sorted(known):
        _resolve(key, known, depths, circular)
    return Lineage(depths=depths, circular=tuple(sorted(circular)))


def _resolve(start: str, known: Mapping[str, Descendant], depths: dict[str, int], circular: set[str]) -> None:
    """Depth-first without recursion, since a lineage may be longer than the stack."""
    path: list[str] = [start]
    open_keys: set[str] = set()
    while path:
        key = path[-1]
        if key in depths:
            open_keys.discard(path.pop())
            continue
        open_keys.add(key)
        missing = [parent for parent in known[key].provenance.parents if parent in known and parent not in depths]
        ring = [parent for parent in missing if parent in open_keys]
        if ring:
            circular.update(path[path.index(ring[0]) :])
        missing = [parent for parent in missing if parent not in open_keys]
        if missing:
            path.append(missing[0])
        else:
            depths[key] = _depth_of(known[key], depths)
            open_keys.discard(path.pop())


def _depth_of(row: Descendant, depths: Mapping[str, int]) -> int:
    above = max((depths.get(parent, 0) for parent in row.provenance.parents), default=0)
    return max(row.provenance.generation_depth, above + (row.provenance.origin == "synthetic"))
