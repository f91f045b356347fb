"""Every format gives the rows and documents that were written into it, and says what it found."""

import io

import pytest

from curation.ingest.config import SourceConfig
from curation.ingest.file_records import read_file
from curation.ingest.readers.limits import Limits
from curation.ingest.readers.opening import ReadOptions, open_rows
from curation.ingest.readers.unwrapping import unwrap
from curation.ingest.rows import BadRow, Row
from tests.curation.ingest.readers.samples import HTML, PROSE_FILES, ROW_FILES, ROWS, pdf, word


def rows_of(name: str, data: bytes, **options: object) -> list[Row | BadRow]:
    (file,) = unwrap(name, io.BytesIO(data), Limits())
    assert file.stream is not None
    return list(open_rows(file.inner_name, file.stream, ReadOptions(**options)))


def document_of(name: str, data: bytes) -> tuple[str, list[tuple[tuple[str, ...], str]]]:
    (document,) = read_file(SourceConfig(name="s", kind="files", path="x"), name, data).documents
    text = document.text
    return document.title, [(section.heading_path, text[section.start : section.end]) for section in document.sections]


@pytest.mark.parametrize("name", sorted(set(ROW_FILES) - {"a.xml"}))
def test_rows_come_back_exactly(name: str) -> None:
    rows = rows_of(name, ROW_FILES[name])
    assert [row.values for row in rows if isinstance(row, Row)] == ROWS
    assert [row.number for row in rows] == list(range(1, 21))


def test_xml_attributes_and_elements_become_columns() -> None:
    rows = rows_of("a.xml", ROW_FILES["a.xml"])
    assert rows[3] == Row(4, {"@n": "q3", "question": "What is 3?", "answer": "a", "../@lang": "en"})
    assert len(rows) == 20
    nested = b'<r><a id="1"><q x="u">x<b>bold</b>z</q><t>1</t><t>2</t><m><n>deep</n></m></a></r>'
    (row,) = rows_of("n.xml", nested, record_path="a")
    assert row.values == {"@id": "1", "q": "xboldz", "q@x": "u", "t": ["1", "2"], "m/n": "deep"}


def test_reports_say_format_encoding_and_findings() -> None:
    source = SourceConfig(name="s", kind="files", path="x", role="demonstrations")
    found = {name: read_file(source, name, data).reports[0] for name, data in ROW_FILES.items()}
    assert found["lines.json"].format == "json_lines"
    assert found["object.json"].format == "json_object"
    assert (found["utf16.csv"].encoding, found["utf16.csv"].confidence) == ("utf-16", 1.0)
    assert "';'" in found["semicolon.csv"].shape
    assert "records at 'item'" in found["a.xml"].shape
    assert found["a.zip"].name == "a.zip!/in/a.jsonl"
    assert all((report.rows, report.rejected) == (20, 0) for report in found.values())
    assert found["a.csv"].describe().startswith("a.csv: csv, utf-8, cells cut by ','")


def test_html_keeps_the_page_and_drops_what_stands_around_it() -> None:
    assert document_of("a.html", HTML.encode()) == ("Guide", [(("Guide",), "Run it.")])
    page = (
        "<title>Help</title><header><h1>Help<a href='#x'>\u00b6</a></h1></header><p hidden>no</p><script>no</script>"
        "<p>One <b>two</b><br>three<h2>List</h2><ul><li>a<li>b</ul><pre>if x:\n    y</pre>"
        "<table><tr><th>k<th>v<tr><td>1<td>2</table><footer>no</footer>"
    )
    title, sections = document_of("b.html", page.encode())
    assert title == "Help"
    assert sections == [
        (("Help",), "One two\nthree"),
        (("Help", "List"), "- a\n\n- b\n\n```\nif x:\n    y\n```\n\nk | v\n\n1 | 2"),
    ]


def test_rst_keeps_its_source_and_includes_no_file(tmp_path) -> None:
    (tmp_path / "secret.txt").write_text("SECRET")
    source = (
        f"Guide\n=====\n\nRun it.\n\n.. include:: {tmp_path}/secret.txt\n\n.. raw:: html\n   :file: {tmp_path}/secret.txt\n\n"
        "::\n\n   No title\n   ========\n\nSub *x*\n-------\n\nText.\n\n====\nLast\n====\n\nEnd."
    )
    title, sections = document_of("a.rst", source.encode())
    assert title == "Guide"
    assert [path for path, _ in sections] == [("Guide",), ("Guide", "Sub x"), ("Guide", "Sub x", "Last")]
    assert sections[1][1] == "Text."
    assert "SECRET" not in "".join(text for _, text in sections)


def test_pdf_pages_are_sections_and_scans_are_refused() -> None:
    assert document_of("a.pdf", PROSE_FILES["a.pdf"]) == (
        "a",
        [(("a", "Page 1"), "First page"), (("a", "Page 2"), "Second page")],
    )
    (rejection,) = read_file(SourceConfig(name="s", kind="files", path="x"), "scan.pdf", pdf("", "")).rejections
    assert (rejection.reason, "OCR" in rejection.detail) == ("no_text_layer", True)


def test_encrypted_pdf_says_so() -> None:
    from pypdf import PdfReader, PdfWriter

    writer, file = PdfWriter(PdfReader(io.BytesIO(pdf("Secret")))), io.BytesIO()
    writer.encrypt("password", algorithm="RC4-128")
    writer.write(file)
    (rejection,) = read_file(SourceConfig(name="s", kind="files", path="x"), "a.pdf", file.getvalue()).rejections
    assert rejection.reason == "encrypted_file"


def test_docx_headings_tables_and_inserted_text() -> None:
    assert document_of("a.docx", word()) == (
        "Policy",
        [(("Policy",), "Returns are free."), (("Policy", "Terms"), "item | days\nbook | 30")],
    )
    import docx
    from docx.oxml import parse_xml

    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    document, file = docx.Document(), io.BytesIO()
    paragraph = document.add_paragraph("Keep ")._p
    paragraph.append(parse_xml(f"<w:ins {space}><w:r><w:t>new</w:t></w:r></w:ins>"))
    paragraph.append(parse_xml(f"<w:del {space}><w:r><w:delText>old</w:delText></w:r></w:del>"))
    document.save(file)
    assert document_of("b.docx", file.getvalue())[1] == [(("b",), "Keep new")]


def test_a_declared_format_overrides_the_suffix() -> None:
    source = SourceConfig(name="s", kind="files", path="x", format="csv", delimiter=";")
    (document,) = read_file(source, "export.dat", b"title;text\nA;hello\n").documents
    assert document.text == "hello"
