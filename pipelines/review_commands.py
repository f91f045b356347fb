"""`tunewright review`: serve the review app, move items and verdicts in and out, check, back up.

tunewright review                                               starts the app, as `tunewright review serve` does
tunewright review import records.json --queue my_queue
tunewright review export items.csv --queue sdk_assistant --shape flat
tunewright review verify
"""

import contextlib
import dataclasses
import datetime
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from curation.database import Database
from curation.home import Home
from pipelines.review_people import user_app
from pipelines.review_serve import Port, serve_command
from pipelines.review_serve import start as start_app
from pipelines.review_webhooks import webhooks_app
from pipelines.terminal import say

review_app = typer.Typer(
    invoke_without_command=True,
    help="Review what the model learns: serve the pages, move items and verdicts in and out, check and back up.",
    epilog="Without a command, the app is started, as by `serve`.",
)
review_app.add_typer(user_app, name="user")
review_app.add_typer(webhooks_app, name="webhooks")

OneQueue = Annotated[str, typer.Option("--queue", "-q", help="Name of the queue; a recipe's queue has the recipe's name.")]
QUEUE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@review_app.callback()
def start(context: typer.Context, port: Port = 3001) -> None:
    """Start the app if no command follows."""
    if context.invoked_subcommand is None:
        start_app(port)


review_app.command("serve")(serve_command)


@review_app.command("import")
def import_file(
    file: Annotated[
        Path, typer.Argument(help="JSONL, JSON, CSV, TSV, Parquet or Arrow; Argilla's records and Label Studio's tasks too.")
    ],
    queue: OneQueue,
    overlap: Annotated[int | None, typer.Option(min=1, max=9, help="How many people decide each item (new queue: 1).")] = None,
    rubric: Annotated[Path | None, typer.Option(help="Text file with what reviewers are told.")] = None,
    question: Annotated[str, typer.Option(help="Argilla, Label Studio: the question that holds the decision.")] = "decision",
    label: Annotated[list[str], typer.Option(help="What a label means: 'Looks fine=approve'. May be repeated.")] = [],  # noqa: B006
    column: Annotated[list[str], typer.Option(help="Where a column is: 'prompt=ask'. May be repeated.")] = [],  # noqa: B006
    votes: Annotated[bool, typer.Option("--votes/--no-votes", help="Take what people said in the other tool.")] = True,
    items: Annotated[
        bool, typer.Option("--items/--no-items", help="Take items; without, votes on items that are here.")
    ] = True,
    rejects: Annotated[Path | None, typer.Option(help="Where rows go that cannot be taken (FILE.rejects.jsonl).")] = None,
) -> None:
    """Put the items of a file into a queue of any name, and record what people said about them elsewhere.

    A row that cannot be taken is written to the file of rejects, with its line and the reason; the rest goes on. The same
    file again adds nothing, so an import that was stopped goes on by the same command. Exit code 1 if rows were refused.
    """
    from curation.review.exchange.import_items import import_items, queue_config
    from curation.review.exchange.incoming import Reading
    from curation.review.queue import ReviewQueue
    from pipelines.recipe import list_recipe_files

    if items and queue in {path.stem for path in list_recipe_files()}:
        problem = f"'{queue}' is the queue of a recipe, which says itself what is in it; --no-items takes votes on its items"
        raise typer.BadParameter(problem, param_hint="--queue")
    with _database() as database, _progress(f"import {file.name}") as step:
        target = ReviewQueue(database, _queue_name(queue))
        config = queue_config(target)
        changed: dict[str, Any] = {"overlap": overlap} if overlap else {}
        changed |= {"rubric": _read_text(rubric)} if rubric else {}
        config = dataclasses.replace(config, **changed)
        reading = Reading(
            rubric_version=config.rubric_version, question=question, meanings=_pairs(label), columns=_pairs(column)
        )
        given: dict[str, Any] = {"with_items": items, "with_votes": votes, "progress": step}
        report = import_items(target, file, config=config, reading=reading, rejects=rejects, **given)
    say(f"{queue}: {report.num_added:,} added, {report.num_present:,} already there, {report.num_refused:,} refused")
    votes_said = (
        f"{report.num_votes:,} recorded, {report.num_votes_present:,} already there, {report.num_votes_refused:,} refused"
    )
    say(f"votes: {votes_said}")
    for reason, count in sorted(report.refused.items()):
        say(f"  {count:,} x {reason}")
    for line in report.first_refused[:5]:
        say(f"  {line}")
    if report.refused:
        say(f"see {rejects or file.with_name(file.name + '.rejects.jsonl')}")
        raise typer.Exit(1)


