"""What `make demo` prints at the end and writes to HOME/demo-summary.json: only measured figures.

{"rows": {"documents": 1391, ...}, "teacher_calls": 1300, "trainings": 1,
 "scores": {"base": 0.0, "tuned": 0.8, "p_value": 1e-60, "n": 400}, "promoted": true, "seconds": 171.2}
"""

import contextlib
import dataclasses
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from assets.curated import SHARDED, STAGES_THAT_REJECT, shard_snapshots
from assets.recipe import Recipe
from assets.report import report_path
from assets.review import review_counts, review_url
from curation.files import write_atomically
from curation.home import Home
from curation.store import Snapshot
from evaluation.release.history import live_entries
from evaluation.release.registry import LedgerEntry, open_release_ledger
from pipelines.recipe import list_recipe_files
from pipelines.runner import RunTally

DATASETS = ("dapt_corpus", "preference_dataset", "eval_set")
"""Besides the data sets that reject rows."""


def summarise(recipe: Recipe, home: Home, tally: RunTally) -> dict[str, Any]:
    """Collect the summary from the newest snapshots and from what this run did. Raises MissingSnapshotError."""
    store = home.store()
    compared = store.snapshot(recipe.asset("comparison")).values
    champion = store.snapshot(recipe.asset("champion")).values
    metric = recipe.release.metric
    scores = {
        "metric": metric,
        "base": compared.get(f"{metric}_base"),
        "base_few_shot": compared.get(f"{metric}_base_few_shot"),
        "majority": compared.get(f"{metric}_majority"),
        "tuned": compared.get(f"{metric}_candidate"),
        "difference": compared["difference"],
        "interval": [compared["low"], compared["high"]],
        "p_value": compared["p_value"],
        "n": compared["num_items"],
    }
    return {
        "rows": _rows(recipe, home),
        "teacher_calls": tally.teacher_calls,
        "trainings": tally.trainings,
        "stages_trained": tally.models_trained,
        "scores": scores,
        "verdict": compared["verdict"],
        "promoted": bool(champion["promoted"]),
        "seconds": round(tally.seconds, 1),
    }


def write_summary(home: Home, summary: dict[str, Any]) -> Path:
    """Write demo-summary.json and return its path."""
    path = home.path / "demo-summary.json"
    write_atomically(path, json.dumps(summary, indent=1).encode())
    return path


def print_summary(recipe: Recipe, home: Home, summary: dict[str, Any], console: Console) -> None:
    """Print rows per stage, scores, the verdict, and where to look next."""
    console.print()
    console.print(_rows_table(recipe, home))
    console.print(_scores_table(recipe, summary))
    scores = summary["scores"]
    low, high = scores["interval"]
    console.print(
        f"tuned minus base: [bold]{scores['difference']:+.1%}[/] (interval {low:+.1%} to {high:+.1%}), "
        f"p = {scores['p_value']:.2g}, {scores['n']} held-out items, none of them seen in training"
    )
    state = "[bold green]promoted[/]" if summary["promoted"] else "[bold yellow]not promoted[/]"
    champion = home.store().snapshot(recipe.asset("champion")).values
    console.print(f"verdict: [bold]{summary['verdict']}[/], {state}: {champion['reason']}")
    console.print(
        f"this run: {summary['teacher_calls']} teacher calls, {summary['trainings']} trainings "
        f"({', '.join(summary['stages_trained']) or 'nothing had to be trained'}), {summary['seconds']} s"
    )
    console.print("\n[bold]Where to look next[/]", highlight=False)
    example, program = _first_example(recipe, home), program_name()
    with contextlib.closing(open_release_ledger(home)) as ledger:
        history = ledger.history(recipe.name)
    for what, where in (
        ("HTML report", report_path(recipe, home)),
        ("data card", _page(recipe, home, "dataset_card", "card")),
        ("quality of the data", _page(recipe, home, "quality_report", "report")),
        ("model card", _page(recipe, home, "model_card", "card", "README.md")),
        ("the model to hand on", _page(recipe, home, "exports", "export", "")),
        ("Dagster UI and review page", "make dev   (http://127.0.0.1:3000 and " + review_url(recipe, home) + ")"),
        ("one row, back to its source", f"{program} trace '{example}'"),
        *release_steps(recipe.name, history),
        ("the summary as JSON", home.path / "demo-summary.json"),
    ):
        if where is not None:
            console.print(f"  {what:<28} {where}", highlight=False, soft_wrap=True, markup=False)


