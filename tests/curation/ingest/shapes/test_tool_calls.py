"""Tools and calls come in many spellings and leave in one; what is no JSON is refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from curation.ingest.row_records import Unusable
from curation.ingest.shapes.tool_calls import read_calls, read_tools, tool_names

Read = Callable[..., list[Any]]
WRAPPED = '[{"function":{"name":"head"},"type":"function"}]'


@pytest.mark.parametrize(
    "value",
    [
        [{"name": "head"}],
        {"name": "head"},
        '[{"name": "head"}]',
        '{"name": "head"}',
        ['{"name": "head"}'],
        [{"type": "function", "function": {"name": "head"}}],
    ],
)
def test_tools_have_one_form(value: Any) -> None:
    assert read_tools(value) == WRAPPED
    assert read_tools(WRAPPED) == WRAPPED
    assert tool_names(WRAPPED) == {"head"}


@pytest.mark.parametrize("value", [None, "", " ", [], "[]", float("nan")])
def test_no_tools(value: Any) -> None:
    assert read_tools(value) == ""
    assert tool_names("") == frozenset()


@pytest.mark.parametrize(
    "value", ["head", 4, [4], [{"description": "x"}], [{"name": ""}], '[{"name": "a", "n": NaN}]', "[" * 100_000]
)
def test_tools_that_are_none(value: Any) -> None:
    assert isinstance(read_tools(value), Unusable)


@pytest.mark.parametrize(
    ("value", "arguments"),
    [
        ({"name": "f", "arguments": {"b": 1, "a": 2}}, '{"a":2,"b":1}'),
        ({"name": "f", "arguments": '{"b": 1, "a": 2}'}, '{"b": 1, "a": 2}'),
        ({"name": "f", "arguments": ""}, "{}"),
        ({"name": "f"}, "{}"),
        ({"name": "f", "parameters": {"a": 2}}, '{"a":2}'),
        ({"function": {"name": "f", "arguments": "{}"}}, "{}"),
        ('{"name": "f", "arguments": {}}', "{}"),
    ],
)
def test_arguments_are_json_text(value: Any, arguments: str) -> None:
    calls = read_calls(value, 3)
    assert not isinstance(calls, Unusable)
    assert [(call.id, call.name, call.arguments) for call in calls] == [("call_3", "f", arguments)]
    json.loads(calls[0].arguments)


@pytest.mark.parametrize(
    "value",
    [
        None, "", "f(1)", [], [4], {"arguments": {}}, {"name": 4}, {"name": "f", "arguments": "n=5"}, {"name": "f" * 999},
        {"name": "f", "arguments": "[1]"}, {"name": "f", "arguments": [1]}, {"name": "f", "arguments": '{"a": NaN}'},
        {"name": "f", "arguments": '{"a": ' + "[" * 100_000},
    ],
)  # fmt: skip
def test_calls_that_are_none(value: Any) -> None:
    found = read_calls(value, 1)
    assert isinstance(found, Unusable)
    assert found.reason == "invalid_tool_call"


def test_a_question_with_tools_and_calls(read: Read) -> None:
    tools = [{"name": "weather", "parameters": {}}]
    rows = [
        {"query": "Rome?", "tools": json.dumps(tools), "answers": '[{"name": "weather", "arguments": {"city": "Rome"}}]'},
        {"query": "Rome?", "tools": tools, "answers": [{"name": "time", "arguments": {}}]},
        {"query": "Rome?", "tools": tools, "answers": []},
        {"query": "Rome?", "tools": tools, "answers": None},
        {"query": "Rome?", "tools": "none", "answers": []},
    ]
    found = read(rows)
    assert found[0].answer == '{"arguments":{"city":"Rome"},"name":"weather"}'
    assert found[0].tools == '[{"function":{"name":"weather","parameters":{}},"type":"function"}]'
    assert [item.reason for item in found[1:]] == ["undefined_tool", "invalid_tool_call", "no_answer", "invalid_tools"]


def test_the_first_allowed_value_of_each_argument_is_taken(read: Read) -> None:
    allowed = {
        "city": ["Rome", "Roma"],
        "unit": ["", "C"],
        "days": [3],
        "place": [{"zip": ["00118", ""]}],
        "tags": [["a", "b"]],
    }
    row = {
        "question": [[{"role": "user", "content": "Rome?"}]],
        "function": [{"name": "weather", "parameters": {}}],
        "ground_truth": [{"weather": allowed}],
    }
    (record,) = read([row])
    assert json.loads(record.messages[-1].tool_calls[0].arguments) == {
        "city": "Rome", "days": 3, "place": {"zip": "00118"}, "tags": ["a", "b"],
    }  # fmt: skip
    (record,) = read([{name: value for name, value in row.items() if name != "ground_truth"}])
    assert record.reason == "no_answer"
