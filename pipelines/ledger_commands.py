"""`tunewright ledger`: share paid replies with others, and see what was paid.

tunewright ledger totals --recipe sdk_assistant
tunewright ledger export replies.jsonl.zst --recipe sdk_assistant
tunewright ledger import replies.jsonl.zst
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from curation.home import Home
from pipelines.terminal import say

ledger_app = typer.Typer(no_args_is_help=True, help="Export, import and add up the replies that were paid for.")
OneRecipe = Annotated[str | None, typer.Option("--recipe", help="Only what was paid for the recipe of this name.")]


@ledger_app.command("export")
def export_calls(
    file: Annotated[Path, typer.Argument(help="File to write: .jsonl.zst, .jsonl.gz or .jsonl.")], recipe: OneRecipe = None
) -> None:
    """Write paid replies to a file, so that a team pays for each once. Replies that hold a key of this machine stay here."""
    from curation.synthesis.ledger.exchange import export_ledger
    from curation.synthesis.ledger.request_ledger import open_ledger

    with open_ledger(Home.from_environment()) as ledger:
        report = export_ledger(ledger, file, recipe=recipe)
    say(f"{file}: {report.num_calls:,} calls, {report.num_bytes:,} bytes")
    if report.num_withheld:
        say(f"{report.num_withheld:,} calls were left out: they hold the value of a key, token or password of this environment")


@ledger_app.command("import")
def import_calls(
    file: Annotated[Path, typer.Argument(help="File that `tunewright ledger export` wrote.")],
    recipe: Annotated[
        str, typer.Option("--recipe", help="Recipe that the calls are booked on, under the run 'imported'.")
    ] = "",
) -> None:
    """Take over paid replies: each row is verified, and what is there already stays. Exit code 1 if rows were refused."""
    from curation.synthesis.ledger.exchange import import_ledger
    from curation.synthesis.ledger.request_ledger import open_ledger

    with open_ledger(Home.from_environment()) as ledger:
        report = import_ledger(ledger, file, recipe=recipe)
    say(f"{file}: {report.num_added:,} added, {report.num_present:,} already there, {report.num_refused:,} refused")
    for reason, count in sorted(report.refused.items()):
        say(f"  {count:,} x {reason}")
    for line in report.first_refused:
        say(f"  {line}")
    if report.num_refused:
        raise typer.Exit(1)


@ledger_app.command("totals")
def print_totals(recipe: OneRecipe = None) -> None:
    """Print calls, tokens and money by recipe and run."""
    from curation.synthesis.ledger.request_ledger import open_ledger

    table = Table("recipe", "run")
    for name in ("calls", "prompt tokens", "reply tokens", "USD"):
        table.add_column(name, justify="right")
    with open_ledger(Home.from_environment()) as ledger:
        for name, run_id in ledger.list_payers():
            if recipe in (None, name):
                table.add_row(escape(name) or "-", escape(run_id) or "-", *_cells(ledger.totals(recipe=name, run_id=run_id)))
        table.add_section()
        table.add_row("all", "", *_cells(ledger.totals(recipe=recipe)))
    Console(highlight=False).print(table)


def _cells(totals: Any) -> tuple[str, str, str, str]:
    tokens = (f"{totals.prompt_tokens:,}", f"{totals.completion_tokens:,}")
    return f"{totals.num_calls:,}", *tokens, f"{totals.cost_usd:,.6f}"