def release_steps(recipe: str, history: Sequence[LedgerEntry]) -> list[tuple[str, str]]:
    """Return what can be done with a release as it stands, and the command for each; no rollback without a champion before."""
    program, live = program_name(), live_entries(history)
    named = recipe if recipe in [path.stem for path in list_recipe_files()] else f"{recipe}.yaml"  # of another folder
    steps = []
    if live:
        steps += [
            ("ask the champion yourself", f"{program} serve {named}   (OpenAI's API on http://127.0.0.1:8000/v1)"),
            ("is what is served the same?", f"{program} serve {named} --port 0 --smoke"),
            ("which model is live, and why", f"{program} release live {recipe}"),
        ]
    if history:
        steps.append(("every decision, verified", f"{program} release history {recipe}"))
    if len(live) > 1:
        steps.append(("back to the champion before", f"{program} release rollback {recipe}"))
    return steps


def program_name() -> str:
    """Return how a shell finds `tunewright`: its name, or its path where the environment is not on PATH."""
    beside = Path(sys.executable).parent / "tunewright"
    if shutil.which("tunewright") or not beside.exists():
        return "tunewright"
    here = Path.cwd()
    return str(beside.relative_to(here) if beside.is_relative_to(here) else beside)


def _page(recipe: Recipe, home: Home, asset: str, folder: str, file: str = "index.html") -> Path | None:
    found = home.store().find_snapshot(recipe.asset(asset))
    return home.store().get_folder(found.folders[folder]) / file if found and folder in found.folders else None


def _rows(recipe: Recipe, home: Home) -> dict[str, Any]:
    store = home.store()
    rows: dict[str, Any] = {}
    for name in (*STAGES_THAT_REJECT, *DATASETS):
        found = _snapshots(recipe, home, name)
        for item in found:
            for table, reference in item.tables.items():
                if table == "row_checks":
                    continue
                label = name if len(item.tables) == 1 or table in (name, "examples") else f"{name}.{table}"
                rows[label] = rows.get(label, 0) + reference.num_rows
    rows["review"] = dataclasses.asdict(review_counts(recipe, home))
    rows["rejections"] = store.snapshot(recipe.asset("rejections")).tables["rejected_rows"].num_rows
    return rows


def _snapshots(recipe: Recipe, home: Home, name: str) -> list[Snapshot]:
    store = home.store()
    if name in SHARDED:
        return shard_snapshots(recipe, store, name)
    found = store.find_snapshot(recipe.asset(name))
    return [found] if found else []


def _rows_table(recipe: Recipe, home: Home) -> Table:
    table = Table(title="Rows per stage", title_justify="left", box=None, pad_edge=False)
    for title in ("stage", "kept", "rejected"):
        table.add_column(title, justify="left" if title == "stage" else "right")
    for name in (*STAGES_THAT_REJECT, *DATASETS):
        found = _snapshots(recipe, home, name)
        kept = [
            f"{sum(item.tables[t].num_rows for item in found if t in item.tables):,} {t}"
            for t in ("documents", "examples", "pairs")
        ]
        kept = [text for text in kept if not text.startswith("0 ")]
        rejected = sum(item.tables["rejections"].num_rows for item in found if "rejections" in item.tables)
        if found:
            table.add_row(name, ", ".join(kept) or "0", f"{rejected:,}" if name in STAGES_THAT_REJECT else "")
    return table


def _scores_table(recipe: Recipe, summary: dict[str, Any]) -> Table:
    table = Table(title=f"\n{recipe.release.metric} on held-out items", title_justify="left", box=None, pad_edge=False)
    table.add_column("model")
    table.add_column("score", justify="right")
    table.add_column("")
    names = {"base": "base", "base_few_shot": "base, few-shot", "majority": "majority class", "tuned": "tuned"}
    for key, label in names.items():
        value = summary["scores"].get(key)
        if value is not None:
            table.add_row(label, f"{value:.1%}", "#" * round(value * 40))
    return table


def _first_example(recipe: Recipe, home: Home) -> str:
    reference = home.store().snapshot(recipe.asset("sft_dataset")).tables["examples"]
    from curation.records import Example

    rows = home.store().sample_rows(Example, reference.root, 1)
    return str(rows[0]["key"]) if rows else ""
