"""Parquet and Arrow: types come back, one bad cell costs its row, large cells stay bounded."""

import datetime
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.ingest.readers.limits import Limits
from curation.ingest.readers.opening import ReadOptions, open_rows
from curation.ingest.rows import BadRow, Row


def written(table: pa.Table, kind: str) -> bytes:
    file = io.BytesIO()
    if kind == "parquet":
        pq.write_table(table, file)
    else:
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
    return file.getvalue()


def read(kind: str, data: bytes, **options: object) -> list[Row | BadRow]:
    return list(open_rows(f"x.{kind}", io.BytesIO(data), ReadOptions(**options)))


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_nested_and_typed_values_come_back(kind: str) -> None:
    rows = [
        {"n": 1, "t": "a\0\u202e", "m": [{"role": "user", "content": "hi"}], "d": datetime.date(2026, 1, 2), "b": b"\xff"},
        {"n": None, "t": None, "m": [], "d": None, "b": None},
    ]
    assert [row.values for row in read(kind, written(pa.Table.from_pylist(rows), kind))] == rows


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_a_bad_cell_costs_its_row(kind: str) -> None:
    times = pa.array([0, 2**60, 1], pa.timestamp("us"))
    rows = read(kind, written(pa.table({"t": ["a", "b", "c"], "w": times}), kind))
    good = [row.values["t"] for row in rows if isinstance(row, Row)]
    assert good == ["a", "c"]
    assert [(row.number, row.reason) for row in rows if isinstance(row, BadRow)] == [(2, "unreadable_row")]


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_rows_above_the_cap_are_refused(kind: str) -> None:
    table = pa.table({"t": ["x" * 10, "y" * 5000, "z"]})
    rows = read(kind, written(table, kind), limits=Limits(row_bytes=1000))
    assert [row.number for row in rows if isinstance(row, BadRow)] == [2]
    assert rows[2] == Row(3, {"t": "z"})


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_ten_megabyte_cells_round_trip(kind: str) -> None:
    text = "x" * 10_000_000
    rows = read(kind, written(pa.table({"t": [text, "small"]}), kind))
    assert [row.values["t"] for row in rows] == [text, "small"]


def test_doubled_columns_and_old_feather_are_refused() -> None:
    table = pa.table([pa.array(["a"]), pa.array(["b"])], names=["t", "t"])
    for kind in ("parquet", "arrow"):
        assert [row.reason for row in read(kind, written(table, kind))] == ["invalid_header"]
    assert read("feather", b"FEA1" + b"\0" * 50)[0].reason == "not_arrow"


def test_a_file_cut_in_the_middle_is_one_rejection() -> None:
    table = pa.table({"t": [str(number) for number in range(5000)]})
    for kind in ("parquet", "arrow"):
        data = written(table, kind)
        rows = read(kind, data[: len(data) // 2])
        assert [row.number for row in rows if isinstance(row, BadRow)] == [0]
