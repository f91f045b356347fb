"""Keys, groups and hashes of rows hold for any values."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.ingest.config import SourceConfig
from curation.ingest.row_records import list_columns, row_group, row_hash, row_key
from curation.ingest.rows import Row
from curation.ingest.shapes.config import ColumnsConfig, ShapeConfig


def _source(**fields: Any) -> SourceConfig:
    return SourceConfig(**{"name": "s", "kind": "files", "path": "x", **fields})


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("a", "a"),
        (7, "7"),
        (" a\n\ud800b ", "a b"),
        (None, ""),
        ([], ""),
        ({}, ""),
        (True, ""),
        pytest.param(10**5000, "", id="huge"),
    ],
)
def test_keys_are_short_printable_texts(value: Any, key: str) -> None:
    assert row_key(_source(), Row(1, {"id": value})) == key


def test_long_keys_become_hashes() -> None:
    assert len(row_key(_source(), Row(1, {"id": "x" * 201}))) == 32


def test_the_declared_column_names_the_row_and_the_group() -> None:
    row = Row(1, {"id": "a", "ref": "b", "customer": "c", "thread": "d"})
    assert row_key(_source(key_column="ref"), row) == "b"
    assert row_key(_source(key_column="id", shape=ShapeConfig(columns=ColumnsConfig(key="ref"))), row) == "b"
    assert row_group(_source(), row) == "a"
    assert row_group(_source(), row, by_key=False) == ""
    assert row_group(_source(group_column="customer"), row, by_key=False) == "c"
    assert row_group(_source(shape=ShapeConfig(columns=ColumnsConfig(group="thread"))), row) == "d"


def test_the_hash_knows_no_order_of_columns_and_never_fails() -> None:
    assert row_hash(Row(1, {"a": 1, "b": [2]})) == row_hash(Row(9, {"b": [2], "a": 1}))
    assert row_hash(Row(1, {"a": 1})) != row_hash(Row(1, {"a": 2}))
    assert len(row_hash(Row(1, {"a": 10**5000}))) == 32
    assert len(row_hash(Row(1, {"a": {1: 2, "b": b"x"}}))) == 32


@given(st.dictionaries(st.text(max_size=3), st.recursive(st.one_of(st.none(), st.floats(), st.text()), st.lists, max_leaves=5)))
def test_any_row_has_a_hash_and_columns(values: dict[str, Any]) -> None:
    assert row_hash(Row(1, values)) == row_hash(Row(2, dict(reversed(values.items()))))
    assert len(list_columns(values)) <= 300
