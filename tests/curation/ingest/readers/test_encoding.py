"""Encodings: proven, declared, or detected beyond doubt; otherwise refused with the candidates."""

import io

import pytest

from curation.ingest.config import SourceConfig
from curation.ingest.file_records import read_file
from curation.ingest.ingested import Ingested
from curation.ingest.readers.encoding import detect_encoding
from curation.ingest.readers.limits import Fault

GERMAN = (
    "Die Lieferung erfolgt f\u00fcr gew\u00f6hnlich innerhalb von drei Tagen. Kl\u00e4ren Sie R\u00fccksendungen bitte "
    "vorher \u00fcber das Formular, damit wir die Geb\u00fchren pr\u00fcfen k\u00f6nnen. Gr\u00f6\u00dfere Pakete m\u00fcssen "
    "abgeholt werden, \u00f6ffnen Sie diese nicht. Sch\u00f6ne Gr\u00fc\u00dfe aus K\u00f6ln."
)

RUSSIAN = (
    "\u041f\u043e\u043a\u0443\u043f\u0430\u0442\u0435\u043b\u044c \u043c\u043e\u0436\u0435\u0442 "
    "\u0432\u0435\u0440\u043d\u0443\u0442\u044c \u0442\u043e\u0432\u0430\u0440 \u0432 "
    "\u0442\u0435\u0447\u0435\u043d\u0438\u0435 \u043d\u0435\u0434\u0435\u043b\u0438. "
    "\u0414\u0435\u043d\u044c\u0433\u0438 \u0432\u043e\u0437\u0432\u0440\u0430\u0449\u0430\u044e\u0442\u0441\u044f "
    "\u0442\u0435\u043c \u0436\u0435 \u0441\u043f\u043e\u0441\u043e\u0431\u043e\u043c."
)
JAPANESE = "\u8fd4\u54c1\u306f\u5546\u54c1\u5230\u7740\u5f8c\u5341\u56db\u65e5\u4ee5\u5185\u306b\u627f\u308a\u307e\u3059\u3002"


def read(name: str, data: bytes, **fields: object) -> Ingested:
    return read_file(SourceConfig(name="s", kind="files", path="x", **fields), name, data)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html", "a.csv", "a.jsonl", "a.json"])
def test_unicode_needs_no_declaration(name: str, encoding: str) -> None:
    wrapped = {"csv": f'text\n"{GERMAN}"\n', "jsonl": f'{{"text": "{GERMAN}"}}\n', "json": f'[{{"text": "{GERMAN}"}}]'}
    ingested = read(name, wrapped.get(name.partition(".")[2], GERMAN).encode(encoding))
    assert [document.text for document in ingested.documents] == [GERMAN]
    assert ingested.reports[0].encoding == encoding.removesuffix("-sig")
    assert ingested.reports[0].confidence == 1.0


@pytest.mark.parametrize("name", ["a.txt", "a.csv"])
def test_a_declared_encoding_is_taken(name: str) -> None:
    text = "caf\u00e9"
    data = (f"text\n{text}\n" if name == "a.csv" else text).encode("cp1252")
    assert read(name, data, encoding="cp1252").documents[0].text == text
    assert read(name, data).documents == ()


def test_a_wrong_declaration_is_a_rejection() -> None:
    (rejection,) = read("a.txt", b"\xff\xfe\xfd", encoding="utf-8").rejections
    assert (rejection.reason, "offset 0" in rejection.detail) == ("not_utf8", True)
    rows = read("a.jsonl", b'{"text": "a"}\n{"text": "\x81"}\n', encoding="cp1252")
    assert ([row.text for row in rows.documents], [row.reason for row in rows.rejections]) == (["a"], ["not_utf8"])


def test_doubt_is_a_rejection_with_the_candidates() -> None:
    (rejection,) = read("a.txt", b"caf\xe9").rejections
    assert rejection.reason == "not_utf8"
    assert "0xe9 at offset 3" in rejection.detail
    assert "cp125" in rejection.detail
    rows = read("a.csv", b"text\nplain\ncaf\xe9\n")
    assert [document.text for document in rows.documents] == ["plain"]
    assert "cp125" in rows.rejections[0].detail
    assert rows.reports[0].confidence == 0.0


@pytest.mark.parametrize(
    "encoding", ["cp1252", "cp1250", "mac_roman", "cp1251", "koi8-r", "cp866", "shift_jis", "euc_jp", "gb18030"]
)
def test_what_is_detected_is_right_or_refused_and_always_reported(encoding: str) -> None:
    text = next(text for text in (GERMAN, RUSSIAN, JAPANESE) if _fits(text, encoding))
    ingested = read("a.txt", text.encode(encoding))
    if ingested.documents:
        assert ingested.documents[0].text == text
        assert 0.5 < ingested.reports[0].confidence < 1.0
    else:
        assert "may be" in ingested.rejections[0].detail


def test_clear_cases_are_detected_and_reported() -> None:
    for text, encoding, found in ((RUSSIAN, "cp866", "cp866"), (JAPANESE * 3, "shift_jis", "cp932")):
        ingested = read("a.txt", text.encode(encoding))
        assert [document.text for document in ingested.documents] == [text]
        assert ingested.reports[0].encoding == found
        assert "detected" in ingested.reports[0].describe()


def test_the_most_plausible_encoding_is_not_taken_where_others_are_nearly_as_plausible() -> None:
    text = "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440. " * 20  # Thai, if the best guess were taken
    (rejection,) = read("a.txt", text.encode("koi8-r")).rejections
    assert "koi8_r" in rejection.detail


def _fits(text: str, encoding: str) -> bool:
    try:
        return text.encode(encoding).decode(encoding) == text
    except UnicodeError:
        return False


def test_a_page_may_declare_its_charset() -> None:
    page = f'<html><head><meta charset="{{}}"></head><p>{GERMAN}</p></html>'
    for declared, encoding in (("iso-8859-1", "cp1252"), ("utf-8", "utf-8"), ("nonsense", "utf-8"), ("cp1252", "utf-8")):
        ingested = read("a.html", page.format(declared).encode(encoding))
        assert [document.text for document in ingested.documents] == [GERMAN], declared
        assert ingested.reports[0].encoding == encoding


def test_one_bad_line_does_not_make_a_file_something_else() -> None:
    data = "".join(f'{{"text": "caf\u00e9 {number}"}}\n' for number in range(50)).encode() + b'{"text": "\xe9\xe8\xe0"}\n'
    ingested = read("a.jsonl", data)
    assert len(ingested.documents) == 50
    assert [rejection.reason for rejection in ingested.rejections] == ["not_utf8"]
    assert ingested.reports[0].encoding == "utf-8"


def test_a_cut_character_at_the_end_of_a_head_is_no_error() -> None:
    assert detect_encoding("\u00e9".encode()[:1], whole=False).name == "utf-8"
    with pytest.raises(Fault):
        detect_encoding("\u00e9".encode()[:1], whole=True)
    assert io.BytesIO(b"").read() == b""
