"""CSV cells: nothing that a spreadsheet would calculate, and every cell comes back."""

import csv
import io
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.review.exchange.csv_cells import neutralise, restore

STARTS = ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\u2212", "\ufe66", "\ufe62"]
LEADS = ["", " ", "\u00a0", "\ufeff", "\u200b", "\t", "'", "' '", "\x00"]


@pytest.mark.parametrize("lead", LEADS)
@pytest.mark.parametrize("start", STARTS)
def test_what_a_spreadsheet_would_calculate_gets_an_apostrophe(lead: str, start: str) -> None:
    if lead and start in "\t\r\n":
        return
    cell = f"{lead}{start}cmd|' /C calc'!A0"
    assert neutralise(cell) == "'" + cell
    assert restore(neutralise(cell)) == cell


@pytest.mark.parametrize("cell", ["", "a=b", "5", "'quoted'", "''", "don't", " x", '{"a": -1}', "a\n=1"])
def test_other_cells_stay_as_they_are(cell: str) -> None:
    assert neutralise(cell) == cell
    assert restore(cell) == cell


CELLS = st.text(st.one_of(st.sampled_from("=+-@\t\r\n '\"\uff1d\ufeff"), st.characters(exclude_categories=["Cs"])), max_size=8)


@settings(max_examples=200, deadline=None)
@given(CELLS)
def test_every_cell_comes_back_and_none_starts_a_formula(cell: str) -> None:
    safe = neutralise(cell)
    assert restore(safe) == cell
    first = safe.lstrip(" \u00a0\ufeff\u200b")[:1]
    assert unicodedata.normalize("NFKC", first) not in ("=", "+", "-", "@")
    assert not safe.startswith(("\t", "\r", "\n"))


@settings(max_examples=50, deadline=None)
@given(st.lists(CELLS.filter(lambda cell: "\x00" not in cell), min_size=1, max_size=4))
def test_cells_pass_through_a_csv_file(cells: list[str]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL).writerow([neutralise(cell) for cell in cells])
    read = next(csv.reader(io.StringIO(file.getvalue(), newline="")))
    assert [restore(cell) for cell in read] == cells
