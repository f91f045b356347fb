"""Requests with calls that fit the definitions; a share needs several calls, a share none."""

import json
from typing import Any

import pytest

from curation.chat_model import ChatReply, ChatRequest
from curation.errors import ConfigError
from curation.records import ToolCall
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.methods.method import Inputs, Made
from curation.synthesis.methods.tool_calls import ToolCalls, ToolCallsConfig
from curation.synthesis.methods.tool_definitions import ToolSet
from curation.synthesis.parse import UnusableError
from curation.synthesis.prompts.grounded import read_prompt
from curation.synthesis.teachers.extractive_tool_calls import TOOL_CALL_TASKS
from tests.curation.synthesis.methods.answering import AnsweringModel, asked, assert_accounted_for, session_of

CITY = {"type": "string", "description": "Name of the city."}
WEATHER = {
    "name": "get_weather",
    "description": "Get the weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": CITY, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
        "required": ["city"],
    },
}
TIMER = {
    "type": "function",
    "function": {
        "name": "timer",
        "description": "Start a timer.",
        "parameters": {"type": "object", "properties": {"minutes": {"type": "number"}}, "required": ["minutes"]},
    },
}
RAIN = {"name": "get_weather", "arguments": '{"city": "Rome"}'}


def written(*calls: Any, request: str = "Will it rain in Rome today?", answer: str = "") -> dict[str, Any]:
    return {"request": request, "calls": list(calls), "answer": answer}


def run(ledger: RequestLedger, answer: Any, *tools: dict[str, Any], **settings: Any) -> tuple[Made, AnsweringModel]:
    shares = {"irrelevant_share": 0.0, "parallel_share": 0.0, "examples_per_tool": 1, **settings}
    method = ToolCalls(ToolCallsConfig(tools=tools or (WEATHER,), **shares))
    session, model = session_of(ledger, answer if callable(answer) else lambda _: answer)
    units = method.plan(Inputs())
    made = method.make(units, session)
    assert_accounted_for(units, made)
    return made, model


def test_a_valid_call_becomes_a_row(ledger: RequestLedger) -> None:
    made, model = run(ledger, written(RAIN))
    (row,) = made.examples
    assert row.key == "tools/get_weather#tool_calls/0/0"
    assert row.messages[-1].tool_calls == (ToolCall(id="call_1", name="get_weather", arguments='{"city":"Rome"}'),)
    assert [message.content for message in row.messages] == ["Will it rain in Rome today?", ""]
    assert json.loads(row.tools) == [{"type": "function", "function": WEATHER}]
    assert row.provenance.generation_depth == 1
    assert asked(model.requests[0]).startswith("Task: tool_calls_single")
    assert made.figures == {"share_with_call": 1.0}


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (written({**RAIN, "arguments": '{"town": "Rome"}'}), "invalid_arguments"),
        (written({**RAIN, "arguments": '{"city": "Rome", "unit": "C"}'}), "invalid_arguments"),
        (written({**RAIN, "arguments": '{"city": 5}'}), "invalid_arguments"),
        (written({**RAIN, "arguments": '{"city": "Rome", "days": 9}'}), "invalid_arguments"),
        (written({**RAIN, "arguments": "[]"}), "invalid_arguments"),
        (written({**RAIN, "arguments": "Rome"}), "invalid_arguments"),
        (written({**RAIN, "arguments": '{"city": NaN}'}), "invalid_arguments"),
        (written({**RAIN, "arguments": "[" * 9_000}), "invalid_arguments"),
        (written({**RAIN, "name": "weather"}), "unknown_tool"),
        (written(), "wrong_kind"),
        (written(RAIN, {**RAIN, "arguments": '{"city": "Oslo"}'}), "wrong_kind"),
        (written(RAIN, RAIN), "repeated_call"),
        (written(*[RAIN] * 9), "too_many_calls"),
        (written(RAIN, request="Call get_weather for Rome."), "names_the_tool"),
        (written(RAIN, request=""), "empty_instruction"),
        ({"request": "Rain?"}, "wrong_schema"),
    ],
)
def test_a_call_that_does_not_fit_is_rejected(ledger: RequestLedger, reply: Any, reason: str) -> None:
    made, _ = run(ledger, reply)
    assert made.examples == ()
    assert [item.reason for item in made.rejections] == [reason]


def test_parallel_requests_need_several_calls(ledger: RequestLedger) -> None:
    both = written(RAIN, {"name": "timer", "arguments": '{"minutes": 2.5}'}, request="Is it dry in Rome, and set 2.5 minutes.")
    made, _ = run(ledger, both, WEATHER, TIMER, parallel_share=1.0)
    assert all([call.id for call in row.messages[-1].tool_calls] == ["call_1", "call_2"] for row in made.examples)
    assert len(made.examples) == 2


