"""`tunewright lr-range RECIPE --stage NAME`: find a learning rate by trying a hundred of them.

The stage is tried in a process of its own, because the command line never imports torch.
"""

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console

from curation.home import Home
from pipelines.child_exit import explain_exit


def range_command(
    recipe: Annotated[str, typer.Argument(help="Name of a shipped recipe, or the path of a recipe file.")],
    stage: Annotated[str, typer.Option(help="Name of the model asset whose learning rate is wanted, such as sft_model.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON, with all rates and losses.")] = False,
) -> None:
    """Train for at most 100 steps while the learning rate rises from 1e-7 to 1, and say where the loss fell fastest.

    Needs the data of the stage and the model that it starts from; nothing is kept. It takes as long as 100 steps of the stage.
    """
    from assets.models import list_stage_specs
    from pipelines.recipe import find_recipe, load_recipe

    specs = list_stage_specs(Home.from_environment(), load_recipe(find_recipe(recipe)), folder="lr_range", stage=stage)
    if not specs:
        raise typer.BadParameter(f"the recipe has no stage that makes '{stage}'", param_hint="--stage")
    found = _try(specs[0])
    if as_json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        Console(highlight=False).print(describe_range(found), markup=False, soft_wrap=True)


def describe_range(found: dict[str, Any]) -> str:
    """Return the result of a range test in words, with the curve as a line of blocks."""
    from assets.learning_rate_check import draw_losses

    curve = [(rate, loss) for rate, loss in found["curve"] if loss is not None]
    lines = [f"loss from {curve[0][0]:.0e} to {curve[-1][0]:.0e}: {draw_losses([loss for _, loss in curve])}"] if curve else []
    if found["suggested"] is None:
        return "\n".join(
            [*lines, "the loss did not fall at any learning rate: look at the data first (`tunewright preflight`)"]
        )
    lines.append(f"learning_rate: {found['suggested']:.1e}")
    lines.append(f"the loss fell fastest at {found['steepest']:.1e} and was lowest at {found['best']:.1e}")
    if found.get("lowest") is not None:
        lines.append(f"safe: {found['lowest']:.1e} to {found['highest']:.1e}; the stage has {found['learning_rate']:.1e}")
    if found["diverged"] is not None:
        lines.append(f"it diverged at {found['diverged']:.1e}")
    return "\n".join(lines)


def _try(spec: Any) -> dict[str, Any]:
    from training.health.range_launch import launch_range_test

    done = launch_range_test(spec)
    if done.exit_code:
        raise typer.Exit(explain_exit(done.exit_code, "the range test"))  # the child has said why, unless it was killed
    return done.found
