"""`tunewright release`: what is live, what was live on a day, who approves, and back to the model before.

tunewright release history sdk_assistant
tunewright release live sdk_assistant --on 2026-11-30
tunewright release approve sdk_assistant --model 9f3c21ab --who Ada --reason "read 50 answers"
tunewright release rollback sdk_assistant --who Grace --reason "wrong on Mondays"
"""

import contextlib
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curation.errors import PromotionRefusedError, TunewrightError
from curation.home import Home
from pipelines.terminal import one_line, say

if TYPE_CHECKING:
    from evaluation.release.history import Reign
    from evaluation.release.registry import ReleaseLedger

release_app = typer.Typer(no_args_is_help=True, help="History, approval, rollback and mirrors of releases.")
RecipeName = Annotated[str, typer.Argument(help="Name of a recipe, or the path of a recipe file.")]
Who = Annotated[str, typer.Option(prompt=True, help="Who does it; it goes into the ledger.")]
Reason = Annotated[str, typer.Option(prompt=True, help="Why; it goes into the ledger.")]
ModelHash = Annotated[str, typer.Option("--model", help="Hash of the candidate, 8 characters or more.")]
NUM_SHOWN = 12
SHORTEST_PREFIX = 8


@release_app.command("history")
def print_history(recipe: RecipeName) -> None:
    """Print the release ledger of a recipe: what was live when, and why. The hash chain is verified first."""
    with opened_ledger() as ledger:
        num_entries = ledger.verify()
        entries = ledger.history(name_of(recipe, ledger))
        for entry in entries:
            _say(f"{entry.created_at}  {entry.action:<9} {entry.model_hash[:NUM_SHOWN]}  by {entry.who}: {entry.reason}")
        if not entries:
            _say(f"nothing was decided about '{recipe}' yet")
        else:
            _say(f"the ledger is intact: {num_entries} entries, the last of this recipe {entries[-1].hash}")


@release_app.command("live")
def print_live(
    recipe: RecipeName,
    on: Annotated[str | None, typer.Option("--on", help="A day (UTC), such as 2026-11-30; default: now.")] = None,
) -> None:
    """Say which model is live, or was live on a day, and why; and which candidate stands against it."""
    from evaluation.release.history import find_challenger, list_reigns, live_on

    with opened_ledger() as ledger:
        ledger.verify()
        name = name_of(recipe, ledger)
        history = ledger.history(name)
        reigns = live_on(history, _day(on)) if on else list_reigns(history)[-1:]
        for reign in reigns:
            _say(describe_reign(reign))
        if not reigns:
            _say(f"no model of '{name}' {f'was live on {on}' if on else 'is live'}")
        challenger = None if on else find_challenger(history)
        if challenger is not None:
            model = challenger.model_hash[:NUM_SHOWN]
            _say(f"challenger {model}, {challenger.action} on {challenger.created_at[:10]}: {challenger.reason}")


def describe_reign(reign: "Reign") -> str:
    """Return when a model was live, how it came to be, by whom and why, on one line."""
    entry, until = reign.entry, reign.until.isoformat() if reign.until else "now"
    how = "rolled back to" if entry.action == "rollback" else "promoted"
    why = f"{how} by {entry.who}, evidence {entry.evidence_hash}: {entry.reason}"
    return f"{entry.model_hash}  {entry.created_at} to {until}: {why}"


@release_app.command("approve")
def approve_candidate(recipe: RecipeName, model: ModelHash, who: Who, reason: Reason) -> None:
    """Approve one candidate that passes: this very model on this very evidence. `tunewright run` then promotes it."""
    from assets.release import evidence_of
    from evaluation.gate.promotion import approve, decide_promotion

    loaded, home = _load(recipe), Home.from_environment()
    evidence, store = evidence_of(loaded, home), home.store()
    if len(model) < SHORTEST_PREFIX or not evidence.model_hash.startswith(model):
        problem = f"the candidate is {evidence.model_hash}, not '{model}'."
        raise PromotionRefusedError(reason=problem)
    decision = decide_promotion(evidence, store, loaded.evaluation, loaded.release)
    with opened_ledger() as ledger:
        entry = approve(decision, evidence, ledger=ledger, store=store, who=who, reason=reason)
    _say(f"{loaded.name}: {entry.model_hash[:NUM_SHOWN]} approved by {entry.who} on evidence {entry.evidence_hash[:NUM_SHOWN]}")
    _say(f"`tunewright run {recipe}` promotes it")


