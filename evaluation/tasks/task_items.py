"""The items of all tasks, from the held-out rows of the recipe and from files; what cannot be asked is rejected by name.

built = build_items(config, eval_examples, read_rows)
built.items          (EvalItem(key="gsm8k/12", task="gsm8k", ...), ...), sorted by key
built.rejections     (Rejection(key="gsm8k/test.jsonl#7", reason="no_reference", detail="File 'test.jsonl', row 7: ...", ...),)
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from curation.errors import EvaluationError
from curation.ids import content_hash, stable_fraction
from curation.records import Example, Rejection
from evaluation.config import EvaluationConfig
from evaluation.items import choose_items, prompt_hash, prompt_text, question_text
from evaluation.records import EvalItem
from evaluation.tasks.columns import read_columns
from evaluation.tasks.config import EVAL_SET, TaskConfig
from evaluation.tasks.measures import label_of
from evaluation.tasks.references import find_problem

FileRow: TypeAlias = tuple[str, int, dict[str, Any] | None, str]
"""Name of the file, number of the row from 1, its columns, and why it cannot be read (then the columns are None)."""
ReadRows: TypeAlias = Callable[[str], Iterable[FileRow]]
STAGE = "answers"
SHORT, MEDIUM = 200, 1_000
"""Characters of a question up to which it is short, or medium."""


@dataclass(frozen=True, kw_only=True)
class BuiltItems:
    """What is asked, and what is not, with the reasons."""

    items: tuple[EvalItem, ...]
    rejections: tuple[Rejection, ...]
    num_rows: int
    """Rows that were looked at: items and rejections, and rows beyond `max_items`."""


def build_items(config: EvaluationConfig, examples: Iterable[Example], read_rows: ReadRows) -> BuiltItems:
    """Return the items of all tasks, at most `max_items` each: a subset that stays put as other items come and go.

    Args:
        config: names the tasks.
        examples: the held-out rows of the recipe.
        read_rows: reads the files of a path or glob, row by row.

    Raises:
        EvaluationError: a task has no item, two items share a key, or a held-out row is of another split.
    """
    held_out = list(examples)
    items: list[EvalItem] = []
    rejections: list[Rejection] = []
    num_rows = 0
    for task in config.all_tasks:
        found = list(_from_examples(held_out, task, config) if task.data == EVAL_SET else _from_files(task, read_rows))
        num_rows += len(found)
        asked, dropped = _without_repeats([item for item in found if isinstance(item, EvalItem)])
        rejections += [*(item for item in found if isinstance(item, Rejection)), *dropped]
        if not asked:
            first = f" The first problem: {rejections[-1].detail}" if rejections else ""
            raise EvaluationError(reason=f"the task '{task.name}' has no item ({task.data}).{first}")
        items += _choose(asked, task.max_items or config.max_items, config.seed)
    _check_keys(items)
    return BuiltItems(items=tuple(sorted(items, key=lambda item: item.key)), rejections=tuple(rejections), num_rows=num_rows)


def build_file_items(config: EvaluationConfig, read_rows: ReadRows) -> tuple[EvalItem, ...]:
    """Return the items of the tasks that read files, all of them: what no training row may give away.

    Raises:
        EvaluationError: as `build_items`.
    """
    tasks = tuple(task for task in config.tasks if task.data != EVAL_SET)
    if not tasks:
        return ()
    unlimited = tuple(replace(task, max_items=None) for task in tasks)
    return build_items(replace(config, tasks=unlimited, max_items=sys.maxsize), (), read_rows).items


def _check_keys(items: Sequence[EvalItem]) -> None:
    seen: dict[str, str] = {}
    for item in items:
        if item.key in seen:
            tasks = f"'{seen[item.key]}' and '{item.task}'" if seen[item.key] != item.task else f"'{item.task}' twice"
            raise EvaluationError(reason=f"the item '{item.key}' belongs to {tasks}. Choose other `rows` or ids.")
        seen[item.key] = item.task


def _choose(items: Sequence[EvalItem], limit: int, seed: int) -> list[EvalItem]:
    return sorted(items, key=lambda item: (stable_fraction(item.key, f"items:{seed}"), item.key))[:limit]


def _from_examples(examples: Sequence[Example], task: TaskConfig, config: EvaluationConfig) -> Iterator[EvalItem | Rejection]:
    rows = [row for row in examples if not task.rows or row.task in task.rows]
    if not rows and examples and task.rows:
        present = ", ".join(sorted({row.task for row in examples}))
        raise EvaluationError(reason=f"the evaluation set has no row of {', '.join(task.rows)}, but of {present}.")
    for row in choose_items(rows, config, limit=len(rows)):
        problem = find_problem(task.kind, row.answer, ()) if task.kind != "text" or not row.answer.strip() else ""
        if problem:
            yield _reject(row.key, _reason_of(problem), f"Row '{row.key}' of the evaluation set: {problem}.", row.answer)
            continue
        text = question_text(row)
        known = {"topic": row.task, "method": row.provenance.method, "answer": label_of(row.answer)[:60]}
        yield EvalItem(
            key=row.key,
            task=task.name,
            prompt=row.prompt,
            reference=row.answer,
            tools=row.tools,
            group=row.group,
            slices=_slices(task, {"source": row.key.partition("/")[0], "length": length_of(text), **known}, row.key),
        )


def _from_files(task: TaskConfig, read_rows: ReadRows) -> Iterator[EvalItem | Rejection]:
    seen: set[str] = set()
    for file, number, row, problem in read_rows(task.data):
        where, place = f"{task.name}/{file}#{number}", f"File '{file}', row {number}"
        if row is None:
            yield _reject(where, "unreadable_row", f"{place}: {problem}", "")
            continue
        try:
            columns = read_columns(row, task)
            problem = find_problem(task.kind, columns.reference, columns.choices)
        except ValueError as error:
            yield _reject(where, "missing_column", f"{place}: {error}.", str(row)[:500])
            continue
        if not problem and columns.key in seen:
            problem = f"the id '{columns.key}' occurs twice"
        if problem:
            yield _reject(where, _reason_of(problem), f"{place}: {problem}.", str(row)[:500])
            continue
        seen |= {columns.key} if columns.key else set()
        asked = [prompt_hash(columns.prompt), columns.choices, columns.reference, *([columns.tools] if columns.tools else [])]
        name = columns.key or content_hash(asked)[:16]
        key = f"{task.name}/{name}"
        topic = next((str(row[name]) for name in ("topic", "subject", "category", "area") if row.get(name)), "none")
        text = prompt_text(columns.prompt) if columns.prompt else columns.reference
        named = {"source": file, "topic": topic, "length": length_of(text), "method": "file"}
        yield EvalItem(
            key=key,
            task=task.name,
            prompt=columns.prompt,
            reference=columns.reference,
            choices=columns.choices,
            sources=columns.sources,
            tools=columns.tools,
            group=f"{task.name}/{columns.group}" if columns.group else key,
            slices=_slices(task, {**{str(name): str(value) for name, value in row.items()}, **named}, where),
        )


def _without_repeats(items: Sequence[EvalItem]) -> tuple[list[EvalItem], list[Rejection]]:
    """Keep the first of several items that ask the same: a repeat counts an item twice, another answer contradicts it."""
    kept: list[EvalItem] = []
    dropped: list[Rejection] = []
    first: dict[str, EvalItem] = {}
    for item in items:
        asked = content_hash([prompt_hash(item.prompt), list(item.choices), item.tools, "" if item.prompt else item.reference])
        earlier = first.setdefault(asked, item)
        if earlier is item:
            kept.append(item)
            continue
        is_same = earlier.reference == item.reference
        detail = f"It asks the same as '{earlier.key}'" + ("." if is_same else ", and wants another answer.")
        reason = "duplicate_item" if is_same else "contradicting_item"
        dropped.append(_reject(item.key, reason, detail, item.reference, other_key=earlier.key))
    return kept, dropped


def _slices(task: TaskConfig, values: dict[str, str], where: str) -> tuple[str, ...]:
    missing = [name for name in task.slices if name not in values]
    if missing:
        raise EvaluationError(reason=f"the task '{task.name}' has the slice '{missing[0]}', and '{where}' has no such column.")
    return tuple(f"{name}={' '.join(values[name].split())[:60] or 'none'}" for name in task.slices)


def length_of(text: str) -> str:
    """Return whether a question is `short` (up to 200 characters), `medium` (up to 1,000) or `long`."""
    return "short" if len(text) <= SHORT else "medium" if len(text) <= MEDIUM else "long"


def _reason_of(problem: str) -> str:
    if problem == "there is no reference":
        return "no_reference"
    return "duplicate_item" if problem.endswith("occurs twice") else "unusable_reference"


def _reject(key: str, reason: str, detail: str, text: str, *, other_key: str = "") -> Rejection:
    return Rejection(
        key=key,
        stage=STAGE,
        reason=reason,
        detail=detail,
        record_hash=content_hash([key, text]),
        excerpt=text[:500],
        other_key=other_key,
    )
