from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation import table_layout, table_writer
from curation.records import Rejection
from curation.store import Store
from curation.table_writer import TableWriter


def rejection(number: int, detail: str = "") -> Rejection:
    return Rejection(key=f"source/{number}", stage="documents", reason="bad", detail=detail, record_hash="0" * 32, excerpt="x")


@pytest.mark.parametrize(("num_rows", "in_memory"), [(1, 1), (70, 7), (3_000, 600)])
def test_a_spooled_table_is_the_table_written_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_rows: int, in_memory: int
) -> None:
    rows = [rejection(number) for number in range(num_rows)]
    monkeypatch.setattr(table_layout, "ROWS_PER_SHARD", 16)  # more buckets than spool files
    at_once = Store(str(tmp_path / "a")).write_table(Rejection, rows)
    monkeypatch.setattr(table_writer, "MAX_ROWS_IN_MEMORY", in_memory)
    store = Store(str(tmp_path / "b"))
    with store.table_writer(Rejection) as writer:
        for row in reversed(rows):
            writer.add(row)
            assert len(writer._rows) <= in_memory
        spooled = writer.finish()
    assert spooled == at_once
    assert sorted(row.key for row in store.read_table(Rejection, spooled.root)) == sorted(row.key for row in rows)


@settings(max_examples=20)
@given(order=st.permutations(range(40)), limit=st.integers(1, 50))
def test_the_root_depends_on_neither_order_nor_spills(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], limit: int
) -> None:
    store = Store(str(tmp_path_factory.mktemp("store")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_writer, "MAX_ROWS_IN_MEMORY", limit)
        table = store.write_table(Rejection, [rejection(number) for number in order])
    assert table == store.write_table(Rejection, [rejection(number) for number in range(40)])


def test_long_rows_are_spilled_by_size_and_nothing_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_writer, "MAX_CHARS_IN_MEMORY", 1_000)
    monkeypatch.setattr(table_writer.tempfile, "tempdir", str(tmp_path))
    store = Store(str(tmp_path / "store"))
    with TableWriter(store.files, Rejection) as writer:
        writer.add(rejection(1, "y" * 2_000))
        assert list(tmp_path.glob("tunewright-spool-*"))
        table = writer.finish()
    assert not list(tmp_path.glob("tunewright-spool-*"))
    assert [row.detail for row in store.read_table(Rejection, table.root)] == ["y" * 2_000]
