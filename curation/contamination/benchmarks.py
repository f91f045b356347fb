"""Benchmark files as evaluation items.

    read_benchmarks(config)
        (EvalItem(key="gsm8k/12", benchmark="gsm8k", prompt="Janet's ducks ...", answer="... #### 18"), ...)

Files are read by the readers of `curation.ingest`, so every format of rows, .gz and .zst, and any fsspec URL will do. A
benchmark that cannot be read in full is an error: a check against part of it would prove nothing.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, BinaryIO

import fsspec

from curation.contamination.config import BenchmarkFileConfig, ContaminationConfig
from curation.contamination.items import EvalItem
from curation.errors import BenchmarkColumnsError, BenchmarkUnreadableError
from curation.ingest.readers.opening import ReadOptions, format_of, is_record_format, open_rows
from curation.ingest.readers.unwrapping import unwrap
from curation.ingest.rows import BadRow, Row

PROMPT_NAMES = ("question", "prompt", "instruction", "problem", "input", "query", "text", "sentence", "goal", "ctx", "turns")
ANSWER_NAMES = (
    "answer", "canonical_solution", "solution", "target", "response", "output", "completion", "reference", "answers", "label",
    "category", "correct",
)  # fmt: skip
KEY_NAMES = ("id", "task_id", "question_id", "key", "qid", "uid")
MAX_DEPTH = 20


def read_benchmarks(config: ContaminationConfig) -> tuple[EvalItem, ...]:
    """Return the items of all benchmark files, in the order of the recipe and of the files.

    Raises:
        BenchmarkUnreadableError: if a file, or one row of it, cannot be read.
        BenchmarkColumnsError: if a declared column is not there, or no column looks like a question.
    """
    return tuple(item for benchmark in config.benchmarks for item in read_benchmark(benchmark))


def read_benchmark(benchmark: BenchmarkFileConfig) -> tuple[EvalItem, ...]:
    """Return the items of one file. Raises as `read_benchmarks` does."""
    rows = list(_rows(benchmark))
    if not rows:
        raise BenchmarkUnreadableError(benchmark=benchmark.name, path=benchmark.path, reason="it holds no row")
    columns = tuple(dict.fromkeys(name for row in rows for name in row.values))
    prompt = _column(benchmark, "prompt_column", benchmark.prompt_column, PROMPT_NAMES, columns)
    known = tuple(name for name in ANSWER_NAMES if name != prompt.strip().lower())
    answer = _column(benchmark, "answer_column", benchmark.answer_column, known, columns)
    keys = _keys(rows, columns)
    return tuple(
        EvalItem(
            key=f"{benchmark.name}/{key}",
            benchmark=benchmark.name,
            prompt=text_of(row.values.get(prompt)),
            answer=text_of(row.values.get(answer)) if answer else "",
        )
        for key, row in zip(keys, rows, strict=True)
    )


def _rows(benchmark: BenchmarkFileConfig) -> Iterator[Row]:
    try:
        with fsspec.open(benchmark.path, "rb") as stream:
            yield from _rows_of_stream(benchmark, stream)
    except BenchmarkUnreadableError:
        raise
    except Exception as error:  # drivers of remote file systems raise what they like
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise BenchmarkUnreadableError(benchmark=benchmark.name, path=benchmark.path, reason=str(reason)[:300]) from error


def _rows_of_stream(benchmark: BenchmarkFileConfig, stream: BinaryIO) -> Iterator[Row]:
    options = ReadOptions()
    for file in unwrap(PurePosixPath(benchmark.path).name, stream, options.limits):
        if file.stream is None:
            raise _unreadable(benchmark, file.problem.detail if file.problem else "it cannot be unpacked")
        if not is_record_format(format_of(file.inner_name, options)):
            raise _unreadable(benchmark, f"'{file.inner_name}' is no file of rows (JSONL, JSON, CSV, TSV, Parquet, Arrow, XML)")
        for row in open_rows(file.inner_name, file.stream, options):
            if isinstance(row, BadRow):
                raise _unreadable(benchmark, row.detail)
            yield row


def _unreadable(benchmark: BenchmarkFileConfig, reason: str) -> BenchmarkUnreadableError:
    return BenchmarkUnreadableError(benchmark=benchmark.name, path=benchmark.path, reason=reason)


def _column(
    benchmark: BenchmarkFileConfig, setting: str, declared: str, known: tuple[str, ...], columns: tuple[str, ...]
) -> str:
    """Return the declared column, or the first that is called like a question (or an answer); only an answer may be missing."""
    if declared:
        if declared not in columns:
            raise _columns_error(benchmark, f"`{setting}` is '{declared}', which is not there.", columns)
        return declared
    by_name = {name.strip().lower(): name for name in reversed(columns)}
    found = [by_name[name] for name in known if name in by_name]
    if not found and setting == "prompt_column":
        raise _columns_error(benchmark, "no column is called like a question.", columns)
    return found[0] if found else ""


def _columns_error(benchmark: BenchmarkFileConfig, problem: str, columns: tuple[str, ...]) -> BenchmarkColumnsError:
    return BenchmarkColumnsError(benchmark=benchmark.name, problem=problem, columns=", ".join(columns[:40]) or "none")


def _keys(rows: list[Row], columns: tuple[str, ...]) -> list[str]:
    """Return the names of the rows: from a column of distinct ids (so a cleared pair outlives new rows), or their numbers."""
    for name in columns:
        if name.strip().lower() in KEY_NAMES:
            keys = [text_of(row.values.get(name)).strip() for row in rows]
            if all(keys) and len(set(keys)) == len(keys):
                return keys
    return [str(number) for number, _ in enumerate(rows, 1)]


def text_of(value: Any, depth: int = 0) -> str:
    """Return the text of a cell: of messages their contents, of anything else without text its JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if depth > MAX_DEPTH:
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, Mapping):
        said = next((value[name] for name in ("content", "value", "text") if isinstance(value.get(name), str)), None)
        return said if said is not None else json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, (list, tuple)):
        return "\n".join(text for text in (text_of(item, depth + 1) for item in value) if text)
    return str(value)
