"""The search box: what people type, and that nothing they type is an error."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.review.search.index import fts5_query, tsquery
from curation.review.search.query import Filter, Query, Term, parse_query, set_filter

pytestmark = pytest.mark.slow


def test_words_phrases_and_minus() -> None:
    query = parse_query('trim "White  space" -date -"old text" Größ*')
    assert query.terms == (
        Term(words=("trim",)),
        Term(words=("white", "space")),
        Term(words=("date",), is_negated=True),
        Term(words=("old", "text"), is_negated=True),
        Term(words=("gross",), is_prefix=True),
    )
    assert query.problems == ()
    assert [term.words for term in query.wanted] == [("trim",), ("white", "space"), ("gross",)]


def test_filters_take_quotes_and_minus_and_ignore_case() -> None:
    query = parse_query('State:OPEN -kind:pair reviewer:"Ada Byron" after:2026-11-01 task:grounded_qa')
    assert query.filters == (
        Filter(field="state", value="open"),
        Filter(field="kind", value="pair", is_negated=True),
        Filter(field="reviewer", value="Ada Byron"),
        Filter(field="after", value="2026-11-01"),
        Filter(field="task", value="grounded_qa"),
    )
    assert query.values("state") == ("open",)
    assert query.values("kind") == ()
    assert query.values("kind", is_negated=True) == ("pair",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("state:opened", "state: is one of"),
        ("before:yesterday", "such as 2026-11-29"),
        ("before:20261129", "such as 2026-11-29"),
        ("kind:", "kind:pair"),
        ("reviewer:\0", "NUL"),
        ("x" * 2000, "at most 1,000"),
        ("a " * 40, "at most 32"),
    ],
)
def test_what_makes_no_sense_is_a_problem_and_never_left_out(text: str, says: str) -> None:
    assert any(says in problem for problem in parse_query(text).problems)


def test_an_unknown_field_is_words() -> None:
    assert parse_query("http://x.y").terms == (Term(words=("http", "x", "y")),)


def test_operators_of_the_databases_are_words() -> None:
    assert (
        fts5_query(parse_query('OR AND "NEAR(a b)" words:x ^y').terms)
        == '("or" AND "and" AND "near a b" AND "words x" AND "y")'
    )
    assert tsquery(parse_query("a|b -c:* 'd'*").terms) == "('a' <-> 'b') & ('d':*) & !('c':*)"


@given(
    st.text()
    | st.lists(st.sampled_from(["state:", "-", '"', "open", "a*", "kind:pair", "before:", "\0", "\ud800", " "])).map("".join)
)
@settings(max_examples=60)
def test_no_input_raises_and_words_hold_letters_and_digits_only(text: str) -> None:
    query = parse_query(text)
    assert isinstance(query, Query)
    for term in query.terms:
        assert term.words
        assert all(word and "'" not in word and '"' not in word and " " not in word for word in term.words)
        assert all(word.isalnum() for word in term.words)
    fts5_query(query.terms)
    tsquery(query.terms)


def test_a_filter_is_set_changed_and_taken_out() -> None:
    text = set_filter('trim "a b"', "state", "open")
    assert text == 'trim "a b" state:open'
    assert set_filter("State:partial " + text, "state", "decided") == 'trim "a b" state:decided'
    assert set_filter(text, "state", "") == 'trim "a b"'
    assert set_filter("", "reviewer", "Ada Byron") == 'reviewer:"Ada Byron"'
