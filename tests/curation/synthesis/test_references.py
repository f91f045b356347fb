"""References must be gradable; whether a quote holds one is told word for word, numbers by value."""

import contextlib

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.synthesis.parse import UnusableError
from curation.synthesis.prompts.reasoning import KINDS, Kind
from curation.synthesis.references import is_given_away, read_reference, stands_in_quote


@pytest.mark.parametrize(
    ("kind", "reference", "quote", "holds"),
    [
        ("exact", "with_columns", "Use `with_columns` here.", True),
        ("exact", "columns", "Use `with_columns` here.", False),
        ("exact", "GREEN  tea", "green\ntea is hot", True),
        ("exact", "C++", "Written in C++.", True),
        ("number", "1234", "It weighs 1,234 kg.", True),
        ("number", "20", "Wait 10-20 minutes.", True),
        ("number", "0.5", "Take 1/2 cup.", True),
        ("number", "2", "It weighs 1,234 kg.", False),
        ("number", "-5", "It has -5 degrees.", True),
        ("json", '{"a": "tea", "b": [80]}', "Tea at 80 degrees", True),
        ("json", '{"a": "tea", "b": [81]}', "Tea at 80 degrees", False),
        ("json", '{"a": true}', "It is true.", False),
        ("json", "{}", "anything", False),
    ],
)
def test_what_stands_in_a_quote(kind: Kind, reference: str, quote: str, holds: bool) -> None:
    assert stands_in_quote(kind, reference, quote) == holds


def test_a_question_may_give_its_answer_away() -> None:
    assert is_given_away("number", "7", "Is it 7 or 8?")
    assert is_given_away("exact", "tea", "Is it tea?")
    assert not is_given_away("exact", "tea", "Which teas are there?")
    assert not is_given_away("json", '{"a": "tea"}', "Give `a` of tea.")


@pytest.mark.parametrize(
    ("kind", "text", "reference"),
    [("number", " $1,234 ", "$1,234"), ("exact", " tea ", "tea"), ("json", '{"a": 1}', '{"a": 1}')],
)
def test_usable_references(kind: Kind, text: str, reference: str) -> None:
    assert read_reference(kind, text) == reference


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("number", "1 and 2"),
        ("number", "none"),
        ("exact", "?!"),
        ("exact", ""),
        ("exact", "x" * 2_000),
        ("json", "[1]"),
        ("json", '{"a": {}}'),
        ("json", "{" * 500),
    ],
)
def test_what_is_no_reference(kind: Kind, text: str) -> None:
    with pytest.raises(UnusableError):
        read_reference(kind, text)


@hypothesis.given(st.sampled_from(KINDS), st.text(max_size=60), st.text(max_size=60))
def test_no_text_breaks_the_search(kind: Kind, reference: str, quote: str) -> None:
    assert stands_in_quote(kind, reference, quote) in (True, False)
    with contextlib.suppress(UnusableError):
        assert read_reference(kind, reference)
