"""Calls are found however they are written, compared by value, and every difference is named."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.graders.found_calls import Call, find_calls
from curation.graders.matching import match_pairs
from curation.graders.tool_call import grade_tool_call
from curation.records import Message, ToolCall

HEAD = {"name": "head", "arguments": {"n": 5, "of": "x"}}
TAIL = {"name": "tail", "arguments": {}}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)
CALLS = st.builds(
    lambda name, arguments: {"name": name, "arguments": arguments},
    st.sampled_from(["head", "tail", "sort"]),
    st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3),
)


def block(*calls: dict[str, Any]) -> str:
    return "".join(f"<tool_call>{json.dumps(call)}</tool_call>" for call in calls)


def openai(*calls: dict[str, Any]) -> str:
    listed = [
        {"id": "1", "type": "function", "function": {"name": call["name"], "arguments": json.dumps(call["arguments"])}}
        for call in calls
    ]
    return json.dumps({"role": "assistant", "content": None, "tool_calls": listed})


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ('<tool_call>{"name": "head", "arguments": {"of": "x", "n": 5.0}}</tool_call>', HEAD),
        (f"I look.\n{block(HEAD, TAIL)}", [HEAD, TAIL]),
        (block(TAIL, HEAD), {"any_order": [HEAD, TAIL]}),
        (openai(HEAD), HEAD),
        (json.dumps([HEAD, TAIL]), [HEAD, TAIL]),
        (f"So:\n```json\n{json.dumps(HEAD, indent=1)}\n```", HEAD),
        (f"First\n{json.dumps(HEAD)}\n{json.dumps(TAIL)}", [HEAD, TAIL]),
        (f"<think>{block(TAIL)}</think>{block(HEAD)}", HEAD),
        ('<tool_call>{"name": "tail"}', TAIL),
        ("No tool helps here: [1].", []),
        (
            block({"name": "area", "arguments": {"base": 1}}),
            {"name": "area", "allowed": {"base": [1, 2], "unit": ["cm"]}, "optional": ["unit"]},
        ),
    ],
)
def test_right_calls(answer: str, reference: object) -> None:
    grade = grade_tool_call(answer, json.dumps(reference))
    assert (grade.is_right, grade.detail, grade.reward) == (True, "", 1.0), grade


@pytest.mark.parametrize(
    ("answer", "reference", "detail", "share"),
    [
        (block({"name": "head", "arguments": {"n": 5}}), HEAD, "argument 'of' is missing", 2 / 3),
        (block({"name": "head", "arguments": {"n": "5", "of": "x", "m": 1}}), HEAD, "argument 'm' is not wanted", 2 / 4),
        (block({"name": "head", "arguments": {"n": True, "of": "x"}}), HEAD, "argument 'n' has another value", 2 / 3),
        (block({"name": "Head", "arguments": HEAD["arguments"]}), HEAD, "'Head' is called, not 'head'", 0),
        (block(HEAD, HEAD), HEAD, "a call of 'head' is not wanted", 1 / 2),
        (block(HEAD), [HEAD, TAIL], "a call of 'tail' is missing", 1 / 2),
        (block(TAIL, HEAD), [HEAD, TAIL], "call 1: 'tail' is called, not 'head'", 0),
        (block(HEAD), [], "a call of 'head' is not wanted", 0),
        ("<tool_call>{broken</tool_call>", HEAD, "'' is called", 0),
        ("Nothing.", HEAD, "a call of 'head' is missing", 0),
        ('<tool_call>{"name": "head", "arguments": [5]}</tool_call>', HEAD, "no JSON object", 0),
        ('<tool_call>{"name": "head", "arguments": {"n": NaN}}</tool_call>', HEAD, "'' is called", 0),
        (block(*[HEAD] * 51), HEAD, "more than 50 calls", 0),
        (block(HEAD), {"any_order": 3}, "The reference is no call", 0),
        (block(HEAD), {"name": "head", "allowed": {"n": 5}}, "The reference is no call", 0),
    ],
)
def test_differences_are_named_and_cost(answer: str, reference: object, detail: str, share: float) -> None:
    grade = grade_tool_call(answer, json.dumps(reference))
    assert not grade.is_right
    assert detail in grade.detail
    assert grade.reward == pytest.approx(share)


def test_the_text_of_a_record_is_a_right_answer() -> None:
    call = ToolCall(id="1", name="head", arguments='{"n": 5, "of": "x"}')
    message = Message(role="assistant", content="I look.", tool_calls=(call, call))
    assert grade_tool_call(message.text, json.dumps([HEAD, HEAD])).is_right


@given(st.lists(CALLS, min_size=1, max_size=5), st.randoms())
def test_order_counts_only_where_it_should(calls: list[dict[str, Any]], random: Any) -> None:
    mixed = random.sample(calls, len(calls))
    assert grade_tool_call(block(*mixed), json.dumps({"any_order": calls})).is_right
    assert grade_tool_call(block(*mixed), json.dumps(calls)).is_right == (
        json.dumps(mixed) == json.dumps(calls) or mixed == calls
    )
    assert grade_tool_call(openai(*calls), json.dumps(calls)).is_right
    assert grade_tool_call(block(*calls[1:]), json.dumps({"any_order": calls})).reward < 1


@given(st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=3, max_size=3), max_size=4))
def test_pairs_are_apart(shares: list[list[float]]) -> None:
    pairs = match_pairs(shares)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs) == min(len(shares), 3)


def test_no_whole_pair_is_given_away() -> None:
    assert match_pairs([[1.0, 1.0], [1.0, 0.2]]) == [(0, 1), (1, 0)]


def test_a_json_answer_that_is_no_call_is_none() -> None:
    assert find_calls('{"name": "Ann", "age": 3}') == []
    assert find_calls('[{"name": "head", "arguments": {}}, {"a": 1}]') == []
    assert find_calls('{"name": "head", "arguments": "text"}') == [Call("head", "text")]
