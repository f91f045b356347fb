"""The command line: `tunewright --help`.

tunewright recipe check recipes/sdk_assistant.yaml
tunewright run sdk_assistant
tunewright trace 'polars_api/polars.Expr.str.head#routing/0'
"""

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console

from pipelines.layout_guard import check_layout

try:
    check_layout()  # before anything of ours is imported: it might not be ours
except Exception as refusal:
    sys.exit(f"error {refusal}")

from curation.errors import RecipeError, TunewrightError  # noqa: E402
from curation.home import Home  # noqa: E402
from pipelines.ledger_commands import ledger_app  # noqa: E402
from pipelines.lr_range_command import range_command  # noqa: E402
from pipelines.plan_command import plan_command  # noqa: E402
from pipelines.preflight_command import preflight_command  # noqa: E402
from pipelines.release_commands import print_history, release_app, roll_back  # noqa: E402
from pipelines.review_commands import review_app  # noqa: E402
from pipelines.serve_command import serve_command  # noqa: E402
from pipelines.terminal import say, say_error  # noqa: E402
from pipelines.withdraw_command import withdraw_command  # noqa: E402

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
app.add_typer(release_app, name="release")
app.add_typer(review_app, name="review")
RecipeName = Annotated[str, typer.Argument(help="Name of a shipped recipe, or the path of a recipe file.")]
console = Console(highlight=False)


@recipe_app.command("check")
def check_recipe(
    recipes: Annotated[
        list[str],
        typer.Argument(help="Names of shipped recipes or recipe files; none: all shipped ones.", default_factory=list),
    ],
) -> None:
    """Load recipes and say what is wrong with them, with file, line, value and the nearest valid name."""
    from pipelines.recipe import find_recipe, find_recipe_files, load_recipe

    wrong = 0
    for path in [find_recipe(name) for name in recipes] or find_recipe_files():
        try:
            recipe = load_recipe(path)
        except RecipeError as error:
            say_error(str(error))
            wrong += 1
            continue
        stages = ", ".join(["base", *(stage.method for stage in recipe.training.stages)])
        teachers = ", ".join(teacher.label for teacher in recipe.all_teachers)
        say(f"{path}: fine. {len(recipe.sources)} sources, teachers {teachers}, stages {stages}")
    raise typer.Exit(1 if wrong else 0)


@recipe_app.command("schema")
def print_schema(
    write: Annotated[bool, typer.Option(help="Write recipes/recipe.schema.json instead of printing it.")] = False,
) -> None:
    """Print the JSON Schema of a recipe, which editors use to complete and check it."""
    from assets.recipe import RECIPES
    from pipelines.recipe import recipe_schema

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

    run_in_session(_load(name), Home.from_environment(), console, summary=summary)


@app.command()
def dev(
    port: Annotated[
        int,
        typer.Option(
            min=1, max=65533, help="Port of the Dagster UI; the review app takes the next one, the code server that behind."
        ),
    ] = 3000,
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

    raise typer.Exit(check_in_session(_load(recipe), Home.from_environment(), console))


app.command("plan")(plan_command)
app.command("history")(print_history)
app.command("rollback")(roll_back)
app.command("lr-range")(range_command)
app.command("preflight")(preflight_command)
app.command("serve")(serve_command)
app.command("withdraw")(withdraw_command)


@app.command("status")
def print_status(recipe: RecipeName) -> None:
    """Say which assets are out of date; nothing is run."""
    from pipelines.session import find_stale_in_session

    targets = find_stale_in_session(_load(recipe), Home.from_environment())
    for target in targets:
        console.print(target.asset + (f"[{target.partition}]" if target.partition else ""), markup=False)
    if not targets:
        console.print("everything is up to date")


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; our own errors become one sentence and exit code 1, Ctrl-C exit code 130."""
    try:
        return app(args=arguments, prog_name="tunewright")
    except TunewrightError as error:
        say_error(str(error))
        sys.exit(1)
    except OSError as error:  # of the machine, not of ours: a folder that is read-only, a disk that is full
        where = f"'{error.filename}' cannot be used" if error.filename else "the machine refused"
        say_error(f"{where}: {error.strerror or error}. Check path, permissions and free space; what was finished is kept.")
        sys.exit(1)
    except SystemExit as stop:
        if stop.code == 130:  # Typer's answer to Ctrl-C
            Console(stderr=True).print("stopped; what was finished is kept, the same command goes on from there")
        raise


def _load(name: str) -> Any:
    """Return a recipe. What reads one takes a second to import, and `tunewright review` must be back at once after a crash."""
    from pipelines.recipe import find_recipe, load_recipe

    return load_recipe(find_recipe(name))


if __name__ == "__main__":
    main()
