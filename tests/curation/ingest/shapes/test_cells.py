"""Single cells: what is text, what is yes, what is a date."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.ingest.shapes.cells import cell_text, cell_texts, load_json, read_date, read_flag


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), (4, "4"), (1.5, "1.5"), (True, "True"), (Decimal("2.50"), "2.50"), (None, None), (float("nan"), None),
     ([], None), ({}, None), (b"a", None), pytest.param(10**5000, None, id="huge")],
)  # fmt: skip
def test_scalars_are_text(value: Any, text: str | None) -> None:
    assert cell_text(value) == text


def test_lists_of_texts() -> None:
    assert cell_texts(["a", {"text": "b"}, 4]) == ["a", "b", "4"]
    assert cell_texts("a") == ["a"]
    assert cell_texts([None]) is None
    assert cell_texts([{"x": 1}]) is None


@pytest.mark.parametrize("text", ["", "4", "text", "[1", "{", "[" * 100_000, '"a"', "nan"])
def test_text_that_is_no_json_list_or_object_is_none(text: str) -> None:
    assert load_json(text) is None


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        (True, True),
        ("FALSE", False),
        (1, True),
        ("0", False),
        (1.0, True),
        ("bad", False),
        (2, None),
        ("", None),
        (None, None),
        ([], None),
    ],
)
def test_flags(value: Any, flag: bool | None) -> None:
    assert read_flag(value, ()) is flag


def test_declared_flags_replace_the_known_ones() -> None:
    assert [read_flag(value, ("Win",)) for value in ("win ", "true", "", None)] == [True, False, None, None]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2024-05-01", "2024-05-01"),
        (" 2024-05-01 ", "2024-05-01"),
        ("2024-05-01T12:00:00+02:00", "2024-05-01T10:00:00Z"),
        ("2024-05-01 12:00", "2024-05-01T12:00:00Z"),
        ("2024-05-01T12:00:00.5Z", "2024-05-01T12:00:00Z"),
        (0, "1970-01-01T00:00:00Z"),
        (1714564800, "2024-05-01T12:00:00Z"),
        ("1714564800", "2024-05-01T12:00:00Z"),
        (1714564800000, "2024-05-01T12:00:00Z"),
        (date(2024, 5, 1), "2024-05-01"),
        (datetime(2024, 5, 1, 12, tzinfo=UTC), "2024-05-01T12:00:00Z"),
        (None, ""), ("", ""), (float("nan"), ""),
        ("yesterday", None), ("2024-13-01", None), (True, None), ([], None),
        (1e300, None), (float("inf"), None), (-(10**30), None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)  # fmt: skip
def test_dates_are_iso_8601_in_utc(value: Any, text: str | None) -> None:
    assert read_date(value) == text


@given(st.one_of(st.text(), st.floats(), st.integers(), st.datetimes(timezones=st.timezones()), st.dates(), st.binary()))
def test_dates_never_raise_and_sort_as_text(value: Any) -> None:
    found = read_date(value)
    assert found is None or found == "" or (found[:4].isdigit() and read_date(found) == found)
