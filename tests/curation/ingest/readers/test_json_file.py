"""JSON in every layout; a bad element costs itself, damage beyond that is named with its line."""

import io
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.ingest.readers.json_file import layout_of
from curation.ingest.readers.json_scan import JsonScan
from curation.ingest.readers.limits import Limits
from curation.ingest.readers.opening import ReadOptions, open_rows
from curation.ingest.rows import BadRow, Row

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
ROWS = st.lists(st.dictionaries(st.text(), VALUES, max_size=4), min_size=1, max_size=6)


def read(data: bytes, name: str = "x.json", **options: object) -> list[Row | BadRow]:
    return list(open_rows(name, io.BytesIO(data), ReadOptions(**options)))


def brief(data: bytes, name: str = "x.json", **options: object) -> list[object]:
    return [row.values if isinstance(row, Row) else (row.number, row.reason) for row in read(data, name, **options)]


@pytest.mark.parametrize("ascii_only", [True, False])
@given(rows=ROWS, indent=st.sampled_from([None, 0, 2]))
def test_any_rows_round_trip_in_every_layout(rows: list[dict], indent: int | None, ascii_only: bool) -> None:
    def dumped(value: object) -> bytes:
        return json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")

    assert [row.values for row in read(dumped(rows))] == rows
    assert [row.values for row in read(dumped({"x": 1, "data": rows}), record_path="data")] == rows
    lines = b"\n".join(json.dumps(row, ensure_ascii=ascii_only).encode() for row in rows)
    assert [row.values for row in read(lines, "x.jsonl")] == rows


def test_layouts_are_told_apart_by_content() -> None:
    for data, layout in {
        b'{"a": 1}\n{"a": 2}\n': "json_lines",
        b'{oops\n{"a": 1}\n{"a": 2}\n': "json_lines",
        b'\n[{"a": 1}]': "json_array",
        b'[\n{"a": 1},\n{"a": 2}\n]': "json_array",
        b'[1]\n{"a": 1}\n{"a": 2}': "json_lines",
        b'{"data": [{"a": 1}]}': "json_object",
        b'{\n"a": 1\n}': "json_object",
    }.items():
        assert layout_of(data, whole=True, lines_expected=False) == layout, data


def test_a_bad_element_costs_itself_only() -> None:
    data = b'[{"a": 1},\n{oops: [}]},\n{"a": 1, "a": 2}, 7, {"a": "\xff"}, {"a": "\\udc00"}, {"a": 2}]'
    assert brief(data.replace(b"[}]", b"[]")) == [
        {"a": 1}, (2, "invalid_json"), (3, "duplicate_column"), (4, "not_an_object"), (5, "not_utf8"),
        (6, "lone_surrogate"), {"a": 2},
    ]  # fmt: skip
    assert "line 2" in read(data.replace(b"[}]", b"[]"))[1].detail


def test_damage_ends_the_file_with_the_line() -> None:
    rows = read(b'[{"a": 1},\n{"a": 2}\n{"a": 3}]')
    assert [row.number for row in rows] == [1, 2, 0]
    assert (rows[2].reason, "Line 3" in rows[2].detail, "After row 2" in rows[2].detail) == ("damaged_file", True, True)
    for data in (b'[{"a": 1}', b'[{"a": 1}, {"b": "', b'[{"a": 1}] x', b'{"data": [{"a": 1}'):
        assert read(data)[-1].number == 0


def test_one_list_of_objects_is_found_and_several_are_refused() -> None:
    assert brief(b'{"meta": {"rows": [{"x": 1}]}, "tags": ["a"], "data": [{"a": 1}]}') == [{"a": 1}]
    several = b'{"train": [{"a": 1}], "test": [{"a": 2}]}'
    (problem,) = read(several)
    assert (problem.reason, "'train', 'test'" in problem.detail) == ("ambiguous_records", True)
    assert brief(several, record_path="test") == [{"a": 2}]
    assert brief(b'{"r": {"items": [{"a": 1}, {"a": 2}]}}', record_path="r/items") == [{"a": 1}, {"a": 2}]
    assert brief(several, record_path="nope") == [(0, "no_records")]
    assert brief(b'{"a": 1, "b": [2]}') == [{"a": 1, "b": [2]}]


def test_objects_one_after_the_other_are_rows() -> None:
    assert brief(b'{\n"a": 1\n}\n{\n"a": 2\n}') == [{"a": 1}, {"a": 2}]


def test_what_cannot_be_written_again_is_refused() -> None:
    deep = "[" * 150 + "]" * 150
    values = ["1e400", "NaN", deep, '"\\ud800"', '"\\ud83d\\ude00 \\u0000 \\u202e"', "1" + "0" * 5000]
    data = "\n".join(f'{{"a": {value}}}' for value in values).encode()
    assert brief(data, "x.jsonl") == [
        (1, "invalid_json"), (2, "invalid_json"), (3, "nested_too_deeply"), (4, "lone_surrogate"),
        {"a": "\U0001f600 \0 \u202e"}, (6, "invalid_json"),
    ]  # fmt: skip


def test_a_row_above_the_cap_is_refused_and_the_next_is_read() -> None:
    limits = Limits(row_bytes=1000, head_bytes=100)
    lines = b'{"a": 1}\n{"a": "' + b"x" * 5000 + b'"}\n{"a": 2}'
    assert brief(lines, "x.jsonl", limits=limits) == [{"a": 1}, (2, "row_too_large"), {"a": 2}]
    rows = read(b"[" + lines.replace(b"\n", b",\n") + b"]", limits=limits)
    assert [row.values for row in rows if isinstance(row, Row)] in ([{"a": 1}], [{"a": 1}, {"a": 2}])
    assert any(isinstance(row, BadRow) for row in rows)


def test_ten_megabyte_fields_round_trip() -> None:
    row = {"a": 'x\u00e9"\\' * 2_500_000}
    for data in (json.dumps([row]).encode(), json.dumps(row, ensure_ascii=False).encode() + b"\n"):
        assert [found.values for found in read(data)] == [row]


@given(st.binary(max_size=60), st.integers(1, 7))
def test_scanning_in_small_reads_gives_the_same(data: bytes, size: int) -> None:
    class Slow(io.BytesIO):
        def read(self, _size: int = -1) -> bytes:
            return super().read(size)

    def outcome(stream: io.BytesIO) -> object:
        scan = JsonScan(stream, Limits())
        try:
            return scan.next_value(), scan.line, scan.peek()
        except Exception as error:
            return type(error)

    assert outcome(Slow(b'["\\"' + data)) == outcome(io.BytesIO(b'["\\"' + data))


def test_long_adversarial_texts_take_linear_time() -> None:
    chance = random.Random(0)
    for piece in ('"', "\\", "[", "{", '\\"', "[[", '{"a":', '"",', "".join(chance.choices('{}[]",:\\', k=50))):
        text = ("[" + piece * (100_000 // len(piece))).encode()
        assert read(text)[-1].number == 0 or read(text)
