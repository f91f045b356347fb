"""Rows as texts to learn from, their columns one section each."""

from collections.abc import Callable
from typing import Any

Read = Callable[..., list[Any]]


def test_text_columns_by_name_by_declaration_or_all(read: Read) -> None:
    row = {"id": 7, "topic": "x", "note": "n", "number": 4}
    (document,) = read([row], role="documents")
    assert (document.text, document.group, document.title) == ("topic: x\n\nnote: n", "7", "src/x.jsonl#1")
    assert [document.text[section.start : section.end] for section in document.sections] == ["x", "n"]
    assert read([row], role="documents", text_columns=("note",))[0].text == "n"
    assert read([row], {"columns": {"text": "number"}}, role="documents")[0].text == "4"
    assert read([{**row, "body": "b"}], role="documents")[0].text == "b"


def test_rows_without_text(read: Read) -> None:
    found = read([{"text": "\n"}, {"number": 4}, {"text": None}, {}], role="documents")
    assert [record.reason for record in found] == ["empty_text"] * 4
    (missing,) = read([{"text": "x"}], role="documents", text_columns=("body",))
    assert missing.reason == "missing_column"
    (huge,) = read([{"n": 10**5000}], role="documents", text_columns=("n",))
    assert huge.reason == "empty_text"


def test_declared_key_and_group_columns(read: Read) -> None:
    row = {"name": "Pool", "no": 7, "house": "north", "text": "Opens at 8."}
    shape = {"columns": {"key": "no", "group": "house"}}
    assert (read([row], shape, role="documents")[0].group, read([row], shape, role="documents")[0].title) == ("north", "Pool")
    assert read([row], {"columns": {"key": "no"}}, role="documents")[0].group == "7"
