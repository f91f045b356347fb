"""`tunewright withdraw SUBJECT --reason ... --who ...`: a source, a document or a pattern of documents, and what came of it.

tunewright withdraw docs/boats-oar.md --dry-run                          what would be reached, nothing is recorded
tunewright withdraw 'docs/*-draft.md' --reason "sent by mistake" --who Ada
tunewright withdraw docs/boats-oar.md --restore --reason "it was the other one" --who Ada
tunewright withdraw --list

What is withdrawn is rejected at intake by the next run, no model is trained or promoted on what descends from it, and the
models that were are listed and marked in the ledger. Replies of the teacher stay paid for: a restoration asks for none again.
"""

import getpass
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Console

from curation.config import as_plain
from curation.errors import WithdrawalRefusedError
from curation.home import Home
from curation.lineage.models import list_models, training_roots
from curation.lineage.search import TableIndex, count_keys, find_descendants, has_lineage, open_table
from curation.lineage.subject import Subject
from curation.lineage.withdrawals import Withdrawal, open_withdrawals
from curation.store import Store
from evaluation.registry import open_release_ledger

ROWS_SHOWN = 20


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


def print_reach(reach: Reach, console: Console) -> None:
    """Print what descends from a subject, the first rows of every table."""
    for table in sorted(reach.tables, key=lambda item: item.assets):
        console.print(f"{len(table.keys):>9,}  {table.record} in {', '.join(table.assets)}", markup=False, soft_wrap=True)
        for key in table.keys[:ROWS_SHOWN]:
            console.print(f"           {key}", markup=False, soft_wrap=True)
        if len(table.keys) > ROWS_SHOWN:
            console.print(f"           and {len(table.keys) - ROWS_SHOWN:,} more (--json lists all)", markup=False)
    for model in reach.models:
        live = f", LIVE in {model.live_in}: retrain it, or roll it back" if model.live_in else ""
        line = f"model      {model.asset} {model.model}: {model.num_rows:,} rows{live}"
        console.print(line, markup=False, soft_wrap=True)
    console.print(f"{reach.num_rows:,} rows and documents, {len(reach.models)} models", markup=False)


def withdraw_command(
    subject: Annotated[str, typer.Argument(help="Name of a source, key of a document, or a pattern with *.")] = "",
    reason: Annotated[str, typer.Option(help="Why; it goes into the ledger.")] = "",
    who: Annotated[str, typer.Option(help="Who asks for it. Default: your user name.")] = "",
    dry_run: Annotated[bool, typer.Option(help="Only list what would be reached.")] = False,
    is_restore: Annotated[bool, typer.Option("--restore", help="Let it be used again.")] = False,
    is_list: Annotated[bool, typer.Option("--list", help="Print the ledger of withdrawals.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON, every row.")] = False,
) -> None:
    """Withdraw a source or document: list all rows and models that came of it, and keep them out of the next run."""
    home, console = Home.from_environment(), Console(highlight=False)
    if is_list:
        _print_ledger(home, console, as_json=as_json)
        return
    named, asked_by = Subject.parse(subject), who or getpass.getuser()
    if is_restore:
        entry = restore(home, named, who=asked_by, reason=reason)
        console.print(f"restored: {named.kind} '{named.text}' (entry {entry.sequence}); run the recipe again", markup=False)
        return
    reach = find_reach(home, named) if dry_run else withdraw(home, named, who=asked_by, reason=reason)[1]
    if as_json:
        sys.stdout.write(json.dumps(reach.as_plain(), ensure_ascii=False) + "\n")
        return
    print_reach(reach, console)
    done = "nothing was recorded (--dry-run)" if dry_run else "withdrawn: the next run leaves them out"
    console.print(done, markup=False)


def _print_ledger(home: Home, console: Console, *, as_json: bool) -> None:
    with open_withdrawals(home) as withdrawals:
        entries = withdrawals.history()
        standing = {entry.sequence for entry in withdrawals.standing()}
    if as_json:
        plain = [{**as_plain(entry), "stands": entry.sequence in standing} for entry in entries]
        sys.stdout.write(json.dumps(plain, ensure_ascii=False) + "\n")
        return
    for entry in entries:
        state = "stands " if entry.sequence in standing else "restored" if entry.action == "withdraw" else "restore"
        what = f"{entry.kind} {entry.subject}  by {entry.who}: {entry.reason}"
        line = f"{entry.sequence:>4}  {entry.created_at}  {state:<8}  {what}"
        console.print(line, markup=False, soft_wrap=True)
    if not entries:
        console.print("nothing was ever withdrawn")
