"""Parsing what should be JSON or Python: exact about what is broken, silent about what cannot be judged."""

import json
import sys
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.filters.broken_code import MAX_PARSED_CHARS, json_problem, python_problem

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(JSON)
def test_json_has_no_problem(value: object) -> None:
    assert json_problem(json.dumps(value)) is None


@pytest.mark.parametrize("text", ["", "{", '{"a": 1,}', "{'a': 1}", '{"a": 1} and more', "[1, 2"])
def test_broken_json_has_one(text: str) -> None:
    assert "character" in str(json_problem(text))


def test_json_that_cannot_be_judged_is_left_alone() -> None:
    assert json_problem("[" * 90_000) is None
    assert json_problem('{"a": ' + "9" * 5_000 + "}") is None
    assert json_problem("x" * (MAX_PARSED_CHARS + 1)) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x = 1",
        "  x = 1\n  y = 2",
        "async def f():\n    await g()",
        'import re\nre.match("\\d", "1")',
        "match x:\n    case 1: ...",
    ],
)
def test_python_has_no_problem(text: str) -> None:
    assert python_problem(text) is None


@pytest.mark.parametrize(
    "text", ["def f(:", "for i in range(3)\n    pass", "x = (1", "if x:\ny = 1", "x = 'a", "return return"]
)
def test_broken_python_has_one(text: str) -> None:
    assert "line" in str(python_problem(text))


@pytest.mark.parametrize(
    "text",
    [
        *("(" * 50_000, "[" * 99_000, "-" * 90_000 + "1", "not " * 20_000 + "x", "x" + ".a" * 45_000, "x" + "+1" * 45_000),
        *("lambda: " * 12_000 + "1", "x" + "[0]" * 30_000, "x" + "()" * 45_000, "{" * 200 + "}" * 200, "x = " * 20_000 + "1"),
        *("if a:\n" + " b" * 40_000, "1 if x else " * 8_000 + "1", "x = " + "9" * 90_000, "\x00x = (", "\ud800 = ("),
        *("a if b else (" * 90, "f'" + "{" * 500, "await " * 15_000 + "x", "x" + " and x" * 15_000, "*" * 90_000),
        "\n".join(" " * depth + "if x:" for depth in range(400)),
    ],
)
def test_deep_code_neither_crashes_nor_takes_long(text: str) -> None:
    limit = sys.getrecursionlimit()
    python_problem(text)
    assert sys.getrecursionlimit() == limit


def test_warnings_of_the_parser_are_nobodys_business() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert python_problem('x = "\\d"\ny = 1 is 1\nassert (x, y)') is None
