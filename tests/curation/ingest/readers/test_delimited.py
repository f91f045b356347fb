"""CSV and TSV with everything that real files have: other delimiters, stray quotes, ragged rows, doubled columns."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.ingest.readers.delimited import find_delimiter
from curation.ingest.readers.limits import Fault
from curation.ingest.readers.opening import ReadOptions, open_rows
from curation.ingest.rows import BadRow, Row

CELL = st.text(st.characters(exclude_characters="\0\ufeff", exclude_categories=("Cs",)), min_size=1, max_size=8)


def read(data: bytes, name: str = "x.csv", **options: object) -> list[Row | BadRow]:
    return list(open_rows(name, io.BytesIO(data), ReadOptions(**options)))


def brief(data: bytes, name: str = "x.csv", **options: object) -> list[object]:
    return [row.values if isinstance(row, Row) else (row.number, row.reason) for row in read(data, name, **options)]


@given(rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8), delimiter=st.sampled_from(",;\t|"))
def test_any_cells_round_trip(rows: list[tuple[str, str]], delimiter: str) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows([("a", "b"), *rows])
    found = read(file.getvalue().encode(), delimiter=delimiter)
    assert [row.values for row in found] == [{"a": first, "b": second} for first, second in rows]


def test_a_stray_quote_costs_its_own_row() -> None:
    data = b'a,b\n1,"never closed\n2,x\n"3"oops,y\n4,"two\nlines"\n5,z'
    assert brief(data) == [
        (1, "unreadable_row"), {"a": "2", "b": "x"}, (3, "unreadable_row"), {"a": "4", "b": "two\nlines"}, {"a": "5", "b": "z"},
    ]  # fmt: skip
    assert "Line 2" in read(data)[0].detail
    assert "Line 4" in read(data)[2].detail


def test_ragged_rows_and_broken_headers() -> None:
    assert brief(b"a,b\n1\n1,2,3\n1,2\n") == [(1, "ragged_row"), (2, "ragged_row"), {"a": "1", "b": "2"}]
    assert "Line 3 has 3 cells, the header 2" in read(b"a,b\n1\n1,2,3\n")[1].detail
    for data in (b"", b"a,a\n1,2\n", b'"a\n1,2', b"\xff,b\n1,2\n"):
        assert brief(data) == [(0, "invalid_header")], data


def test_the_delimiter_is_seen_in_the_head() -> None:
    assert find_delimiter("id;text\n1;a, b\n2;c\n", ",") == ";"
    assert find_delimiter("id\ttext\n1\ta, b\n", ",") == "\t"
    assert find_delimiter("id,text\n1,a; b\n", ",") == ","
    assert find_delimiter("only\none\n", ",") == ","
    with pytest.raises(Fault, match=r"';', '\|'"):
        find_delimiter("a;b|c\n1;2|3\n4;5|6\n", ",")


def test_nul_bidi_and_wrong_bytes_spoil_their_row_only() -> None:
    head = b"a,b\n" + b"x,y\n" * 300
    rows = brief(head + b"1,a\0b\n2,\xe2\x80\xae\n3,\xff\n4,ok\n")[300:]
    assert rows == [(301, "binary_file"), {"a": "2", "b": "\u202e"}, (303, "not_utf8"), {"a": "4", "b": "ok"}]


def test_large_fields_round_trip_up_to_the_cap() -> None:
    ten = b"x" * 10_000_000
    rows = read(b'a,b\n1,"' + ten + b'"\n2,' + b"y" * 17_000_000 + b"\n3,z\n")
    assert rows[0].values == {"a": "1", "b": ten.decode()}
    assert [row.number for row in rows if isinstance(row, BadRow)] == [2]
    assert rows[-1].values == {"a": "3", "b": "z"}


def test_many_unclosed_quotes_take_linear_time() -> None:
    rows = read(b"a,b\n" + b'1,"x\n' * 3000)
    assert all(isinstance(row, BadRow) for row in rows)
    assert rows[0].number == 1