def test_a_request_that_no_tool_answers_is_answered_in_words(ledger: RequestLedger) -> None:
    made, _ = run(ledger, written(request="What did Rome look like in 1650?", answer="I can only..."), irrelevant_share=1.0)
    (row,) = made.examples
    assert (row.messages[-1].content, row.messages[-1].tool_calls) == ("I can only...", ())
    assert row.tools != ""


def test_a_silent_or_busy_answer_where_no_tool_fits_is_rejected(ledger: RequestLedger) -> None:
    assert run(ledger, written(), irrelevant_share=1.0)[0].rejections[0].reason == "empty_answer"


def test_a_call_where_no_tool_fits_is_rejected(ledger: RequestLedger) -> None:
    assert run(ledger, written(RAIN), irrelevant_share=1.0)[0].rejections[0].reason == "wrong_kind"


def native(*calls: ToolCall, text: str = "") -> Any:
    def answer(request: ChatRequest) -> Any:
        if asked(request).startswith("Task"):
            return written(RAIN)
        return ChatReply(text=text, tool_calls=calls, finish_reason="tool_calls" if calls else "stop")

    return answer


def test_native_calls_are_those_of_the_reply(ledger: RequestLedger) -> None:
    call = ToolCall(id="abc", name="get_weather", arguments='{"city": "Rome", "days": 1}')
    made, model = run(ledger, native(call), form="native")
    (row,) = made.examples
    assert row.messages[-1].tool_calls[0].arguments == '{"city":"Rome","days":1}'
    assert model.requests[1].parameters["tools"] == [{"type": "function", "function": WEATHER}]
    assert asked(model.requests[1]) == "Will it rain in Rome today?"
    assert len(row.provenance.request_ids) == 2
    assert "tools" not in row.provenance.sampling


@pytest.mark.parametrize(
    ("calls", "reason"),
    [
        ((), "calls_differ"),
        ((ToolCall(id="x", name="get_weather", arguments="{}"),), "invalid_arguments"),
        ((ToolCall(id="x", name="rm", arguments="{}"),), "unknown_tool"),
    ],
)
def test_native_calls_must_be_those_that_were_meant(ledger: RequestLedger, calls: tuple[ToolCall, ...], reason: str) -> None:
    made, _ = run(ledger, native(*calls, text="It rains."), form="native")
    assert [item.reason for item in made.rejections] == [reason]


def test_kinds_are_drawn_in_their_shares_and_more_examples_keep_them() -> None:
    def drawn(number: int) -> dict[str, tuple[str, tuple[str, ...]]]:
        config = ToolCallsConfig(tools=(WEATHER, TIMER), examples_per_tool=number, irrelevant_share=0.2, parallel_share=0.3)
        return {unit.key: (unit.slice, unit.payload.shown) for unit in ToolCalls(config).plan(Inputs())}

    few, many = drawn(200), drawn(400)
    kinds = [kind for kind, _ in many.values()]
    assert 0.15 < kinds.count("irrelevant") / len(kinds) < 0.25
    assert 0.25 < kinds.count("parallel") / len(kinds) < 0.35
    assert {key: many[key] for key in few} == few
    first = [shown[0] for _, shown in many.values()]
    assert 0.4 < first.count("timer") / len(first) < 0.6


def test_rules_write_calls_that_fit(ledger: RequestLedger) -> None:
    def by_rule(request: ChatRequest) -> Any:
        prompt = read_prompt(request.messages)
        return TOOL_CALL_TASKS[prompt.task](prompt, f"{request.sample_index}")

    made, _ = run(ledger, by_rule, WEATHER, TIMER, parallel_share=0.5, examples_per_tool=8)
    assert made.rejections == ()
    assert {len(row.messages[-1].tool_calls) for row in made.examples} == {1, 2}
    for row in made.examples:
        for call in row.messages[-1].tool_calls:
            for value in json.loads(call.arguments).values():
                assert str(value) in row.messages[0].content


@pytest.mark.parametrize(
    "settings",
    [
        {"tools": ()},
        {"tools": ({"description": "x"},)},
        {"tools": (WEATHER, WEATHER)},
        {"tools": ({"name": "x", "parameters": {"type": "dict"}},)},
        {"tools": ({"name": "x", "parameters": {"$ref": "http://127.0.0.1:9/x.json"}},)},
        {"tools": ({"name": "x", "description": "y" * 20_000},)},
        {"tools": (WEATHER,), "irrelevant_share": 0.6, "parallel_share": 0.6},
        {"tools": (WEATHER,), "shown": 0},
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        ToolCallsConfig(**settings)


def test_a_tool_without_parameters_takes_none() -> None:
    tools = ToolSet([{"name": "now"}])
    assert tools.check_call("now", "{}") == "{}"
    with pytest.raises(UnusableError, match="no argument 'zone'"):
        tools.check_call("now", '{"zone": "x"}')
