"""Which questions the smoke test asks, how long their answers may be, and what an engine may say without ending it."""

import asyncio
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from curation.errors import SmokeImpossibleError
from curation.home import Home
from curation.records import Message, record_hash
from curation.store import Snapshot
from evaluation.records import EvalAnswer, EvalItem
from evaluation.release.registry import LedgerEntry
from evaluation.serving import smoke
from evaluation.serving.champion import ServedModel
from evaluation.serving.serving import Ready
from evaluation.serving.smoke import Question, SmokeResult, SmokeSettings, ask_all, choose_questions

MODEL = "9f" * 16
ITEMS = [
    EvalItem(key=f"q{number}", task="sums", prompt=(Message(role="user", content=f"{number}?"),), reference="4", group="g")
    for number in range(3)
]
SETTINGS = SmokeSettings(engine="vllm", key="", max_new_tokens=8, minimum_same=1.0, max_new_tokens_by_task={"long": 50})


def answer(item: EvalItem, comparator: str, text: str, **changes: Any) -> EvalAnswer:
    row = EvalAnswer(
        key=f"{comparator}/{item.key}", comparator=comparator, model_hash=MODEL, item_key=item.key,
        item_hash=record_hash(item), group="g", prompt="?", reference="4", answer=text, num_tokens=1, task=item.task,
    )  # fmt: skip
    return dataclasses.replace(row, **changes)


@pytest.fixture
def ask_home(home: Home) -> Callable[..., list[Question]]:
    def ask(answers: list[EvalAnswer], items: list[EvalItem] = ITEMS) -> list[Question]:
        store = home.store()
        tables = {"items": store.write_table(EvalItem, items), "answers": store.write_table(EvalAnswer, answers)}
        store.put_snapshot(Snapshot(asset="toy/answers", partition="", version="1", tables=tables))
        return choose_questions(home, "toy", MODEL, num_questions=9)

    return ask


def test_what_the_model_said_with_passages_or_shots_before_it_is_not_expected(ask_home: Any) -> None:
    rows = [answer(item, "candidate", "plain") for item in ITEMS]
    rows += [answer(item, "candidate_retrieval", "with passages") for item in ITEMS]
    rows += [answer(item, "base_few_shot", "with shots") for item in ITEMS]
    found = ask_home(rows)
    assert sorted((item.key, item.expected, item.task) for item in found) == [(f"q{n}", "plain", "sums") for n in range(3)]


def test_answers_that_nobody_wrote_are_not_asked_again(ask_home: Any) -> None:
    kept = answer(ITEMS[0], "candidate", "4")
    failed = answer(ITEMS[1], "candidate", "", error="no answer")
    assert [item.key for item in ask_home([kept, failed])] == ["q0"]
    with pytest.raises(SmokeImpossibleError, match="measure likelihoods"):
        ask_home([answer(ITEMS[0], "candidate", "stone", num_tokens=0)])
    tools = dataclasses.replace(ITEMS[2], key="q9", tools="[]")
    assert [item.key for item in ask_home([kept, answer(tools, "candidate", "4")], [*ITEMS, tools])] == ["q0"]
    with pytest.raises(SmokeImpossibleError, match="likelihoods or calls"):
        ask_home([answer(tools, "candidate", "4")], [tools])
    with pytest.raises(SmokeImpossibleError, match="are not of the model"):
        ask_home([answer(ITEMS[0], "candidate", "4", model_hash="0" * 32)])


class TwoTokens:
    """Stands for the tokenizer: every prompt has the tokens 1 and 2."""

    context = 60

    def __init__(self, folder: Path) -> None: ...

    def encode(self, prompt: Any) -> list[int]:
        return [1, 2]


