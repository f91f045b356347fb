"""What no training row and no document may give away, besides the recipe's own held-out rows.

protected_items(recipe)      items of benchmark files, of evaluation tasks that read files, and of the forgetting suite
protected_files(recipe)      (Snapshot(asset="faq/task_files", ...), and "faq/probe_files", "faq/benchmark_files")
protected_settings(recipe)   what of the recipe says which items these are
protected_modules(recipe)    what code reads them: ("curation.contamination.benchmarks",), or () where there are none

A model that was trained on the probe could hide what it forgot: items of all areas that the recipe measures are looked for,
also those beyond `max_items`.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from assets.recipe import Recipe
from assets.task_files import benchmark_items, file_state, file_tasks, task_files
from curation.contamination.items import EvalItem
from curation.ids import content_hash, hash_bytes
from curation.store import Snapshot
from evaluation.forgetting.records import SuiteItem
from evaluation.forgetting.suite import GENERAL_HASH, load_suite

FORGETTING = "forgetting"
"""How the suite is called among the benchmarks of a report."""
ALL = 10**9


def protected_settings(recipe: Recipe) -> list[Any]:
    """Return what says which items are looked for, as plain values: settings of everything that looks for them."""
    config = recipe.forgetting
    if config is None:
        return file_tasks(recipe)
    suite = GENERAL_HASH if config.suite == "general" else ""
    return [*file_tasks(recipe), {"suite": suite, "files": list(config.files), "areas": sorted(config.areas)}]


def protected_modules(recipe: Recipe) -> tuple[str, ...]:
    """Return what code reads the items, for the code version of everything that looks for them."""
    tasks = ("evaluation.tasks.task_items", "evaluation.harness_tasks.as_rows", "evaluation.harness_tasks.pinned_rows")
    return (
        *(("curation.contamination.benchmarks",) if recipe.contamination.benchmarks else ()),
        *((*tasks, "curation.ingest.table_rows") if file_tasks(recipe) else ()),
        *(("evaluation.forgetting.suite",) if recipe.forgetting is not None else ()),
    )


def protected_files(recipe: Recipe, *, pins: bool = True) -> tuple[Snapshot, ...]:
    """Return the state of the files of tasks, probe and benchmarks. Takes and raises what `task_files` does."""
    return (*task_files(recipe, pins=pins), *probe_files(recipe), *benchmark_files(recipe))


def benchmark_files(recipe: Recipe) -> tuple[Snapshot, ...]:
    """Return the state of the recipe's benchmark files; a missing one counts, and reading it says so."""
    paths = sorted({benchmark.path for benchmark in recipe.contamination.benchmarks})
    if not paths:
        return ()
    version = content_hash({path: file_state(path) for path in paths})
    return (Snapshot(asset=recipe.asset("benchmark_files"), partition="", version=version),)


def probe_files(recipe: Recipe) -> tuple[Snapshot, ...]:
    """Return the state of the recipe's own files of the forgetting suite; a missing one counts, and reading it says so."""
    files = () if recipe.forgetting is None else recipe.forgetting.files
    if not files:
        return ()
    version = content_hash({path: _fingerprint(path) for path in files})
    return (Snapshot(asset=recipe.asset("probe_files"), partition="", version=version),)


def protected_items(recipe: Recipe) -> tuple[EvalItem, ...]:
    """Return all items that nothing may give away.

    Raises:
        BenchmarkUnreadableError, BenchmarkColumnsError: a benchmark cannot be read.
        EvaluationError, SourceNotFoundError, SourceUnreadableError: a task has no item.
        SuiteError: a file of the forgetting suite cannot be read.
    """
    return (*benchmark_items(recipe), *_probe_items(recipe))


def _probe_items(recipe: Recipe) -> tuple[EvalItem, ...]:
    if recipe.forgetting is None:
        return ()
    return tuple(_as_item(item) for item in load_suite(replace(recipe.forgetting, max_items=ALL)).items)


def _as_item(item: SuiteItem) -> EvalItem:
    """Return a probe as question and answer; a sentence or text without a question is looked for itself."""
    answer = item.reference.strip() if item.prompt else ""
    return EvalItem(key=item.key, benchmark=FORGETTING, prompt=item.prompt or item.reference, answer=answer)


def _fingerprint(path: str) -> str:
    try:
        return hash_bytes(Path(path).read_bytes())
    except OSError as error:
        return type(error).__name__