@review_app.command("export")
def export_file(
    file: Annotated[
        Path, typer.Argument(help="File to write; its suffix is the format: .jsonl, .json, .csv (flat), .parquet (tunewright).")
    ],
    queue: OneQueue,
    shape: Annotated[
        str, typer.Option(help="tunewright, flat, argilla or label_studio; by default what the suffix calls for.")
    ] = "",
    train: Annotated[str, typer.Option(help="Rows to train on instead: sft, dpo or kto (.jsonl).")] = "",
    state: Annotated[str, typer.Option(help="Only items that are open, partial, disputed or decided.")] = "",
    withdrawn: Annotated[bool, typer.Option(help="Items too that are no longer part of the data.")] = False,
) -> None:
    """Write a queue's items with verdicts, votes, edits and lineage, or what people accepted as rows to train on.

    The file shows one moment and appears at once and whole; Ctrl-C leaves an older one as it was.
    """
    from curation.review.exchange.export import export_items, export_training
    from curation.review.exchange.shapes import SHAPES
    from curation.review.exchange.training_rows import TRAINING_SHAPES
    from curation.review.queue import ReviewQueue, list_recipes

    shape = shape or ("flat" if file.suffix.lower() == ".csv" else "tunewright")
    _check_choice("--shape", shape, list(SHAPES))
    _check_choice("--train", train, ["", *TRAINING_SHAPES])
    _check_choice("--state", state, ["", "open", "partial", "disputed", "decided"])
    with _database() as database, _progress(f"export {file.name}") as step:
        _check_choice("--queue", queue, list_recipes(database))
        source = ReviewQueue(database, queue)
        num_all = 0 if train or state or withdrawn else source.counts().num_items
        tell = _share_of(num_all, step)
        if train:
            num = export_training(source, file, train, progress=tell)  # type: ignore[arg-type]  # checked above
        else:
            given: Any = {"state": state, "with_withdrawn": withdrawn, "progress": tell}
            num = export_items(source, file, shape, **given)  # type: ignore[arg-type]  # checked above
    say(f"{file}: {num:,} {'rows' if train else 'items'}, {file.stat().st_size:,} bytes")


