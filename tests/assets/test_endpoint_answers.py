"""A served model stands in the table of answers beside the others."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from assets.answer_tables import AnswerTables
from assets.endpoint_answers import add_endpoint_answers
from assets.recipe import Recipe
from curation.errors import ConfigError
from curation.home import Home
from curation.records import Message
from evaluation.answering.endpoint_config import EndpointConfig
from evaluation.config import EvaluationConfig
from evaluation.records import AnswerTiming, EvalAnswer, EvalItem
from evaluation.tasks.config import TaskConfig
from tests.curation.synthesis.fault_server import chat, fault_server, refuse, whole


def item(task: str, number: int, **more: Any) -> EvalItem:
    prompt = (Message(role="user", content=f"How many are {number}?"),)
    return EvalItem(key=f"{task}/{number}", task=task, prompt=prompt, reference=str(number), group=f"g{number}", **more)


def test_answers_latencies_and_errors_are_kept(tmp_path: Path) -> None:
    home = Home(path=tmp_path, store_url=str(tmp_path / "store"), database_url="", review_url="")
    items = [*(item("text", number) for number in range(4)), item("choice", 9, choices=("a", "b"))]
    store = home.store()
    empty = AnswerTables(store.write_table(EvalAnswer, []), store.write_table(AnswerTiming, []))

    def behave(body: dict[str, Any]) -> Any:
        text = body["messages"][-1]["content"]
        return refuse(400, "maximum context length") if "3" in text else chat(text.split()[-1].rstrip("?"))

    with fault_server(behave) as server:
        tasks = (TaskConfig(name="text"), TaskConfig(name="choice", kind="choice", scoring="likelihood"))
        endpoint = EndpointConfig(model="sft", base_url=server.url, api_key_env="NO_KEY", max_attempts=1)
        evaluation = EvaluationConfig(comparators=("base", "candidate", "endpoint"), endpoint=endpoint, tasks=tasks)
        recipe = cast(Recipe, SimpleNamespace(name="faq", evaluation=evaluation))
        lines: list[str] = []
        answered, facts = add_endpoint_answers(recipe, home, empty, items, lines.append)
        again, repeated = add_endpoint_answers(recipe, home, empty, items, lines.append)
    rows = {row.key: row for row in store.read_table(EvalAnswer, answered.answers.root)}
    assert [rows[f"endpoint/text/{number}"].answer for number in range(4)] == ["0", "1", "2", ""]
    took = {row.key: row.latency_s for row in store.read_table(AnswerTiming, answered.timings.root)}
    assert [took[f"endpoint/text/{number}"] > 0 for number in range(4)] == [True, True, True, False]
    assert "maximum context" in rows["endpoint/text/3"].error
    assert rows["endpoint/choice/9"].error == "an endpoint gives no likelihoods"
    assert facts == {"generated_endpoint": 3, "endpoint_cost_usd": 0.0, "endpoint_failures": 1}
    assert repeated["generated_endpoint"] == 0
    assert again == answered
    assert lines[0].startswith("endpoint: ")


def test_tools_are_shown_and_what_is_called_is_the_answer(tmp_path: Path) -> None:
    home = Home(path=tmp_path, store_url=str(tmp_path / "store"), database_url="", review_url="")
    tools = [{"type": "function", "function": {"name": "find", "parameters": {}}}]
    items = [item("text", 0, tools=json.dumps(tools)), item("text", 1)]
    empty = AnswerTables(home.store().write_table(EvalAnswer, []), home.store().write_table(AnswerTiming, []))

    def behave(body: dict[str, Any]) -> Any:
        call = {"id": "1", "type": "function", "function": {"name": "find", "arguments": '{"n":0}'}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        choices = [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
        return whole(choices=choices) if body.get("tools") == tools else chat("1")

    with fault_server(behave) as server:
        endpoint = EndpointConfig(model="sft", base_url=server.url, api_key_env="NO_KEY", max_attempts=1)
        evaluation = EvaluationConfig(
            comparators=("base", "candidate", "endpoint"), endpoint=endpoint, tasks=(TaskConfig(name="text"),)
        )
        recipe = cast(Recipe, SimpleNamespace(name="faq", evaluation=evaluation))
        answered, _ = add_endpoint_answers(recipe, home, empty, items, lambda _: None)
    rows = {row.key: row.answer for row in home.store().read_table(EvalAnswer, answered.answers.root)}
    assert rows == {"endpoint/text/0": '{"arguments":{"n":0},"name":"find"}', "endpoint/text/1": "1"}


def test_half_a_surrogate_pair_in_a_reply_stops_nothing(tmp_path: Path) -> None:
    home = Home(path=tmp_path, store_url=str(tmp_path / "store"), database_url="", review_url="")
    empty = AnswerTables(home.store().write_table(EvalAnswer, []), home.store().write_table(AnswerTiming, []))
    with fault_server(lambda _: chat("one \ud83d two")) as server:
        endpoint = EndpointConfig(model="sft", base_url=server.url, api_key_env="NO_KEY", max_attempts=1)
        evaluation = EvaluationConfig(
            comparators=("base", "candidate", "endpoint"), endpoint=endpoint, tasks=(TaskConfig(name="text"),)
        )
        recipe = cast(Recipe, SimpleNamespace(name="faq", evaluation=evaluation))
        answered, _ = add_endpoint_answers(recipe, home, empty, [item("text", 0)], lambda _: None)
    assert [row.answer for row in home.store().read_table(EvalAnswer, answered.answers.root)] == ["one ? two"]


def test_endpoint_and_comparator_come_together() -> None:
    with pytest.raises(ConfigError, match="evaluation.endpoint.* give both or none"):
        EvaluationConfig(comparators=("base", "candidate", "endpoint"))
    with pytest.raises(ConfigError, match="evaluation.endpoint.* give both or none"):
        EvaluationConfig(endpoint=EndpointConfig(model="sft", base_url="http://127.0.0.1:1/v1"))
