"""Withdrawing a source, a document or a pattern of documents, and what came of it.

    entry, reach = withdraw(home, Subject.parse("docs/*-draft.md"), who="Ada", reason="sent by mistake")
    reach.num_rows, [model.model for model in reach.models]            # 12, ["9f..."]

What is withdrawn is rejected at intake by the next run, no model is trained or promoted on what descends from it, and the
models that were are listed and marked in the ledger. Replies of the teacher stay paid for: a restoration asks for none again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from curation.config import as_plain
from curation.errors import WithdrawalRefusedError
from curation.home import Home
from curation.lineage.models import list_models, training_roots
from curation.lineage.search import TableIndex, count_keys, find_descendants, has_lineage, open_table
from curation.lineage.subject import Subject
from curation.lineage.withdrawals import Withdrawal, open_withdrawals
from curation.store import Store
from evaluation.release.registry import open_release_ledger


@dataclass(frozen=True, kw_only=True)
class ReachedRows:
    """The rows of one table that descend from a subject."""

    assets: tuple[str, ...]
    """Assets (with table name) whose newest version holds exactly this table, and models that were trained on it."""
    record: str
    keys: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ReachedModel:
    """A model that was trained, itself or through a parent, on rows that descend from a subject."""

    asset: str
    model: str
    num_rows: int
    live_in: str = ""
    """The recipe whose champion it is now; empty if it is none."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """All that descends from a subject: in the newest version of every asset, and in what models were trained on."""

    subject: Subject
    tables: tuple[ReachedRows, ...]
    models: tuple[ReachedModel, ...]
    num_rows: int
    """Rows and documents, each counted once however many tables hold it."""

    @property
    def keys(self) -> frozenset[str]:
        """The keys of all rows."""
        return frozenset(key for table in self.tables for key in table.keys)

    def as_plain(self) -> dict[str, Any]:
        """Return it as plain values."""
        plain: dict[str, Any] = as_plain(self)
        return plain


def find_reach(home: Home, subject: Subject) -> Reach:
    """Return every row and model that descends from a subject.

    Raises:
        MissingTableError, CorruptTableError: if something that it could stand in cannot be read.
    """
    store = home.store()
    holders = _holders(store)
    models = list(list_models(store))
    roots_of = {model: training_roots(store, model) for _, model in models}
    for asset, model in models:
        for root in roots_of[model]:
            holders.setdefault(root, []).append(f"{asset} {model[:12]}")
    tables = {root: table for root in holders if (table := _open(store, root)) is not None}
    found = dict(zip(tables, find_descendants(list(tables.values()), [subject]), strict=True))
    reached = (
        ReachedRows(
            assets=tuple(dict.fromkeys(holders[root])), record=table.record.__name__, keys=tuple(table.keys(found[root]))
        )
        for root, table in tables.items()
        if len(found[root])
    )
    return Reach(
        subject=subject,
        tables=tuple(reached),
        models=tuple(_reached_models(home, models, roots_of, found)),
        num_rows=count_keys(list(tables.values()), list(found.values())),
    )


def _holders(store: Store) -> dict[str, list[str]]:
    """Return the roots of all indexed tables of the newest snapshots, with the names of what holds them."""
    holders: dict[str, list[str]] = {}
    for snapshot in store.list_snapshots(""):
        for name, table in snapshot.tables.items():
            if has_lineage(table.record):
                partition = f"[{snapshot.partition}]" if snapshot.partition else ""
                holders.setdefault(table.root, []).append(f"{snapshot.asset}{partition} {name}")
    return holders


def _open(store: Store, root: str) -> TableIndex | None:
    return open_table(store, root) if has_lineage(str(store.read_manifest(root)["record"])) else None


def _reached_models(
    home: Home, models: Sequence[tuple[str, str]], roots_of: dict[str, list[str]], found: dict[str, Any]
) -> Iterator[ReachedModel]:
    live = _live_models(home, {asset.partition("/")[0] for asset, _ in models})
    for asset, model in models:
        num_rows = sum(len(found.get(root, ())) for root in roots_of[model])
        if num_rows:
            yield ReachedModel(asset=asset, model=model, num_rows=num_rows, live_in=live.get(model, ""))


def _live_models(home: Home, recipes: set[str]) -> dict[str, str]:
    ledger = open_release_ledger(home)
    try:
        live = {recipe: ledger.champion(recipe) for recipe in sorted(recipes)}
    finally:
        ledger.close()
    return {entry.model_hash: recipe for recipe, entry in live.items() if entry is not None}


def withdraw(home: Home, subject: Subject, *, who: str, reason: str) -> tuple[Withdrawal, Reach]:
    """Record a withdrawal, with the number of rows and the models that it reaches, and return both.

    Raises:
        WithdrawalRefusedError: if it stands already, or nothing in this home is named so.
        LedgerTamperedError, DatabaseError: if the ledger cannot be relied on or written; nothing is withdrawn then.
    """
    reach = find_reach(home, subject)
    if not reach.num_rows:
        raise WithdrawalRefusedError(problem=f"no document or row of this home belongs to the {subject.kind} '{subject.text}'")
    with open_withdrawals(home) as withdrawals:
        marked = sorted({model.model for model in reach.models})
        entry = withdrawals.append(
            action="withdraw", subject=subject, who=who, reason=reason, num_rows=reach.num_rows, models=marked
        )
    return entry, reach


def restore(home: Home, subject: Subject, *, who: str, reason: str) -> Withdrawal:
    """Record that a withdrawal stands no longer. Raises as `withdraw` does."""
    with open_withdrawals(home) as withdrawals:
        return withdrawals.append(action="restore", subject=subject, who=who, reason=reason)