@review_app.command("stats")
def print_stats(
    queue: Annotated[str, typer.Option("--queue", "-q", help="Only this queue.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print how far every queue is, how fast it goes, and who works on it."""
    from curation.review.exchange.stats import read_stats
    from curation.review.queue import list_recipes

    with _database() as database:
        names = list_recipes(database)
        if queue:
            _check_choice("--queue", queue, names)
        now = datetime.datetime.now(datetime.UTC)
        found = [read_stats(database, name, now) for name in names if queue in ("", name)]
    if as_json:
        sys.stdout.write(json.dumps([dataclasses.asdict(stats) for stats in found], indent=1) + "\n")
        return
    for stats in found:
        left = "-" if stats.days_left is None else f"{stats.days_left:,} days"
        states = ", ".join(f"{num:,} {state}" for state, num in stats.states.items()) or "no items"
        say(f"{stats.recipe}: {states}; {stats.num_day:,} verdicts in 24 hours, {stats.num_week:,} in 7 days, time left {left}")
        if stats.reviewers:
            _print_reviewers(stats.reviewers)
    if not found:
        say("no queue yet: run a recipe, or `tunewright review import FILE --queue NAME`")


def _print_reviewers(reviewers: Any) -> None:
    table = Table("reviewer", "kind")
    for name in ("verdicts", "in 7 days", "last"):
        table.add_column(name, justify="right")
    for reviewer in reviewers:
        numbers = f"{reviewer.num_verdicts:,}", f"{reviewer.num_week:,}"
        table.add_row(escape(reviewer.reviewer), reviewer.kind, *numbers, reviewer.last_at)
    Console(highlight=False).print(table)


@review_app.command("verify")
def verify_chains(
    queue: Annotated[str, typer.Option("--queue", "-q", help="Only this queue.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check the hash chain of every recipe's verdicts. Exit code 1 if an entry was changed, removed or put in; it is named."""
    from curation.review.exchange.audit import check_chains

    with _database() as database, database.snapshot() as connection:
        reports = check_chains(connection, queue or None)
    if as_json:
        rows = [{**dataclasses.asdict(report), "ok": not report.problem} for report in reports]
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
    else:
        for report in reports:
            say(f"{report.recipe}: {report.num_verdicts:,} verdicts, head {report.head or '-'}: {report.problem or 'ok'}")
    if queue and not reports:
        raise typer.BadParameter(f"there is no queue '{queue}'", param_hint="--queue")
    if any(report.problem for report in reports):
        raise typer.Exit(1)


@review_app.command("backup")
def make_backup(target: Annotated[Path, typer.Argument(help="A .tar file, or a folder that is not there yet.")]) -> None:
    """Copy the review database and the accounts while people work; hashes and the heads of all chains go with them."""
    from curation.review.exchange.backup import backup

    report = backup(Home.from_environment(), target)
    say(f"{target}: {report.num_verdicts:,} verdicts of {len(report.chains):,} recipes, {report.num_bytes:,} bytes")


@review_app.command("restore")
def put_back(
    source: Annotated[Path, typer.Argument(help="What `tunewright review backup` wrote.")],
    force: Annotated[bool, typer.Option("--force", help="Also where that loses verdicts that the backup lacks.")] = False,
) -> None:
    """Put a backup back, once its hashes and chains were checked. Stop the app first; what it replaces is kept beside it."""
    from curation.review.exchange.backup import restore

    report = restore(source, Home.from_environment(), force=force)
    say(f"{report.num_verdicts:,} verdicts of {len(report.chains):,} recipes are back, as of {report.created_at}")


@contextlib.contextmanager
def _database() -> Iterator[Database]:
    from curation.review.schema import MIGRATIONS

    database = Home.from_environment().database("review", MIGRATIONS)
    try:
        yield database
    finally:
        database.close()


@contextlib.contextmanager
def _progress(name: str) -> Iterator[Callable[[int, float], None]]:
    """Show how many rows were handled and the time left, on the error stream and only where somebody looks."""
    rows = TextColumn("{task.fields[num]:,} rows")
    shown = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), rows, TimeElapsedColumn(), TimeRemainingColumn()
    console = Console(stderr=True)
    num_done = 0
    with Progress(*shown, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(escape(name), total=None, num=0)

        def step(num: int, share: float) -> None:
            nonlocal num_done
            num_done += num
            progress.update(task, total=1.0 if share else None, completed=share, num=num_done)

        yield step


def _share_of(num_all: int, step: Callable[[int, float], None]) -> Callable[[int], None]:
    """Return what counts rows up to a number that is known; 0: it is not."""
    num_done = 0

    def tell(num: int) -> None:
        nonlocal num_done
        num_done += num
        step(num, min(1.0, num_done / num_all) if num_all else 0.0)

    return tell


def _queue_name(name: str) -> str:
    if not QUEUE_NAME.fullmatch(name):
        raise typer.BadParameter("1 to 100 letters, digits, '_', '-' or '.'", param_hint="--queue")
    return name


def _check_choice(option: str, value: str, choices: list[str]) -> None:
    if value not in choices:
        named = ", ".join(choice for choice in choices if choice) or "none yet"
        raise typer.BadParameter(f"'{value}' is none of: {named}", param_hint=option)


def _pairs(given: list[str]) -> dict[str, str]:
    pairs = dict(pair.rpartition("=")[::2] for pair in given)
    if "" in pairs or "" in pairs.values():
        raise typer.BadParameter("give NAME=VALUE", param_hint="--label or --column")
    return pairs


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise typer.BadParameter(str(error), param_hint="--rubric") from error