def ask_engine(
    said: dict[str, Any], questions: list[Question], monkeypatch: pytest.MonkeyPatch, *, tokens: Any = None
) -> tuple[SmokeResult, list[int]]:
    """Ask an engine that says `said` to every question, and what `tokens` is to /tokenize (None: it closes the connection)."""
    asked: list[int] = []

    async def chat(request: web.Request) -> web.Response:
        asked.append((await request.json())["max_tokens"])
        return web.json_response(said)

    async def tokenize(request: web.Request) -> web.Response:
        if tokens is None:
            assert request.transport is not None
            request.transport.close()
        return web.json_response(tokens)

    async def run() -> SmokeResult:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", chat)
        app.router.add_post("/tokenize", tokenize)
        async with TestServer(app) as server:
            url = str(server.make_url("")).rstrip("/")
            entry = LedgerEntry(
                sequence=1, recipe="toy", action="promote", model_hash=MODEL, evidence_hash="", who="a test",
                created_at="", reason="", previous_hash="", hash="",
            )  # fmt: skip
            served = ServedModel(recipe="toy", model_hash=MODEL, model=Path(), export=None, parent=None, entry=entry)
            ready = Ready(url=url, served=served, engine_url=url, seconds=1.0, log=Path())
            return await ask_all(ready, questions, SETTINGS)

    monkeypatch.setattr(smoke, "Prompts", TwoTokens)
    return asyncio.run(run()), asked


def reply(**usage: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": "4"}}], "usage": usage}


ONE = Question(key="q0", prompt=(Message(role="user", content="2 + 2?"),), expected="4", task="sums")


def test_the_figures_of_one_line_hold_the_hand_over_of_the_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = dataclasses.replace(ONE, key="q1", expected="5")
    found, _ = ask_engine(reply(prompt_tokens=2), [ONE, wrong], monkeypatch, tokens={})
    plain = found.figures(None)
    assert (plain["passed"], plain["questions"], plain["same"], plain["prompts_same"], plain["failed"]) == (
        False,
        2,
        0.5,
        1.0,
        0,
    )
    forms = {
        "merged": {"same": 1.0, "scores": {"sums accuracy": {"difference": 0.0}}},
        "adapter": {"same": 0.9, "scores": {"sums accuracy": {"difference": -0.01}}},
    }
    (tmp_path / "handover.json").write_text(json.dumps({"num_items": 200, "forms": forms}))
    whole = found.figures(tmp_path)
    assert {name: whole[name] for name in whole.keys() - plain.keys()} == {
        "export_items": 200,
        "export_same": 0.9,
        "export_score_difference": 0.01,
    }


def test_each_task_is_asked_for_answers_as_long_as_at_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    of_long = dataclasses.replace(ONE, key="q1", task="long")
    found, asked = ask_engine(reply(prompt_tokens=2), [ONE, of_long], monkeypatch, tokens={"tokens": [1, 2]})
    assert asked == [8, 50]
    assert found.passed
    assert {item.prompt for item in found.replies} == {"same"}


@pytest.mark.parametrize("tokens", [None, [1], {"tokens": "none"}, {}])
def test_an_engine_that_does_not_show_its_tokens_is_judged_by_their_number(monkeypatch: Any, tokens: Any) -> None:
    found, _ = ask_engine(reply(prompt_tokens=2, completion_tokens=1), [ONE], monkeypatch, tokens=tokens)
    assert [(item.prompt, item.num_tokens) for item in found.replies] == [("same count", 1)]
    assert found.passed
    other, _ = ask_engine(reply(prompt_tokens=3), [ONE], monkeypatch, tokens=tokens)
    assert not other.passed


@pytest.mark.parametrize("said", [[], {"choices": []}, reply() | {"usage": [1]}, reply(completion_tokens="many")])
def test_an_answer_in_no_known_shape_fails_the_test_and_ends_nothing(monkeypatch: Any, said: Any) -> None:
    found, _ = ask_engine(said, [ONE], monkeypatch, tokens={"tokens": [1, 2]})
    assert not found.passed
    assert found.replies[0].error
    assert found.describe()
