"""`tunewright preflight RECIPE`: look at the rows of every stage as its training would, without training.

Each stage is looked at in a process of its own, because the command line never imports torch.
"""

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from curation.home import Home
from pipelines.child_exit import explain_exit


def preflight_command(
    recipe: Annotated[str, typer.Argument(help="Name of a shipped recipe, or the path of a recipe file.")],
    stage: Annotated[str, typer.Option(help="Name of one model asset, such as sft_model; all stages if left out.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON a stage.")] = False,
) -> None:
    """Prove on the real rows that training will learn what it should: mask, ends, template, batches, held-out rows.

    Prints every finding with rows decoded token by token, and writes a page for each stage. The data sets and the base model
    have to be there already (`tunewright run`, or materialize them in the UI). Exit code 1 if a stage would be stopped.
    """
    from assets.models import list_stage_specs
    from pipelines.recipe import find_recipe, load_recipe

    found, home = load_recipe(find_recipe(recipe)), Home.from_environment()
    specs = list_stage_specs(home, found, folder="preflight", stage=stage, is_any_parent=True)
    if not specs:
        raise typer.BadParameter(f"the recipe has no stage that makes '{stage}'", param_hint="--stage")
    options = ["--json"] if as_json else ["--colour"] if sys.stdout.isatty() else []
    codes = [_look(spec, options) for spec in specs]
    raise typer.Exit(max(codes))


def _look(spec: Any, options: list[str]) -> int:
    from training.launch import child_environment

    work = Path(spec.work_folder)
    work.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "training.preflight.command", str(spec.write(work / "spec.json")), *options]
    sys.stdout.flush()
    # In a group of its own it hears of no Ctrl-C, which would print what it was importing; this process ends it.
    code = subprocess.run(command, env=child_environment(), check=False, process_group=0).returncode
    return explain_exit(code, "the preflight")
