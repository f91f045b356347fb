"""The files that evaluation tasks read: an input whose version changes with them, and items that no training row may give away.

task_files(recipe)         (Snapshot(asset="faq/task_files", version="9f..."),), or () for a recipe without such tasks
benchmark_items(recipe)    what contamination compares training rows with, besides the recipe's own held-out rows
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from assets.recipe import Recipe
from curation.cited_answer import read_cited_answer
from curation.config import as_plain
from curation.contamination.benchmarks import read_benchmarks
from curation.contamination.items import EvalItem as BenchmarkItem
from curation.errors import SourceNotFoundError, SourceUnreadableError
from curation.home import Home
from curation.ids import content_hash
from curation.ingest.table_rows import fingerprint_files, read_table_rows
from curation.store import Snapshot
from evaluation.harness_tasks.as_rows import BARE_QUESTION, is_task_file, read_task_rows, task_file_paths
from evaluation.harness_tasks.pinned_rows import is_named_task, pin_rows, pinned_version, read_pinned_rows
from evaluation.items import prompt_text
from evaluation.records import EvalItem
from evaluation.tasks.config import EVAL_SET
from evaluation.tasks.grounding import without_sources
from evaluation.tasks.task_items import FileRow, build_file_items

NOT_ABOUT_ITEMS = frozenset({"area", "labels", "metrics", "max_items", "max_new_tokens"})
"""Settings of a task that change none of the items that its files hold."""


def file_tasks(recipe: Recipe) -> list[Any]:
    """Return what says which items the files hold, as plain values: settings of everything that looks for these items."""
    tasks = [as_plain(task) for task in recipe.evaluation.tasks if task.data != EVAL_SET]
    return [{name: value for name, value in task.items() if name not in NOT_ABOUT_ITEMS} for task in tasks]


def task_files(recipe: Recipe, *, pins: bool = True) -> tuple[Snapshot, ...]:
    """Return the state of all files of the recipe's tasks; one that is missing counts, and reading it says so.

    Args:
        recipe: names the tasks.
        pins: read tasks of lm-evaluation-harness once if they were not; without, nothing is fetched, and such a task counts.

    Raises:
        EvaluationError: such a task cannot be read.
    """
    named = {task["data"] for task in file_tasks(recipe)}
    harness = sorted(data for data in named if is_named_task(data))
    for data in harness if pins else ():
        pin_rows(data, _pins())
    plain = named.difference(harness)
    paths = sorted({file for path in plain for file in (task_file_paths(path) if is_task_file(path) else [path])})
    if not named:
        return ()
    versions = {path: file_state(path) for path in paths} | {data: pinned_version(data, _pins()) for data in harness}
    return (Snapshot(asset=recipe.asset("task_files"), partition="", version=content_hash(versions)),)


def read_task_data(path: str) -> Iterable[FileRow]:
    """Read the rows of a task: of tables, or of a task of lm-evaluation-harness by its file or name."""
    if is_named_task(path):
        return read_pinned_rows(path, _pins())
    return read_task_rows(path) if is_task_file(path) else read_table_rows(path)


def _pins() -> Path:
    return Home.from_environment().path / "harness"


def _without_shots(path: str) -> Iterator[FileRow]:
    """Read the rows of a task without few-shot examples, behind which a question that was given away is not found."""
    for file, number, row, problem in read_task_data(path):
        yield file, number, {**row, "question": row[BARE_QUESTION]} if row and BARE_QUESTION in row else row, problem


def file_state(path: str) -> str:
    """Return a hash over what a path names, or the kind of error where it cannot be read."""
    try:
        return fingerprint_files(path)
    except (SourceNotFoundError, SourceUnreadableError) as error:
        return type(error).__name__


def benchmark_items(recipe: Recipe) -> tuple[BenchmarkItem, ...]:
    """Return the items of the recipe's benchmark files and of the evaluation tasks that read files.

    Raises:
        BenchmarkUnreadableError, BenchmarkColumnsError: a benchmark cannot be read.
        EvaluationError, SourceNotFoundError, SourceUnreadableError: a task has no item.
    """
    items = (_as_benchmark(item) for item in build_file_items(recipe.evaluation, _without_shots))
    return (*read_benchmarks(recipe.contamination), *items)


def _as_benchmark(item: EvalItem) -> BenchmarkItem:
    """Return the question and answer of an item, without the documents shown with it: those are the recipe's own."""
    question = without_sources(prompt_text(item.prompt), item.sources)
    answer = read_cited_answer(item.reference).text if item.prompt and not item.choices else ""
    return BenchmarkItem(key=item.key, benchmark=item.task, prompt=question or item.reference, answer=answer)
