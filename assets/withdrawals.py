"""Withdrawals in the graph: an input of intake, and a gate before every training and release.

`documents` and `demonstrations` have what is withdrawn of their source among their inputs, so that a new withdrawal (or a
restoration) makes them run again, and everything below with them. Nothing rests on that alone: `pass_withdrawal_gate` looks for
descendants in the very rows that a model is about to learn from, and in those that its parents learnt from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from assets.recipe import Recipe
from curation.errors import WithdrawnDataError
from curation.home import Home
from curation.ingest.sources import SourceShard
from curation.lineage.models import training_roots
from curation.lineage.search import TableIndex, find_descendants, has_lineage, open_table
from curation.lineage.subject import Subject
from curation.lineage.withdrawals import Withdrawal, standing_withdrawals, withdrawal_state
from curation.store import Snapshot, Store


def withdrawal_snapshot(recipe: Recipe, shard: str, standing: Sequence[Withdrawal]) -> Snapshot:
    """Return what is withdrawn of a shard's source, as an input of intake."""
    source = recipe.source_of(shard).name
    return Snapshot(asset=recipe.asset("withdrawals"), partition=shard, version=withdrawal_state(standing, source))


def withdrawal_snapshots(recipe: Recipe, home: Home, shards: Iterable[SourceShard]) -> list[Snapshot]:
    """Return the same for all shards of a recipe. Raises DatabaseError and LedgerTamperedError."""
    standing = standing_withdrawals(home)
    return [withdrawal_snapshot(recipe, shard.key, standing) for shard in shards]


@dataclass(frozen=True)
class WithdrawnRows:
    """Rows of some tables that descend from what is withdrawn."""

    num_rows: int
    first: str
    """Key of the first of them; empty if there is none."""


def find_withdrawn(recipe: Recipe, store: Store, roots: Iterable[str], subjects: Sequence[Subject]) -> WithdrawnRows:
    """Return how many rows of the tables with these roots descend from a subject, through any rows of the recipe.

    Raises:
        MissingTableError, CorruptTableError: if a table cannot be read.
    """
    wanted = {root: open_table(store, root) for root in sorted(set(roots))}
    others: dict[str, TableIndex] = {}
    for snapshot in store.list_snapshots(recipe.name):
        for table in snapshot.tables.values():
            if has_lineage(table.record) and table.root not in wanted and table.root not in others:
                others[table.root] = open_table(store, table.root)
    found = find_descendants([*wanted.values(), *others.values()], subjects)
    hits: list[tuple[TableIndex, Any]] = [(t, rows) for t, rows in zip(wanted.values(), found, strict=False) if len(rows)]
    first = hits[0][0].keys(hits[0][1][:1])[0] if hits else ""
    return WithdrawnRows(num_rows=sum(len(rows) for _, rows in hits), first=first)


def pass_withdrawal_gate(recipe: Recipe, home: Home, *, roots: Iterable[str], parents: Iterable[str], what: str) -> None:
    """Let training start only if nothing that is withdrawn stands in its data, or in that of the models it starts from.

    Raises:
        WithdrawnDataError: naming the first such row; nothing is trained then.
        DatabaseError, LedgerTamperedError: if the withdrawals cannot be read or relied on; nothing is trained either.
    """
    standing = standing_withdrawals(home)
    if not standing:
        return
    store = home.store()
    learnt = [*roots, *(root for parent in parents for root in training_roots(store, parent))]
    found = find_withdrawn(recipe, store, learnt, [item.what for item in standing])
    if found.num_rows:
        raise WithdrawnDataError(what=what, num_rows=found.num_rows, row=found.first, reason=standing[-1].sentence())


def release_obstacle(recipe: Recipe, home: Home, model: str) -> str:
    """Return why a model may not be promoted on account of withdrawals; empty if nothing stands against it."""
    try:
        pass_withdrawal_gate(recipe, home, roots=(), parents=[model], what=f"The model {model[:12]}")
    except WithdrawnDataError as error:
        return str(error)
    return ""
