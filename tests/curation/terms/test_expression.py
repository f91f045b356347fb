"""Licence expressions: one spelling, and nothing guessed or crashed on."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.terms.expression import AllOf, AnyOf, Expression, Name, names_in, parse_license, spell

NAMES = st.sampled_from(["MIT", "Apache-2.0", "CC-BY-SA-4.0", "ODbL-1.0", "GPL-2.0-only", "LicenseRef-house", "BSD-3-Clause"])
EXPRESSIONS = st.recursive(
    NAMES,
    lambda inner: st.tuples(st.sampled_from(["AND", "OR"]), inner, inner).map(lambda it: f"({it[1]} {it[0]} {it[2]})"),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mit", Name("MIT")),
        (" Apache  2.0 ", Name("Apache-2.0")),
        ("GPL-2.0", Name("GPL-2.0-only")),
        ("GPL-2.0+", Name("GPL-2.0-or-later")),
        ("odc-by", Name("ODC-By-1.0")),
        ("llama3.1", Name("llama3.1")),
        ("Public Domain", Name("public-domain")),
        ("MIT or Apache-2.0", AnyOf((Name("Apache-2.0"), Name("MIT")))),
        ("MIT AND (MIT)", Name("MIT")),
        ("GPL-2.0-only WITH Classpath-exception-2.0", Name("GPL-2.0-only")),
        ("MIT/Apache-2.0", Name("MIT/Apache-2.0")),
        ("MIT AND", Name("MIT AND")),
        ("", Name("")),
    ],
)
def test_texts_are_read(text: str, expected: Expression) -> None:
    assert parse_license(text) == expected


def test_an_unknown_exception_is_an_unknown_licence() -> None:
    """`Apache-2.0 WITH Commons-Clause` takes permissions away."""
    assert parse_license("Apache-2.0 WITH Commons-Clause") == Name("Apache-2.0 WITH Commons-Clause")


@given(EXPRESSIONS)
def test_what_is_spelled_reads_the_same_again(text: str) -> None:
    tree = parse_license(text)
    assert parse_license(spell(tree)) == tree
    assert all(name in text for name in names_in(tree))


@given(EXPRESSIONS, EXPRESSIONS)
def test_order_does_not_matter(left: str, right: str) -> None:
    assert spell(parse_license(f"{left} AND {right}")) == spell(parse_license(f"{right} AND {left}"))
    assert isinstance(parse_license(f"{left} OR {right}"), (Name, AnyOf, AllOf))


@given(st.text(max_size=80))
@settings(max_examples=300)
def test_any_text_is_read(text: str) -> None:
    assert isinstance(parse_license(text), (Name, AllOf, AnyOf))


@pytest.mark.parametrize(
    "text",
    ["(" * 990, "MIT AND " * 124 + "MIT", "(MIT OR " * 120, "MIT AND " * 100_000, "\x00\ud800\u202e" * 300, "a" * 1_000_000],
)
def test_hostile_texts_are_quick(text: str) -> None:
    started = time.perf_counter()
    spell(parse_license(text))
    assert time.perf_counter() - started < 60
