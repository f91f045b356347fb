"""XML: the repeated element is found, entities and files stay out, damage is named with its line."""

import io

import pytest

from curation.ingest.readers.opening import ReadOptions, open_rows
from curation.ingest.rows import BadRow, Row


def read(data: bytes, **options: object) -> list[Row | BadRow]:
    return list(open_rows("x.xml", io.BytesIO(data), ReadOptions(**options)))


def test_the_least_deep_repeated_element_is_the_record() -> None:
    data = b"<r><meta><k>1</k><k>2</k></meta><doc><t>a</t></doc><doc><t>b</t></doc></r>"
    assert [row.values for row in read(data)] == [{"t": "a"}, {"t": "b"}]
    (problem,) = read(b"<r><a>1</a><b>2</b><a>3</a><b>4</b></r>")
    assert (problem.reason, "a, b" in problem.detail) == ("ambiguous_records", True)
    assert [row.values for row in read(b"<note><to>you</to><body>hi</body></note>")] == [{"to": "you", "body": "hi"}]


def test_a_declared_path_is_followed() -> None:
    data = b"<r><x><a>1</a></x><y><a>2</a></y></r>"
    assert [row.values for row in read(data, record_path="y/a")] == [{"text": "2"}]
    assert [row.values for row in read(data, record_path="a")] == [{"text": "1"}, {"text": "2"}]
    assert read(data, record_path="z")[0].reason == "no_records"


def test_namespaces_comments_and_cdata() -> None:
    data = b'<r xmlns:n="urn:x"><n:a n:id="1"><!-- no --><n:t><![CDATA[<b>]]></n:t><?pi no?></n:a><n:a><n:t>2</n:t></n:a></r>'
    assert [row.values for row in read(data)] == [{"@id": "1", "t": "<b>"}, {"t": "2"}]


def test_entities_are_not_expanded_and_nothing_outside_is_read(tmp_path) -> None:
    (tmp_path / "secret").write_text("SECRET")
    head = f'<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd" [<!ENTITY f SYSTEM "file://{tmp_path}/secret"><!ENTITY a "xx">'
    for entity in ("&f;", "&a;"):
        rows = read(f"{head}]><r><i><t>{entity}</t></i><i><t>ok</t></i></r>".encode())
        assert [row.reason for row in rows if isinstance(row, BadRow)] == ["xml_entity"]
        assert [row.values for row in rows if isinstance(row, Row)] == [{"t": "ok"}]
        assert "SECRET" not in str(rows)


def test_billion_laughs_end_in_a_rejection() -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    data = f'<!DOCTYPE r [<!ENTITY e0 "ha">{entities}]><r><i a="&e11;">x</i><i>y</i></r>'.encode()
    assert read(data)[-1].number == 0


def test_damage_is_named_with_its_line_and_rows_before_are_kept() -> None:
    rows = read(b"<r>\n<i>1</i>\n<i>2</i>\n<i>3</j></r>")
    assert [row.values for row in rows if isinstance(row, Row)] == [{"text": "1"}, {"text": "2"}]
    assert (rows[-1].reason, "line 4" in rows[-1].detail) == ("invalid_xml", True)


def test_depth_and_size_are_bounded() -> None:
    deep = b"<r>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</r>"
    assert read(deep)[-1].number == 0
    many = read(b"<r><i>" + b"<t/>" * 100_001 + b"</i><i>ok</i></r>", record_path="i")
    assert many[0].reason == "row_too_large"
    assert many[1].values == {"text": "ok"}


@pytest.mark.parametrize("size", [9_000_000, 11_000_000])
def test_large_texts_round_trip_or_are_refused(size: int) -> None:
    rows = read(b"<r><i>" + b"x" * size + b"</i><i>ok</i></r>", record_path="i")
    if isinstance(rows[0], Row):
        assert rows[0].values == {"text": "x" * size}
    else:
        assert rows[0].reason == "invalid_xml"
