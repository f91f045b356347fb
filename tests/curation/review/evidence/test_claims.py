"""Claims of an answer: where sentences, lines and values begin and end."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.review.evidence.claims import Claim, split_claims

pytestmark = pytest.mark.slow


def texts(answer: str) -> list[str]:
    return [claim.text for claim in split_claims(answer)]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("It ships free. You pay nothing!", ["It ships free.", "You pay nothing!"]),
        ("See e.g. Dr. Holt, vs. others. Next one.", ["See e.g. Dr. Holt, vs. others.", "Next one."]),
        ("Version 2.4 costs 1.50 euros. Yes.", ["Version 2.4 costs 1.50 euros.", "Yes."]),
        ('He said "no." Then he left.', ['He said "no."', "Then he left."]),
        ("# Title\n\n- one item\n2. two items\n> quoted", ["Title", "one item", "two items", "quoted"]),
        (
            "\u8fd4\u54c1\u306f\u7121\u6599\u3002\u671f\u9650\u306a\u3057\u3002",
            ["\u8fd4\u54c1\u306f\u7121\u6599\u3002", "\u671f\u9650\u306a\u3057\u3002"],
        ),
        ("", []),
        (" \n\n ", []),
    ],
)
def test_prose_is_split_into_sentences(answer: str, expected: list[str]) -> None:
    assert texts(answer) == expected


def test_code_is_split_into_lines() -> None:
    assert texts("Call it so.\n```py\nx = trim(a)\n\nprint(x)\n```\nDone now.") == [
        "Call it so.",
        "x = trim(a)",
        "print(x)",
        "Done now.",
    ]
    assert [claim.kind for claim in split_claims("import os\nx = os.getcwd()\nprint(x)")] == ["line"] * 3


def test_json_is_split_into_values_with_their_keys() -> None:
    answer = '{"part": "a\\nb", "list": [1, true, {"x": null}], "empty": {}}'
    claims = split_claims(answer)
    assert [(answer[claim.start : claim.end], claim.text) for claim in claims] == [
        ('"part": "a\\nb"', "a\nb"),
        ('"list": [1', "1"),
        ("true", "true"),
        ('"x": null', "null"),
    ]


def test_quotes_with_marks_are_claims_of_their_own() -> None:
    claims = split_claims('<quote document="1">It is free. Always.</quote>\n\nYou pay nothing.')
    assert [(claim.kind, claim.text) for claim in claims] == [
        ("quote", "It is free. Always."),
        ("sentence", "You pay nothing."),
    ]


@settings(max_examples=100, deadline=None)
@given(st.text(st.one_of(st.sampled_from('ab.!? \n-1`"{}[]:,\\<>'), st.characters()), max_size=80))
def test_claims_come_in_order_and_leave_out_only_what_says_nothing(answer: str) -> None:
    at = 0
    for claim in split_claims(answer):
        assert isinstance(claim, Claim)
        assert at <= claim.start < claim.end <= len(answer)
        if claim.kind in ("sentence", "line"):
            assert answer[claim.start : claim.end] == claim.text == claim.text.strip()
        at = claim.end


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("ab.!? \n"), max_size=60))
def test_every_letter_of_prose_belongs_to_a_claim(answer: str) -> None:
    said = "".join(claim.text for claim in split_claims(answer))
    assert [letter for letter in said if letter.isalpha()] == [letter for letter in answer if letter.isalpha()]
