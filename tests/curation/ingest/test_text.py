"""White space edits leave the text alone; indentation survives; any string becomes valid UTF-8."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.ingest.text import excerpt_of, normalise_markdown, normalise_text

HOSTILE = st.text(
    st.one_of(
        st.sampled_from(" \t\n\r`~#\ufeff\ud800\udc00\u0301a\x85\u2028\xa0\u2000\u212b"),
        st.characters(exclude_categories=()),
    )
)


@given(HOSTILE)
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalise_text(text)
    assert normalise_text(once) == once
    once.encode("utf-8")


@given(HOSTILE)
def test_normalising_markdown_twice_changes_nothing_more(text: str) -> None:
    once = normalise_markdown(text)
    assert normalise_markdown(once) == once


@pytest.mark.parametrize("edited", ["a\r\n\r\nb", "a  \n\n\n\n\nb\n\n", "\ufeff\n\na\t\n \nb", "a\r\rb"])
def test_white_space_edits_vanish(edited: str) -> None:
    assert normalise_text(edited) == "a\n\nb"


def test_indentation_survives() -> None:
    code = "def f():\n    if x:\n\treturn 1"
    assert normalise_text(code + "  \n") == code


def test_composed_and_decomposed_letters_are_one() -> None:
    assert normalise_text("cafe\u0301") == normalise_text("caf\u00e9")


def test_lone_surrogates_become_replacement_characters() -> None:
    assert normalise_text("a\ud800b \ud83d\ude00") == "a\ufffdb \U0001f600"


def test_markdown_spaces_collapse_in_prose_but_not_in_code() -> None:
    text = "two  words\n\n```\nx  =  1\n```\n\n    y  =  2\n\nthree   words `a  b`"
    expected = "two words\n\n```\nx  =  1\n```\n\n    y  =  2\n\nthree   words `a  b`"
    assert normalise_markdown(text) == expected


def test_excerpts_are_short_and_printable() -> None:
    assert excerpt_of("a\x00\x1b[31m\nb\ud800" + "x" * 600) == "a\ufffd\ufffd[31m\nb\ufffd" + "x" * 490
