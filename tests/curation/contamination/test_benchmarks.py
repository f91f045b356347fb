"""Benchmark files of any format become items; one that cannot be read in full is an error."""

import csv
import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.contamination.benchmarks import read_benchmark, read_benchmarks, text_of
from curation.contamination.config import BenchmarkFileConfig, ContaminationConfig
from curation.errors import BenchmarkColumnsError, BenchmarkUnreadableError

ROWS = [
    {"question": "How many?", "answer": "Two.\n#### 2", "note": "x"},
    {"question": "Who, then?", "answer": "Ann", "note": "y"},
]


def as_csv(rows: list[dict[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_parquet(rows: list[dict[str, str]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


LINES = "\n".join(json.dumps(row) for row in ROWS).encode()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("b.jsonl", LINES),
        ("b.jsonl.gz", gzip.compress(LINES)),
        ("b.json", json.dumps(ROWS).encode()),
        ("b.json", LINES),
        ("b.csv", as_csv(ROWS)),
        ("b.parquet", as_parquet(ROWS)),
    ],
    ids=["jsonl", "gz", "json", "lines named json", "csv", "parquet"],
)
def test_formats(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    items = read_benchmark(BenchmarkFileConfig(name="b", path=str(tmp_path / name)))
    assert [(item.key, item.benchmark, item.prompt, item.answer) for item in items] == [
        ("b/1", "b", "How many?", "Two.\n#### 2"),
        ("b/2", "b", "Who, then?", "Ann"),
    ]


def write(tmp_path: Path, *rows: dict[str, object]) -> str:
    path = tmp_path / "b.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return str(path)


def test_a_file_url_and_several_benchmarks(tmp_path: Path) -> None:
    path = write(tmp_path, *ROWS)
    config = ContaminationConfig(
        benchmarks=(BenchmarkFileConfig(name="a", path=f"file://{path}"), BenchmarkFileConfig(name="b", path=path))
    )
    assert [item.key for item in read_benchmarks(config)] == ["a/1", "a/2", "b/1", "b/2"]
    assert read_benchmarks(ContaminationConfig()) == ()


def test_declared_columns_and_names_of_rows(tmp_path: Path) -> None:
    path = write(tmp_path, {"task_id": "T/1", "q": "One?", "a": 1}, {"task_id": "T/2", "q": "Two?", "a": None})
    items = read_benchmark(BenchmarkFileConfig(name="b", path=path, prompt_column="q", answer_column="a"))
    assert [(item.key, item.prompt, item.answer) for item in items] == [("b/T/1", "One?", "1"), ("b/T/2", "Two?", "")]


def test_repeated_ids_name_no_rows(tmp_path: Path) -> None:
    path = write(tmp_path, {"id": "x", "prompt": "One?"}, {"id": "x", "prompt": "Two?"})
    assert [item.key for item in read_benchmark(BenchmarkFileConfig(name="b", path=path))] == ["b/1", "b/2"]


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({}, "no column is called like a question"),
        ({"prompt_column": "zz"}, "'zz'"),
        ({"prompt_column": "u", "answer_column": "zz"}, "'zz'"),
    ],
)
def test_columns_that_are_not_there(tmp_path: Path, settings: dict[str, str], part: str) -> None:
    path = write(tmp_path, {"u": "One?", "v": "x"})
    with pytest.raises(BenchmarkColumnsError, match=part) as caught:
        read_benchmark(BenchmarkFileConfig(name="b", path=path, **settings))
    assert "u, v" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("b.jsonl", b'{"question": "a"}\n{oops\n'),
        ("b.jsonl", b""),
        ("b.md", b"# Title"),
        ("b.parquet", b"PAR1 no parquet"),
        ("b.jsonl.gz", b"no gzip"),
        ("b.csv", b"\x00\x01\x02" * 500),
    ],
)
def test_what_cannot_be_read_in_full_is_an_error(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BenchmarkUnreadableError, match="Benchmark 'b'"):
        read_benchmark(BenchmarkFileConfig(name="b", path=str(tmp_path / name)))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkUnreadableError, match="No such file"):
        read_benchmark(BenchmarkFileConfig(name="b", path=str(tmp_path / "none.jsonl")))


def test_text_of_cells() -> None:
    assert text_of([[{"role": "user", "content": "Hi"}, {"role": "user", "content": "Why?"}]]) == "Hi\nWhy?"
    assert text_of({"a": 1}) == '{"a": 1}'
    assert text_of(None) == ""
    deep: object = "x"
    for _ in range(100):
        deep = [deep]
    assert "x" in text_of(deep)
