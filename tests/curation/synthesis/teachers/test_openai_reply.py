"""Chat completions, whole and streamed: fields of their own, and nothing but one error for what is none."""

import contextlib
import json
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.records import ToolCall
from curation.synthesis.teachers.openai_reply import MalformedReplyError, Parsed, join_stream, read_completion, split_reasoning
from tests.curation.synthesis.fault_server import completion, stream_of


def read(content: Any = "hello", **more: Any) -> Any:
    return read_completion(json.dumps(completion(content, **more)))


def test_the_fields_of_a_reply() -> None:
    value = completion("hello") | {"system_fingerprint": "fp_7"}
    value["usage"] |= {
        "prompt_tokens_details": {"cached_tokens": 64},
        "completion_tokens_details": {"reasoning_tokens": 12},
    }
    parsed = read_completion(json.dumps(value))
    assert (parsed.text, parsed.finish_reason, parsed.fingerprint) == ("hello", "stop", "fp_7")
    assert (parsed.prompt_tokens, parsed.cached_prompt_tokens) == (100, 64)
    assert (parsed.completion_tokens, parsed.reasoning_tokens) == (20, 12)
    assert json.loads(parsed.raw) == value


def test_tool_calls_are_kept_as_the_model_wrote_them() -> None:
    calls = [{"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"word": "te'}}]
    parsed = read(None, finish_reason="tool_calls", tool_calls=calls)
    assert parsed.tool_calls == (ToolCall(id="c1", name="look_up", arguments='{"word": "te'),)
    assert (parsed.text, parsed.finish_reason) == ("", "tool_calls")
    assert read("", function_call={"name": "f", "arguments": {"a": 1}}).tool_calls[0].arguments == '{"a":1}'


@pytest.mark.parametrize(
    "calls", ["x", [1], [{"id": "c"}], [{"function": {"name": 3}}], [{"function": {"name": "f"}}] * 129, {"a": 1}]
)
def test_tool_calls_that_are_none_make_no_reply(calls: Any) -> None:
    with pytest.raises(MalformedReplyError):
        read("", tool_calls=calls)


@pytest.mark.parametrize(
    ("content", "text", "reasoning", "is_cut"),
    [
        ("<think>hm</think>\n\nTea", "Tea", "hm", False),
        ("\n<think>\nhm\n</think>Tea", "Tea", "hm", False),
        ("hm, so </think>\nTea", "Tea", "hm, so", False),
        ("<think>hm, and th", "", "hm, and th", True),
        ("<think></think>Tea", "Tea", "", False),
        ('{"tag": "</think>"}', '{"tag": "</think>"}', "", False),
        ("Use <think> and </think> tags", "Use <think> and </think> tags", "", False),
        ("Tea", "Tea", "", False),
        ("", "", "", False),
    ],
)
def test_reasoning_is_taken_out_of_the_text(content: str, text: str, reasoning: str, is_cut: bool) -> None:
    assert split_reasoning(content) == (text, reasoning, is_cut)


def test_reasoning_in_a_field_of_its_own() -> None:
    for name in ("reasoning_content", "reasoning"):
        parsed = read("Tea", **{name: "hm"})
        assert (parsed.text, parsed.reasoning) == ("Tea", "hm")


def test_a_reply_cut_inside_its_reasoning_is_cut_whatever_the_endpoint_says() -> None:
    assert read("<think>and so", finish_reason="stop").finish_reason == "length"
    assert read("<think>and so", finish_reason="length").finish_reason == "length"


@pytest.mark.parametrize(
    "usage", [None, "none", {}, [], {"prompt_tokens": "7"}, {"prompt_tokens": -1}, {"prompt_tokens": True}]
)
def test_usage_that_is_missing_or_nonsense(usage: Any) -> None:
    parsed = read_completion(json.dumps(completion("hello") | {"usage": usage}))
    assert (parsed.text, parsed.prompt_tokens, parsed.completion_tokens) == ("hello", 0, 0)


def test_a_stream_gives_what_the_whole_reply_gives() -> None:
    calls = [{"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"word": "tea"}'}}]
    for value in (
        completion("hello \u2028 world\n\n data: x"),
        completion("<think>hm</think>Tea", finish_reason="length"),
        completion("", finish_reason="tool_calls", tool_calls=calls, reasoning_content="hm"),
    ):
        whole, streamed = read_completion(json.dumps(value)), read_completion(join_stream(stream_of(value)))
        fields = [name for name in whole.__slots__ if name != "raw"]
        assert [getattr(whole, name) for name in fields] == [getattr(streamed, name) for name in fields]


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_lines_end_as_the_standard_allows(end: str) -> None:
    stream = ": ping\n\nevent: x\n" + stream_of(completion("hello"))
    assert read_completion(join_stream(stream.replace("\n", end))).text == "hello"


def test_a_stream_without_the_last_mark_is_whole_once_it_has_finished() -> None:
    assert read_completion(join_stream(stream_of(completion("hello")).replace("data: [DONE]\n\n", ""))).text == "hello"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "data: [DONE]\n\n",
        "data: {\n\n",
        "data: []\n\n",
        "data: 1\n\n",
        'data: {"choices": 3}\n\n',
        'data: {"choices": [{"index": 0, "delta": {"content": 5}, "finish_reason": "stop"}]}\n\n',
        'data: {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 9999}]}, "finish_reason": "stop"}]}\n\n',
        'data: {"error": {"message": "overloaded"}}\n\n',
        'data: {"error": "overloaded"}\n\ndata: [DONE]\n\n',
        "<html>",
        "data: " + "[" * 100_000 + "\n\n",
    ],
)
def test_malformed_streams(text: str) -> None:
    with pytest.raises(MalformedReplyError):
        join_stream(text)


STREAM = stream_of(completion("hello there, how are you?"))


@hypothesis.given(st.integers(0, STREAM.index('"finish_reason": "stop"')))
def test_a_stream_that_is_cut_is_no_reply(at: int) -> None:
    with pytest.raises(MalformedReplyError):
        join_stream(STREAM[:at])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "message",
                    "content",
                    "delta",
                    "index",
                    "usage",
                    "tool_calls",
                    "function",
                    "name",
                    "finish_reason",
                    "refusal",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@hypothesis.given(JSON)
@hypothesis.settings(max_examples=200)
def test_whatever_comes_is_a_reply_or_one_error(value: Any) -> None:
    for read_any in (
        lambda: read_completion(json.dumps({"choices": [{"message": value}]})),
        lambda: read_completion(json.dumps(value)),
        lambda: join_stream(f"data: {json.dumps(value)}\n\n"),
    ):
        with contextlib.suppress(MalformedReplyError):
            assert isinstance(read_any(), Parsed | str)
