"""The documents of a task file, from local files.

dataset_path: json                       # or csv, parquet
dataset_kwargs: {data_files: {train: shots.jsonl, test: [a.jsonl, b.jsonl]}}

read_documents(task)["test"][0]          {"question": "...", "choices": ["a", "b"], "answer": 1}
"""

import json
from pathlib import Path
from typing import Any

from curation.errors import EvaluationError
from evaluation.harness_tasks.task_file import HarnessTask

FORMATS = ("json", "csv", "parquet")
Document = dict[str, Any]


def read_documents(task: HarnessTask) -> dict[str, list[Document]]:
    """Return the documents of each split.

    Raises:
        EvaluationError: the data lies on a hub, a file is missing or a row is no record, with file and row named.
    """
    documents = {split: [row for file in files for row in _read(task, file)] for split, files in data_files(task).items()}
    if not documents.get(task.eval_split):
        raise EvaluationError(reason=f"task '{task.task}' has no documents in its split '{task.eval_split}'.")
    return documents


def data_files(task: HarnessTask) -> dict[str, list[Path]]:
    """Return the files of each split, beside the task file if they are there. Raises EvaluationError if there are none."""
    if task.dataset_path not in FORMATS:
        reason = (
            f"task '{task.task}' has its data in '{task.dataset_path}', which is no local format ({', '.join(FORMATS)}); give "
            "`data_files`, or run it by its name with the extra `harness` where the hub can be reached."
        )
        raise EvaluationError(reason=reason)
    listed = task.dataset_kwargs.get("data_files")
    if isinstance(listed, (str, list)):
        listed = {"train": listed}  # as in `datasets`
    if not isinstance(listed, dict) or not listed:
        raise EvaluationError(reason=f"task '{task.task}' has no `data_files` in its `dataset_kwargs`.")
    folder = Path(str(task.dataset_kwargs.get("data_dir", ".")))
    return {
        str(split): [_find(task, folder / str(name)) for name in (names if isinstance(names, list) else [names])]
        for split, names in listed.items()
    }


def _find(task: HarnessTask, path: Path) -> Path:
    beside = task.folder / path
    return beside if beside.exists() else path


def _read(task: HarnessTask, path: Path) -> list[Document]:
    try:
        if task.dataset_path == "json":
            return _read_json(path)
        if task.dataset_path == "csv":
            import pyarrow.csv

            return list(pyarrow.csv.read_csv(path).to_pylist())
        import pyarrow.parquet

        return list(pyarrow.parquet.read_table(path).to_pylist())
    except (OSError, ValueError) as error:  # those of pyarrow and json are ValueErrors
        reason = f"the file {path} of task '{task.task}' cannot be read ({' '.join(str(error).split())[:200]})."
        raise EvaluationError(reason=reason) from error


def _read_json(path: Path) -> list[Document]:
    """Read JSON Lines, or one JSON list."""
    text = path.read_text(encoding="utf-8")
    if text.lstrip().startswith("["):
        rows = json.loads(text)
    else:
        rows = []
        for number, line in enumerate(text.split("\n"), start=1):
            try:
                rows += [json.loads(line)] if line.strip() else []
            except (ValueError, RecursionError) as error:
                raise ValueError(f"line {number}: {error}") from error
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise ValueError(f"row {number} is no record")
    return list(rows)