@release_app.command("rollback")
def roll_back(
    recipe: RecipeName,
    reason: Reason,
    who: Who,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Do not read the earlier champion's files first (about a second a GB).")
    ] = False,
    although_withdrawn: Annotated[
        bool, typer.Option("--although-withdrawn", help="Also to a model that learnt from a source withdrawn since.")
    ] = False,
) -> None:
    """Make the champion before the present one live again."""
    from curation.lineage.withdrawals import standing_withdrawals
    from evaluation.release.mirrors.sync import mirrors_path
    from evaluation.release.rollback import rollback

    home = Home.from_environment()
    standing = () if although_withdrawn else standing_withdrawals(home)
    withdrawn = {model: item.sentence() for item in standing for model in item.model_hashes}
    with opened_ledger() as ledger:
        name, store = name_of(recipe, ledger), home.store()
        entry = rollback(
            name,
            ledger=ledger,
            store=store,
            home=home.path,
            who=who,
            reason=reason,
            is_verified=not unverified,
            withdrawn=withdrawn,
        )
        _say(f"{name}: {entry.model_hash} is live again")
        if not mirrors_path(name, home.path).exists():
            return  # no mirror was ever told anything, and reading a recipe takes seconds
        try:
            _tell_mirrors(name, _load(recipe).release.mirrors, ledger, home)
        except TunewrightError as problem:  # the rollback stands, whatever became of the recipe's file
            _say(f"the mirrors were not told: {problem}")


@release_app.command("mirror")
def mirror_champion(recipe: RecipeName) -> None:
    """Tell the mirrors that the recipe names which model is live. Exit code 1 if one could not be told."""
    from evaluation.release.mirrors.sync import make_mirrors

    loaded = _load(recipe)
    with opened_ledger() as ledger:
        failed = _tell_mirrors(loaded.name, loaded.release.mirrors, ledger, Home.from_environment())
    if not make_mirrors(loaded.release.mirrors):
        _say(f"'{loaded.name}' names no mirror: add `release.mirrors` to the recipe to have one")
    raise typer.Exit(1 if failed else 0)


def _tell_mirrors(name: str, config: Any, ledger: "ReleaseLedger", home: Home) -> int:
    from evaluation.release.mirrors.sync import make_mirrors, sync_mirrors

    reports = sync_mirrors(name, make_mirrors(config), ledger=ledger, store=home.store(), home=home.path)
    for report in reports:
        _say(f"mirror {report.mirror} ({report.target}): {report.place or report.error}")
    return sum(not report.place for report in reports)


@contextlib.contextmanager
def opened_ledger() -> Iterator["ReleaseLedger"]:
    """Open the release ledger of this installation for the time of a block."""
    from evaluation.release.registry import open_release_ledger

    ledger = open_release_ledger(Home.from_environment())
    try:
        yield ledger
    finally:
        ledger.close()


def name_of(recipe: str, ledger: "ReleaseLedger") -> str:
    """Return the name of a recipe: what the ledger knows needs no file, so that a broken one stops no rollback."""
    if Path(recipe).suffix not in (".yaml", ".yml") and ledger.history(recipe):
        return recipe
    name: str = _load(recipe).name
    return name


def _load(recipe: str) -> Any:
    from pipelines.recipe import find_recipe, load_recipe

    return load_recipe(find_recipe(recipe))


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day of UTC
    except ValueError as error:
        raise typer.BadParameter(f"'{text}' is no day such as 2026-11-30", param_hint="--on") from error


def _say(text: str) -> None:
    say(one_line(text))
