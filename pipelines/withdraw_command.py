"""`tunewright withdraw SUBJECT --reason ... --who ...`: a source, a document or a pattern of documents, and what came of it.

tunewright withdraw docs/boats-oar.md --dry-run                          what would be reached, nothing is recorded
tunewright withdraw 'docs/*-draft.md' --reason "sent by mistake" --who Ada
tunewright withdraw docs/boats-oar.md --restore --reason "it was the other one" --who Ada
tunewright withdraw --list

What withdraws is imported when it is needed: it needs Arrow, and other commands should start without that.
"""

import getpass
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from curation.config import as_plain
from curation.home import Home

if TYPE_CHECKING:
    from pipelines.withdraw import Reach

ROWS_SHOWN = 20


def print_reach(reach: "Reach", console: Console) -> None:
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
    from curation.lineage.subject import Subject
    from pipelines.withdraw import find_reach, restore, withdraw

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
    from curation.lineage.withdrawals import open_withdrawals

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
