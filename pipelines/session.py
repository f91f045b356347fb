"""One session of the command line: the Dagster instance opened, dead runs cleared, definitions of one recipe built."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
from rich.console import Console

from assets.ingest import list_source_shards
from assets.recipe import Recipe
from curation.garbage import relax_collector
from curation.home import Home
from pipelines.compose import build_definitions
from pipelines.console import quiet_warnings
from pipelines.demo import print_summary, summarise, write_summary
from pipelines.instance import clear_dead_runs, prepare_dagster_home
from pipelines.runner import CheckedRecipe, run_checks, run_recipe
from pipelines.staleness import Target, find_stale
from training.launch import usable_cores


@dataclass(frozen=True, kw_only=True)
class Session:
    """What a command works with."""

    instance: dg.DagsterInstance
    definitions: dg.Definitions


@contextlib.contextmanager
def opened_session(recipe: Recipe, home: Home) -> Iterator[Session]:
    """Open the instance for the time of a block."""
    quiet_warnings()
    prepare_dagster_home(home)
    with dg.DagsterInstance.get() as instance:
        clear_dead_runs(instance)
        yield Session(instance=instance, definitions=build_definitions([recipe]))


def run_in_session(recipe: Recipe, home: Home, console: Console, *, summary: bool) -> None:
    """Run a recipe, then write (and print) what came out. Raises TunewrightError."""
    os.environ.setdefault("OMP_NUM_THREADS", str(usable_cores()))  # this process only waits while a model trains
    with opened_session(recipe, home) as session:
        relax_collector()
        tally = run_recipe(recipe, session.definitions, home, session.instance, lambda text: console.print(text, markup=False))
    facts = summarise(recipe, home, tally)
    write_summary(home, facts)
    if summary:
        print_summary(recipe, home, facts, console)


def check_in_session(recipe: Recipe, home: Home, console: Console) -> int:
    """Run all checks of a recipe and print them. Returns the exit code."""
    with opened_session(recipe, home) as session:
        return print_checks(run_checks(recipe, session.definitions, session.instance), console)


def print_checks(checked: CheckedRecipe, console: Console) -> int:
    """Print one line a check, and return 1 if one of severity ERROR failed, or if one could not be evaluated."""
    failed = 0
    for evaluation in checked.evaluations:
        is_error = not evaluation.passed and evaluation.severity == dg.AssetCheckSeverity.ERROR
        failed += is_error
        mark = "pass" if evaluation.passed else evaluation.severity.value.lower()
        name = f"{evaluation.asset_key.path[-1]}: {evaluation.check_name}"
        console.print(f"{mark:<6} {name}  {evaluation.description or ''}", markup=False, soft_wrap=True)
    for problem in checked.problems:
        names = ", ".join(key.name for key in problem.checks)
        what = f"{problem.checks[0].asset_key.path[-1]}: {names}  could not be evaluated: {problem.reason}"
        console.print(f"error  {what}", markup=False, soft_wrap=True)
    unknown = sum(len(problem.checks) for problem in checked.problems)
    said = f"{len(checked.evaluations) + unknown} checks, {failed} failed"
    console.print(f"{said}, {unknown} could not be evaluated" if unknown else said)
    return 1 if failed or unknown or not checked.evaluations else 0


def find_stale_in_session(recipe: Recipe, home: Home) -> list[Target]:
    """Return what is out of date."""
    with opened_session(recipe, home) as session:
        return find_stale(recipe, home, session.definitions.resolve_asset_graph(), list_source_shards(recipe))
