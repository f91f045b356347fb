"""The command line: `tunewright --help`.

tunewright recipe check recipes/sdk_assistant.yaml
tunewright run sdk_assistant
tunewright trace 'polars_api/polars.Expr.str.head#routing/0'
"""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from pipelines.layout_guard import check_layout

try:
    check_layout()  # before anything of ours is imported: it might not be ours
except Exception as refusal:
    sys.exit(f"error {refusal}")

from assets.recipe import RECIPES  # noqa: E402
from curation.errors import TunewrightError  # noqa: E402
from curation.home import Home  # noqa: E402
from pipelines.ledger_commands import ledger_app  # noqa: E402
from pipelines.recipe import find_recipe, list_recipe_files, load_recipe, recipe_schema  # noqa: E402
from pipelines.review_commands import review_app  # noqa: E402
from pipelines.withdraw import withdraw_command  # noqa: E402

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="From raw data to a fine-tuned, evaluated and promoted language model, as one lineage-tracked graph.",
    epilog="Everything local is kept in TUNEWRIGHT_HOME (default: .tunewright in the current folder).",
)
recipe_app = typer.Typer(no_args_is_help=True, help="Check recipes and print their schema.")
app.add_typer(recipe_app, name="recipe")
app.add_typer(ledger_app, name="ledger")
app.add_typer(review_app, name="review")
RecipeName = Annotated[str, typer.Argument(help="Name of a shipped recipe, or the path of a recipe file.")]
console = Console(highlight=False)


@recipe_app.command("check")
def check_recipe(
    files: Annotated[list[Path], typer.Argument(help="Recipe files; none: all shipped ones.", default_factory=list)],
) -> None:
    """Load recipes and say what is wrong with them, with file, line, value and the nearest valid name."""
    for path in files or list_recipe_files():
        recipe = load_recipe(path)
        stages = ", ".join(recipe.training_stages)
        teachers = ", ".join(teacher.label for teacher in recipe.all_teachers)
        console.print(
            f"{path}: fine. {len(recipe.sources)} sources, teachers {teachers}, stages {stages}",
            markup=False,
            soft_wrap=True,
        )


@recipe_app.command("schema")
def print_schema(
    write: Annotated[bool, typer.Option(help="Write recipes/recipe.schema.json instead of printing it.")] = False,
) -> None:
    """Print the JSON Schema of a recipe, which editors use to complete and check it."""
    text = json.dumps(recipe_schema(), indent=1, sort_keys=True) + "\n"
    if write:
        (RECIPES / "recipe.schema.json").write_text(text)
    else:
        sys.stdout.write(text)


@app.command()
def run(recipe: RecipeName, summary: Annotated[bool, typer.Option(help="Print scores and counts at the end.")] = True) -> None:
    """Bring a recipe up to date: ingest, generate, curate, review, train, evaluate, release. Only what changed runs."""
    _run(recipe, summary=summary)


@app.command()
def demo() -> None:
    """Run the shipped recipe sdk_assistant from end to end, without a key or a GPU, and say where to look."""
    _run("sdk_assistant", summary=True)


def _run(name: str, *, summary: bool) -> None:
    from pipelines.session import run_in_session

    run_in_session(load_recipe(find_recipe(name)), Home.from_environment(), console, summary=summary)


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="Port of the Dagster UI; the review app takes the next one.")] = 3000,
) -> None:
    """Start the Dagster UI, its daemon and the review app together; Ctrl-C stops all three."""
    from pipelines.dev import serve_all

    raise typer.Exit(serve_all(Home.from_environment(), port, console))


@app.command()
def trace(
    id: Annotated[
        str, typer.Argument(help="Key or hash of an example or pair, review item, request id, answer or model hash.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the chain as JSON.")] = False,
) -> None:
    """Print the chain of an example, model or answer back to source text, teacher call and verdict."""
    from pipelines.trace import print_trace, trace_id

    chain = trace_id(Home.from_environment(), id)
    if as_json:
        sys.stdout.write(json.dumps(chain.as_plain(), indent=1, ensure_ascii=False) + "\n")
    else:
        print_trace(chain, console)


@app.command()
def check(recipe: RecipeName) -> None:
    """Run the quality suites and the held-out check for CI: exit code 1 if one of severity ERROR fails."""
    from pipelines.session import check_in_session

    raise typer.Exit(check_in_session(load_recipe(find_recipe(recipe)), Home.from_environment(), console))


@app.command()
def history(recipe: RecipeName) -> None:
    """Print the release ledger of a recipe: what was live when, and why. The hash chain is verified first."""
    from evaluation.registry import open_release_ledger

    ledger = open_release_ledger(Home.from_environment())
    try:
        ledger.verify()
        for entry in ledger.history(load_recipe(find_recipe(recipe)).name):
            line = f"{entry.created_at}  {entry.action:<9} {entry.model_hash[:12]}  by {entry.who}: {entry.reason}"
            console.print(line, markup=False, soft_wrap=True)
    finally:
        ledger.close()


@app.command()
def rollback(
    recipe: RecipeName,
    reason: Annotated[str, typer.Option(prompt=True, help="Why; it goes into the ledger.")],
    who: Annotated[str, typer.Option(prompt=True, help="Who rolls back.")],
) -> None:
    """Make the champion before the present one live again."""
    from evaluation.promotion import rollback as roll_back
    from evaluation.registry import open_release_ledger

    home, name = Home.from_environment(), load_recipe(find_recipe(recipe)).name
    ledger = open_release_ledger(home)
    try:
        entry = roll_back(name, ledger=ledger, store=home.store(), home=home.path, who=who, reason=reason)
        console.print(f"{name}: {entry.model_hash} is live again", markup=False)
    finally:
        ledger.close()


app.command("withdraw")(withdraw_command)


@app.command("status")
def print_status(recipe: RecipeName) -> None:
    """Say which assets are out of date; nothing is run."""
    from pipelines.session import find_stale_in_session

    targets = find_stale_in_session(load_recipe(find_recipe(recipe)), Home.from_environment())
    for target in targets:
        console.print(target.asset + (f"[{target.partition}]" if target.partition else ""), markup=False)
    if not targets:
        console.print("everything is up to date")


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; our own errors become one sentence and exit code 1, Ctrl-C exit code 130."""
    try:
        return app(args=arguments, prog_name="tunewright")
    except TunewrightError as error:
        Console(stderr=True, highlight=False).print(f"[bold red]error[/] {_escaped(str(error))}", soft_wrap=True)
        sys.exit(1)
    except SystemExit as stop:
        if stop.code == 130:  # Typer's answer to Ctrl-C
            Console(stderr=True).print("stopped; what was finished is kept, the same command goes on from there")
        raise


def _escaped(text: str) -> str:
    return text.replace("[", "\\[")


if __name__ == "__main__":
    main()
