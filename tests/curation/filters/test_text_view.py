"""What rules see: prose without code, fences with their languages, code told from prose."""

import pytest

from curation.filters.lengths import estimate_tokens
from curation.filters.text_view import looks_like_code, prose_of, view_of
from curation.records import Message
from tests.curation.filters.rule_rows import example, pair, unpaired


def test_all_kinds_of_rows_have_one_view() -> None:
    one = view_of(example("What?", "A dog.", system="Be brief."))
    assert (one.kind, one.system, one.question, one.answer, one.rejected) == ("example", "Be brief.", "What?", "A dog.", "")
    two = view_of(pair("What?", "good", "bad"))
    assert (two.kind, two.answer, two.rejected) == ("pair", "good", "bad")
    assert view_of(unpaired("What?", "x", True)).answer == "x"
    bad = view_of(unpaired("What?", "x", False))
    assert (bad.answer, bad.rejected, bad.has_good_answer) == ("", "x", False)


def test_the_last_question_of_a_dialogue_counts() -> None:
    turns = ("user", "First?"), ("assistant", "One."), ("tool", "{}"), ("user", "Second?"), ("assistant", "Two.")
    row = example("x", "y")
    messages = tuple(Message(role=role, content=text) for role, text in turns)  # type: ignore[arg-type]
    view = view_of(type(row)(key="a/1", task="t", messages=messages, group="g", provenance=row.provenance))
    assert (view.question, view.answer) == ("Second?", "Two.")
    assert view.prompt == "First?\n\nOne.\n\n{}\n\nSecond?"


@pytest.mark.parametrize(
    ("text", "fences", "is_open"),
    [
        ("none", (), False),
        ("```python\nx = 1\n```\nand\n~~~\ny\n~~~", (("python", "x = 1\n"), ("", "y\n")), False),
        ("````md\n```\ninner\n```\n````", (("md", "```\ninner\n```\n"),), False),
        ("```JSON title\n{}", (("json title", "{}"),), True),
        ("inline ``` is none", (), False),
    ],
)
def test_fences_are_found(text: str, fences: tuple[tuple[str, str], ...], is_open: bool) -> None:
    view = view_of(example("What?", text))
    assert view.fences == fences
    assert view.has_open_fence == is_open


def test_prose_is_what_is_left_without_code_tables_and_addresses() -> None:
    text = "Look:\n```\ncode\n```\n| a | b |\nsee `x` at https://example.org/a <br> now"
    assert prose_of(text).split() == ["Look:", "see", "at", "now"]
    assert prose_of("word " * 100, limit=9) == "word word"


def test_code_is_told_from_prose() -> None:
    assert looks_like_code("def add(a, b):\n    return a + b")
    assert looks_like_code("#include <iostream>\nint main() {\n    return 0;\n}")
    assert not looks_like_code("The function adds two numbers.\nIt returns the sum.")
    assert not looks_like_code("")


@pytest.mark.parametrize(
    ("text", "low", "high"), [("", 0, 0), ("word " * 100, 90, 150), ("\u4f60" * 50, 40, 80), ("\u0431" * 100, 30, 70)]
)
def test_tokens_are_estimated(text: str, low: int, high: int) -> None:
    assert low <= estimate_tokens(text) <= high
