"""`tunewright plan RECIPE`: what each stage of training needs, and the fastest setting that fits, before anything is started.

tunewright plan sdk_assistant
tunewright plan my_recipe.yaml --gpu-memory 24 --base llama-3.1-8b/config.json --json
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from curation.home import Home

HELP = """Say what each stage of training needs, and which setting is the fastest that fits, before anything is started.

No weight is read: sizes come from the config.json of the base model. Peak memory is what torch allocates at the worst moment of
a step; it was at most 2 % below and 10 % above the peaks measured on one GPU (8B and 70B). Values that the recipe leaves
out are shown with where they come from. Settings that contradict each other or this machine are listed with what to change.

[bold]Examples[/]

  tunewright plan sdk_assistant

  tunewright plan my.yaml --gpu-memory 24

  tunewright plan my.yaml --gpu-memory 80 --base config.json

Exit code 1 if a stage does not fit or is refused."""


def plan_command(
    recipe: Annotated[str, typer.Argument(help="Name of a shipped recipe, or the path of a recipe file.")],
    gpu_memory: Annotated[
        float | None,
        typer.Option(help="GiB of one device, instead of what nvidia-smi says; 0 plans for a CPU.", min=0.0, max=100_000.0),
    ] = None,
    base: Annotated[
        Path | None, typer.Option(help="config.json of the base model, if it is neither made nor downloaded yet.")
    ] = None,
    tokens_per_second: Annotated[
        float | None, typer.Option(help="Measured speed over all devices; by default that of the last run.", min=0.1)
    ] = None,
    values: Annotated[bool, typer.Option(help="Show the settings of each stage and where they come from.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, sizes in bytes.")] = False,
) -> None:
    """See HELP, which Typer shows."""
    from pipelines.plan_report import as_plain, print_plan
    from pipelines.recipe import find_recipe, load_recipe
    from pipelines.training_plan import plan_recipe

    planned = plan_recipe(
        load_recipe(find_recipe(recipe)),
        Home.from_environment(),
        gpu_memory=gpu_memory,
        base=base,
        tokens_per_second=tokens_per_second,
    )
    if as_json:
        sys.stdout.write(json.dumps(as_plain(planned), indent=1) + "\n")
    else:
        print_plan(planned, Console(highlight=False), shows_values=values)
    raise typer.Exit(0 if planned.is_possible else 1)


plan_command.__doc__ = HELP
