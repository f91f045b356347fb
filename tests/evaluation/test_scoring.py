import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.records import EvalAnswer
from evaluation.scoring import exact_match, json_valid, score_answers, token_f1

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
HOSTILE = [
    "[" * 100_000,
    '{"a":' * 100_000 + "1" + "}" * 100_000,
    "9" * 1_000_000,
    "NaN",
    "-Infinity",
    '{"part":NaN}',
    "1e999999",
    "x" * 1_000_000,
    "\ud800",
    "\x00\u202e",
    "",
    '{"part":"strings","part":"lists"}',
]


@pytest.mark.parametrize(
    ("reference", "answer", "expected"),
    [
        ('{"part":"strings"}', ' {"part" : "strings"}\n', 1.0),
        ('{"a":1,"b":2}', '{"b":2,"a":1.0}', 1.0),
        ('{"part":"strings"}', '{"part":"lists"}', 0.0),
        ('{"part":"strings"}', 'Sure: {"part":"strings"}', 0.0),
        ('{"part":"strings"}', '{"part":"strings","part":"strings"}', 0.0),
        ("true", "1", 0.0),
        ("Use  head()", "use head()", 1.0),
        ("Use head()", "use tail()", 0.0),
    ],
)
def test_exact_match_compares_meaning(reference: str, answer: str, expected: float) -> None:
    assert exact_match(reference, answer) == expected


@given(JSON)
def test_json_matches_itself_however_it_is_written(value: object) -> None:
    import json

    left, right = json.dumps(value), json.dumps(value, indent=3, ensure_ascii=False)
    assert exact_match(left, right) == 1.0
    assert json_valid(left) == 1.0


@pytest.mark.parametrize("answer", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_answers_score_zero_and_raise_nothing(answer: str) -> None:
    row = EvalAnswer(
        key="candidate/1",
        comparator="candidate",
        model_hash="",
        item_key="1",
        item_hash="",
        group="g",
        prompt="",
        reference='{"part":"strings"}',
        answer=answer,
        num_tokens=1,
    )
    found = {score.metric: score.value for score in score_answers([row])}
    assert found["exact_match"] == 0.0
    assert found["json_valid"] == 0.0
    assert 0 <= found["token_f1"] < 1


@given(st.text(max_size=40), st.text(max_size=40))
def test_token_f1_is_symmetric_and_in_range(left: str, right: str) -> None:
    assert 0 <= token_f1(left, right) <= 1
    assert token_f1(left, right) == token_f1(right, left)
    assert token_f1(left, left) == 1.0


def test_token_f1_gives_the_known_value() -> None:
    assert token_f1("the strings part", "strings") == pytest.approx(2 / 3)
    assert token_f1('{"part":"strings"}', '{"part":"lists"}') == 0.5
