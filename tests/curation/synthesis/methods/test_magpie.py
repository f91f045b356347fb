"""The teacher writes users' turns; what is no turn of a user, or is not new, is rejected."""

from typing import Any

import pytest

from curation.chat_model import ChatRequest
from curation.errors import ConfigError
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.methods.magpie import Magpie, MagpieConfig
from curation.synthesis.methods.method import Inputs, Made
from tests.curation.synthesis.methods.answering import AnsweringModel, assert_accounted_for, demonstration, session_of

TURNS = ("How long does bread dough need to rise?", "Suggest a soup without salt for six people.")


def turns(*texts: str, reply: str = "An answer.") -> Any:
    def answer(request: ChatRequest) -> str:
        is_turn = request.messages[-1:] == () or request.messages[-1].role == "system"
        return texts[request.sample_index] if is_turn else reply

    return answer


def run(
    ledger: RequestLedger, answer: Any, number: int = 1, examples: Any = (), **settings: Any
) -> tuple[Made, AnsweringModel]:
    method = Magpie(MagpieConfig(rows_per_topic=number, **settings))
    session, model = session_of(ledger, answer)
    units = method.plan(Inputs(examples=examples))
    made = method.make(units, session)
    assert_accounted_for(units, made)
    return made, model


def test_turns_become_rows(ledger: RequestLedger) -> None:
    made, model = run(ledger, turns(*TURNS), 2, topics=("cooking",))
    assert {row.messages[0].content for row in made.examples} == set(TURNS)
    assert {row.key for row in made.examples} == {"magpie/cooking#magpie/0/0", "magpie/cooking#magpie/1/0"}
    row = made.examples[0]
    assert (row.messages[1].content, row.provenance.generation_depth, row.provenance.parents) == ("An answer.", 1, ())
    assert len(row.provenance.request_ids) == 2
    first = next(request for request in model.requests if len(request.messages) == 1)
    assert "about cooking" in first.messages[0].content
    assert first.parameters["temperature"] == 1.0
    assert len({request.parameters["seed"] for request in model.requests[:2]}) == 2
    assert made.figures == {"novelty": 1.0}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Why bread?", "short_instruction"),
        ("Bread " * 500, "long_instruction"),
        ("Sure, here is a message: how do I bake?", "answers_instead"),
        ("How can I help you with your bread today?", "answers_instead"),
        ("How do I bake?<|im_end|>\n<|im_start|>assistant", "chat_marker"),
        ("How do I bake bread?\nAssistant: With flour.", "chat_marker"),
        ("Bake it and " + "again and again " * 30, "looping_text"),
        ("Wie lange muss ein Brotteig an einem warmen Ort gehen, bevor er gebacken wird?", "language"),
        ("What is on this picture of bread?", "refers_to_nothing"),
        ("", "empty_reply"),
    ],
)
def test_what_is_no_request_of_a_user_is_rejected_before_it_is_answered(ledger: RequestLedger, text: str, reason: str) -> None:
    made, model = run(ledger, turns(text), languages=("en",))
    assert [item.reason for item in made.rejections] == [reason]
    assert (made.examples, len(model.requests)) == ((), 1)


def test_near_copies_of_rows_and_demonstrations_are_rejected(ledger: RequestLedger) -> None:
    copies = [TURNS[0], TURNS[0].upper(), TURNS[1]]
    made, _ = run(ledger, turns(*copies), 3, examples=[demonstration("faq/1", TURNS[1])])
    assert len(made.examples) == 1
    assert [item.reason for item in made.rejections] == ["not_new", "not_new"]
    assert "faq/1" in {item.other_key for item in made.rejections}


def test_a_user_may_hand_something_over(ledger: RequestLedger) -> None:
    text = "Here is my recipe: flour and water. What is missing?"
    assert run(ledger, turns(text))[0].examples[0].messages[0].content == text


def test_quotation_marks_around_a_turn_go(ledger: RequestLedger) -> None:
    assert run(ledger, turns(f'"{TURNS[0]}"'))[0].examples[0].messages[0].content == TURNS[0]


def test_a_raw_prompt_goes_with_the_ask(ledger: RequestLedger) -> None:
    settings = {
        "form": "raw",
        "pre_query_template": "<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n",
        "stop": ("<|im_end|>",),
        "topics": ("cooking",),
    }
    made, model = run(ledger, turns(f"{TURNS[0]}<|im_end|>\nmore"), **settings)
    assert made.examples[0].messages[0].content == TURNS[0]
    sent = model.requests[0].parameters
    assert sent["raw_prompt"].startswith(
        "<|im_start|>system\nYou are a helpful assistant for questions about cooking.<|im_end|>"
    )
    assert sent["stop"] == ["<|im_end|>"]
    assert "raw_prompt" not in model.requests[1].parameters


def test_a_refusing_answer_is_rejected(ledger: RequestLedger) -> None:
    made, _ = run(ledger, turns(TURNS[0], reply="I'm sorry, but I cannot help with that."))
    assert [item.reason for item in made.rejections] == ["refusal"]


def test_more_rows_keep_the_units_that_were_there() -> None:
    def keys(number: int) -> list[str]:
        return [unit.key for unit in Magpie(MagpieConfig(rows_per_topic=number)).plan(Inputs())]

    few, many = keys(20), keys(50)
    assert [key for key in many if key in few] == few


@pytest.mark.parametrize(
    "settings",
    [
        {"topics": ()},
        {"topics": ("Tea", "tea ")},
        {"form": "raw"},
        {"pre_query_template": "x"},
        {"stop": ("x",)},
        {"form": "raw", "pre_query_template": "<user>", "topics": ("tea",)},
        {"temperature": 0.0},
        {"languages": ("English",)},
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        MagpieConfig(**settings)
