"""`curation.chat_model`: what names a reply, and replay."""

import dataclasses
from typing import Any

import pytest

from curation.chat_model import ChatReply, ChatRequest, ReplayChatModel, request_id
from curation.errors import TeacherRefusedError
from curation.records import Message

REQUEST = ChatRequest(messages=(Message(role="user", content="hello"),), schema={"type": "object"}, parameters={"seed": 1})


@pytest.mark.parametrize(
    "change",
    [
        {"messages": (Message(role="system", content="x"), *REQUEST.messages)},
        {"messages": (Message(role="user", content="hello "),)},
        {"schema": None},
        {"parameters": {"seed": 2}},
        {"parameters": {"seed": 1, "temperature": 0.0}},
        {"sample_index": 1},
    ],
)
def test_everything_in_a_request_names_its_reply(change: dict[str, Any]) -> None:
    model = ReplayChatModel([])
    assert request_id(model, dataclasses.replace(REQUEST, **change)) != request_id(model, REQUEST)


@pytest.mark.parametrize("name", ["provider", "endpoint", "model", "revision"])
def test_who_is_asked_names_the_reply(name: str) -> None:
    assert request_id(ReplayChatModel([], **{name: "other"}), REQUEST) != request_id(ReplayChatModel([]), REQUEST)


def test_order_of_parameters_does_not_matter() -> None:
    model = ReplayChatModel([])
    one, two = ({"seed": 1, "temperature": 0.5}, {"temperature": 0.5, "seed": 1})
    names = {request_id(model, dataclasses.replace(REQUEST, parameters=parameters)) for parameters in (one, two)}
    assert len(names) == 1


def test_replay_by_request_id() -> None:
    name = request_id(ReplayChatModel([]), REQUEST)
    assert ReplayChatModel({name: "hi"}).complete(REQUEST) == ChatReply(text="hi")


def test_replay_of_a_script_raises_what_it_holds_and_ends() -> None:
    model = ReplayChatModel(["one", RuntimeError("broken"), ChatReply(text="three", prompt_tokens=5)])
    assert model.complete(REQUEST).text == "one"
    with pytest.raises(RuntimeError, match="broken"):
        model.complete(REQUEST)
    assert model.complete(REQUEST).prompt_tokens == 5
    with pytest.raises(TeacherRefusedError, match="no reply is recorded"):
        model.complete(REQUEST)
    assert len(model.requests) == 4
