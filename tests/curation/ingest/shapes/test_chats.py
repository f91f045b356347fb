"""Conversations keep all their turns; each way in which one cannot be learned has a reason of its own."""

import json
from collections.abc import Callable
from typing import Any

import pytest

Read = Callable[..., list[Any]]


def turn(role: str, content: Any = "text", **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


GOOD = [
    turn("system", "Be kind."),
    turn("user", "Hi "),
    turn("assistant", "Hello"),
    turn("user", "Bye"),
    turn("assistant", "Bye!"),
]
CALL = {"id": "c1", "type": "function", "function": {"name": "head", "arguments": '{"n": 5}'}}
ASK, CALLS, RESULT = turn("user"), turn("assistant", None, tool_calls=[CALL]), turn("tool", "rows", tool_call_id="c1")


def test_all_turns_are_kept(read: Read) -> None:
    for messages in (GOOD, json.dumps(GOOD)):
        (record,) = read([{"messages": messages}])
        assert [(message.role, message.content) for message in record.messages] == [
            ("system", "Be kind."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Bye"), ("assistant", "Bye!"),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "empty_conversation"),
        ([turn("system")], "no_assistant_turn"),
        ([turn("user"), turn("assistant"), turn("user")], "ends_with_user"),
        ([turn("assistant")], "no_user_turn"),
        ([turn("user"), turn("assistant"), turn("assistant")], "repeated_assistant_turn"),
        ([turn("user"), turn("user"), turn("assistant")], "repeated_user_turn"),
        ([turn("user"), turn("assistant", " ")], "empty_turn"),
        ([turn("user", ""), turn("assistant")], "empty_turn"),
        ([turn("user", None), turn("assistant")], "empty_turn"),
        ([turn("user"), turn("system"), turn("assistant")], "misplaced_system"),
        ([turn("user"), turn("robot")], "unknown_role"),
        ([turn("user"), {"content": "x"}], "invalid_messages"),
        ([turn("user"), "x"], "invalid_messages"),
        ([turn("user", 4), turn("assistant")], "invalid_messages"),
        ("not json", "invalid_messages"),
        ("[1", "invalid_messages"),
        ({"role": "user"}, "invalid_messages"),
        ("", "missing_column"),
        ([turn("user"), turn("assistant", weight=0)], "not_for_training"),
        ([turn("user", [{"type": "image_url", "image_url": {}}]), turn("assistant")], "unsupported_content"),
        ([turn("user")] * 5000, "invalid_messages"),
        ([ASK, CALLS], ""),
        ([ASK, CALLS, RESULT, turn("assistant")], ""),
        ([ASK, CALLS, RESULT], "ends_with_tool_result"),
        ([ASK, CALLS, turn("user"), turn("assistant")], "unanswered_tool_call"),
        ([ASK, RESULT, turn("assistant")], "orphan_tool_result"),
        ([ASK, CALLS, {**RESULT, "tool_call_id": "c2"}, turn("assistant")], "orphan_tool_result"),
        ([{**ASK, "tool_calls": [CALL]}, turn("assistant")], "invalid_tool_call"),
    ],
)
def test_each_unusable_conversation_has_its_reason(read: Read, messages: Any, reason: str) -> None:
    assert getattr(read([{"messages": GOOD}] * 2 + [{"messages": messages}])[2], "reason", "") == reason


def test_a_conversation_is_cut_back_only_where_that_is_declared(read: Read) -> None:
    row = {"messages": [*GOOD, turn("user", "One more thing")]}
    assert read([row])[0].reason == "ends_with_user"
    assert read([row], {"trim_to_assistant": True})[0].answer == "Bye!"
    (record,) = read([{"messages": [ASK, CALLS, RESULT]}], {"trim_to_assistant": True})
    assert [message.role for message in record.messages] == ["user", "assistant"]


def test_parts_of_type_text_are_one_text(read: Read) -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    assert read([{"messages": [turn("user", parts), turn("assistant")]}])[0].messages[0].content == "one\ntwo"


def test_an_empty_system_message_says_nothing(read: Read) -> None:
    (record,) = read([{"messages": [turn("system", " "), *GOOD[1:]], "system": ""}])
    assert record.messages[0].role == "user"


def test_a_system_column_comes_first(read: Read) -> None:
    (record,) = read([{"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}], "system": "S"}])
    assert [(message.role, message.content) for message in record.messages] == [
        ("system", "S"),
        ("user", "Hi"),
        ("assistant", "Hello"),
    ]
    (record,) = read([{"messages": GOOD, "system": "Be kind."}])
    assert len(record.messages) == len(GOOD)
    assert read([{"messages": GOOD, "system": "Other"}])[0].reason == "misplaced_system"


def test_sharegpt_with_calls_and_observations(read: Read) -> None:
    conversation = [
        {"from": "human", "value": "First rows?"},
        {"from": "function_call", "value": '{"name": "head", "arguments": {"n": 5}}'},
        {"from": "observation", "value": "1 2 3"},
        {"from": "gpt", "value": "1, 2 and 3."},
    ]
    tools = [{"name": "head", "parameters": {}}]
    (record,) = read([{"conversations": conversation, "tools": json.dumps(tools)}])
    assert record.tools == '[{"function":{"name":"head","parameters":{}},"type":"function"}]'
    _, call, result, _ = record.messages
    assert [(item.id, item.name, item.arguments) for item in call.tool_calls] == [("call_1", "head", '{"n":5}')]
    assert (result.role, result.tool_call_id, result.name) == ("tool", "call_1", "head")
    other = [{"name": "tail", "parameters": {}}]
    assert read([{"conversations": conversation, "tools": other}])[0].reason == "undefined_tool"


def test_calls_side_by_side_are_answered_in_order(read: Read) -> None:
    calls = [{"from": "function_call", "value": json.dumps({"name": name, "arguments": {}})} for name in ("head", "tail")]
    results = [{"from": "observation", "value": text} for text in ("first", "last")]
    conversation = [{"from": "human", "value": "Ends?"}, *calls, *results, {"from": "gpt", "value": "Done"}]
    (record,) = read([{"conversations": conversation}])
    assert [message.role for message in record.messages] == ["user", "assistant", "tool", "tool", "assistant"]
    assert [(message.tool_call_id, message.name) for message in record.messages[2:4]] == [
        ("call_1", "head"),
        ("call_2", "tail"),
    ]
    conversation.insert(5, {"from": "observation", "value": "a third"})
    assert read([{"conversations": conversation}])[0].reason == "orphan_tool_result"


def test_the_older_function_call_is_read(read: Read) -> None:
    messages = [
        turn("user"),
        turn("assistant", None, function_call={"name": "head", "arguments": "{}"}),
        turn("function", "rows", name="head"),
        turn("assistant"),
    ]
    (record,) = read([{"messages": messages}])
    assert record.messages[1].tool_calls[0].name == "head"
    assert (record.messages[2].role, record.messages[2].tool_call_id) == ("tool", "call_1")


def test_dialogues_join_what_one_speaker_says_in_a_row(read: Read) -> None:
    talk = [
        ["customer", "Hi"],
        ["customer", "my card is lost"],
        ["agent", "Sorry."],
        ["action", "blocked"],
        ["agent", "Blocked."],
    ]
    assert read([{"dialogue": talk}])[0].reason == "unknown_role"
    (record,) = read([{"dialogue": talk}], {"role_names": {"Action": "skip"}})
    assert [(message.role, message.content) for message in record.messages] == [
        ("user", "Hi\nmy card is lost"), ("assistant", "Sorry.\nBlocked."),
    ]  # fmt: skip
    (record,) = read([{"dialogue": talk}], {"role_names": {"action": "tool"}, "trim_to_assistant": True})[:1]
    assert record.reason == "orphan_tool_result"


def test_declared_speakers_are_known_in_every_chat(read: Read) -> None:
    rows = [{"messages": [turn("Kunde"), turn("Berater")]}]
    (record,) = read(rows, {"role_names": {"kunde": "user", "berater": "assistant"}})
    assert [message.role for message in record.messages] == ["user", "assistant"]


def test_long_conversations_are_read_up_to_the_limit(read: Read) -> None:
    many = [turn("user"), CALLS, RESULT, turn("assistant")] * 900
    assert len(read([{"messages": many}])[0].messages) == 3600
    calls = [{"from": "function_call", "value": '{"name": "f"}'}] * 3998
    (record,) = read([{"conversations": [{"from": "human", "value": "x"}, *calls]}])
    assert len(record.messages[-1].tool_calls) == 3998
