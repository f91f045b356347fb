"""Damage is of the kind that was asked for, differs from all that is right, and is the same for the same seed."""

import json

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.review.reviewers.damage import DAMAGE_KINDS, Context, DamageKind, comparable, damage_answer

pytestmark = pytest.mark.slow

CONTEXT = Context(
    texts=("See polars.Series.list or the office in Berlin.",),
    answers=("Refund", "Refund", "Cancel order", "Cancel order", '{"part":"dates","n":1}'),
)


@pytest.mark.parametrize(
    ("kind", "answer", "expected", "detail"),
    [
        ("number", "It takes 7 days.", None, "7 became"),
        (
            "entity",
            "Use polars.Expr.first for it.",
            "Use polars.Series.list for it.",
            "polars.Expr.first became polars.Series.list",
        ),
        ("entity", "Then call Anna now.", "Then call Berlin now.", "Anna became Berlin"),
        ("clause", "It sorts the rows, but keeps nulls last.", "It sorts the rows.", "dropped: but keeps nulls last"),
        ("label", "Refund", "Cancel order", "Refund became Cancel order"),
        ("label", '{"part": "text",  "n": 1}', '{"part": "dates",  "n": 1}', 'part: "text" became "dates"'),
    ],
)
def test_each_kind(kind: DamageKind, answer: str, expected: str | None, detail: str) -> None:
    damage = damage_answer(answer, CONTEXT, seed="s", kinds=[kind])
    assert damage is not None
    assert damage.kind == kind
    assert damage.detail.startswith(detail)
    assert damage.answer == (expected if expected is not None else damage.answer)


def test_a_dropped_sentence_leaves_the_others_verbatim() -> None:
    damage = damage_answer("First it sorts. Then it keeps 3.5 rows.", CONTEXT, seed="s", kinds=["clause"])
    assert damage is not None
    assert damage.answer in ("First it sorts.", "Then it keeps 3.5 rows.")


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("number", "No figure here."),
        ("number", "1. one\n2. two"),  # marks of a list
        ("number", "version v2a"),
        ("entity", "nothing has a name"),
        ("clause", "Short."),
        ("clause", '{"a": "One is two. Three is four."}'),
        ("label", "A text that stands in no other answer, and is too long to be the name of a class, in any case."),
        ("label", "not json {"),
    ],
)
def test_what_cannot_be_damaged(kind: DamageKind, answer: str) -> None:
    assert damage_answer(answer, Context(), seed="s", kinds=[kind]) is None


def test_another_right_answer_is_no_damage() -> None:
    context = Context(answers=("Refund", "REFUND ", "REFUND "), right=frozenset({"refund"}))
    assert damage_answer("Money back", context, seed="s", kinds=["label"]) is None


@hypothesis.given(answer=st.text(max_size=80) | st.sampled_from(CONTEXT.answers), seed=st.text(max_size=4))
@hypothesis.settings(max_examples=80, deadline=None)
def test_damage_differs_and_is_the_same_again(answer: str, seed: str) -> None:
    damage = damage_answer(answer, CONTEXT, seed=seed)
    assert damage == damage_answer(answer, CONTEXT, seed=seed)
    if damage is not None:
        assert comparable(damage.answer) not in ("", comparable(answer))
        assert damage.kind in DAMAGE_KINDS


def test_json_stays_json() -> None:
    damage = damage_answer('{"part":"text","n":25}', CONTEXT, seed="a", kinds=["number", "label"])
    assert damage is not None
    assert json.loads(damage.answer).keys() == {"part", "n"}
