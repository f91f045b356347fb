"""Samples whose final answer is right become reasoning traces; all others are rejections."""

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.chat_model import ChatReply, ChatRequest
from curation.errors import ConfigError
from curation.graders.number import grade_number
from curation.records import Message, Provenance, VerifiableTask
from curation.synthesis.asking import Answer, Ask
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.methods.method import Inputs, Made, Unit
from curation.synthesis.methods.reasoning import Reasoning, ReasoningConfig, split_reasoning
from curation.synthesis.prompts.reasoning import render_reasoning
from tests.curation.synthesis.methods.answering import AnsweringModel, assert_accounted_for, demonstration, session_of

DUCKS = demonstration("sums/1", "Ducks lay 16 eggs, 3 are eaten. How many are left?", "16 - 3 = 13\n#### 13")
LONG = "She starts with sixteen eggs.\nThen three are eaten, so we subtract.\n16 - 3 = 13\nAnswer: 13"
SHORT = "16 - 3 = 13\nAnswer: 13"


def samples(*replies: str | ChatReply) -> Any:
    def answer(request: ChatRequest) -> Any:
        return replies[request.sample_index]

    return answer


def run(
    ledger: RequestLedger, *replies: str | ChatReply, seeds: Any = (DUCKS,), **settings: Any
) -> tuple[Made, AnsweringModel]:
    method = Reasoning(ReasoningConfig(samples=len(replies), **settings))
    session, model = session_of(ledger, samples(*replies))
    units = method.plan(Inputs(examples=seeds))
    made = method.make(units, session)
    assert_accounted_for(units, made)
    return made, model


def test_the_shortest_right_sample_is_kept(ledger: RequestLedger) -> None:
    made, model = run(ledger, "16 + 3 = 19\nAnswer: 19", LONG, SHORT)
    (row,) = made.examples
    assert row.key == "sums/1#reasoning/2"
    assert row.messages[-1].content == "<think>\n16 - 3 = 13\n</think>\n\nAnswer: 13"
    assert row.messages[0].content == DUCKS.messages[0].content
    assert (row.provenance.parents, row.provenance.generation_depth) == (("sums/1",), 1)
    assert [(item.key, item.reason) for item in made.rejections] == [
        ("sums/1#reasoning/0", "wrong_answer"),
        ("sums/1#reasoning/1", "surplus_sample"),
    ]
    assert made.figures == {"right_share": pytest.approx(2 / 3), "solved_share": 1.0}
    assert sorted(request.parameters["seed"] for request in model.requests) == [0, 1, 2]
    assert not any("13" in message.content for request in model.requests for message in request.messages)


def test_a_question_without_a_right_sample_says_so(ledger: RequestLedger) -> None:
    made, _ = run(ledger, "Answer: 1", "", "two\nAnswer: 2")
    assert made.examples == ()
    assert [item.reason for item in made.rejections] == ["wrong_answer", "empty_reply", "wrong_answer", "no_right_answer"]
    assert made.rejections[-1].key == "sums/1#reasoning"


def test_the_most_different_samples_are_kept(ledger: RequestLedger) -> None:
    nearly, other = "16 - 3 = 13.\nAnswer: 13", "Take the eaten eggs away from all eggs that were laid.\nAnswer: 13"
    made, _ = run(ledger, SHORT, nearly, other, keep=2, choose="diverse")
    assert [row.key[-1] for row in made.examples] == ["0", "2"]
    made, _ = run(ledger, SHORT, nearly, other, keep=2)
    assert [row.key[-1] for row in made.examples] == ["0", "1"]


def test_equal_samples_are_one_row(ledger: RequestLedger) -> None:
    made, _ = run(ledger, SHORT, SHORT, keep=2)
    assert (len(made.examples), [item.reason for item in made.rejections]) == (1, ["surplus_sample"])


@pytest.mark.parametrize(
    ("form", "content"),
    [("text", "16 - 3 = 13\nAnswer: 13"), ("answer", "Answer: 13"), ("tags", "<think>\n16 - 3 = 13\n</think>\n\nAnswer: 13")],
)
def test_forms(ledger: RequestLedger, form: str, content: str) -> None:
    assert run(ledger, SHORT, form=form)[0].examples[0].messages[-1].content == content


def test_the_tags_stand_in_the_recipe(ledger: RequestLedger) -> None:
    made, _ = run(ledger, SHORT, open_tag="[why]", close_tag="[/why]")
    assert made.examples[0].messages[-1].content.startswith("[why]\n16")
    seed = demonstration("sums/2", "Which number is 13?", "13")
    made, _ = run(ledger, "A [why] in 16 - 3\nAnswer: 13", seeds=(seed,), open_tag="[why]", close_tag="[/why]")
    assert made.rejections[0].reason == "nested_tags"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (ChatReply(text="Answer: 13", reasoning="16 - 3"), ("16 - 3", "Answer: 13")),
        (ChatReply(text="<think>A: 12? No.</think>\nIt is 13."), ("A: 12? No.", "It is 13.")),
        (ChatReply(text="16 - 3 = 13\nAnswer: 13\nI hope this helps."), ("16 - 3 = 13", "Answer: 13\nI hope this helps.")),
        (ChatReply(text="16 - 3\n13"), ("16 - 3", "13")),
        (ChatReply(text="13"), ("", "13")),
    ],
)
def test_reasoning_is_told_from_the_final_answer(reply: ChatReply, expected: tuple[str, str]) -> None:
    ask = Ask(key="k", prompt=render_reasoning("q", "number"))
    assert split_reasoning(Answer(ask=ask, reply=reply)) == expected


def test_a_trace_without_reasoning_is_none(ledger: RequestLedger) -> None:
    assert run(ledger, "Answer: 13")[0].rejections[0].reason == "no_reasoning"


def test_a_verifiable_task_is_a_question_with_its_own_grader() -> None:
    provenance = Provenance(origin="human", method="m")
    prompt = (Message(role="user", content="A, B or C?"),)
    task = VerifiableTask(key="t/1", task="t", prompt=prompt, reference="B", grader="choice", group="t", provenance=provenance)

    class WithTasks(Inputs):
        tasks = (task,)

    (unit,) = Reasoning(ReasoningConfig()).plan(WithTasks())
    assert (unit.key, unit.slice, unit.payload.reference) == ("t/1#reasoning", "choice", "B")


@pytest.mark.parametrize(
    ("answer", "is_known"),
    [
        ("A poet.", False),
        ("13", True),
        ("She has 13 eggs.", True),
        ("Poets were paid by the line then, and a long one, such as the one you speak of, brought about 13 coins.", False),
        ("Poets were paid by the line then, and a long one, such as the one you speak of, brought much.\n#### 13", True),
    ],
)
def test_only_demonstrations_with_a_known_final_answer_are_units(answer: str, is_known: bool) -> None:
    units = Reasoning(ReasoningConfig()).plan(Inputs(examples=[demonstration("x", "How much is it?", answer)]))
    assert len(units) == is_known


@hypothesis.given(st.integers(0, 9), st.lists(st.integers(0, 9), min_size=1, max_size=6))
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], max_examples=20)
def test_every_row_is_right_and_every_sample_accounted_for(ledger: RequestLedger, wanted: int, numbers: list[int]) -> None:
    seed = demonstration(f"sums/{wanted}/{numbers}", f"Which number is {wanted}? {numbers}", f"#### {wanted}")
    replies = [f"Step {place}: it is.\nAnswer: {number}" for place, number in enumerate(numbers)]
    made, _ = run(ledger, *replies, seeds=(seed,), keep=len(numbers), choose="diverse" if len(numbers) > 1 else "shortest")
    assert all(grade_number(row.answer, str(wanted)).is_right for row in made.examples)
    assert len(made.examples) == numbers.count(wanted)
    assert len(made.rejections) == len(numbers) - numbers.count(wanted) + (wanted not in numbers)


def test_another_question_changes_no_row(ledger: RequestLedger) -> None:
    other = demonstration("sums/2", "Which number is 13?", "13")
    alone, _ = run(ledger, SHORT, LONG)
    both, _ = run(ledger, SHORT, LONG, seeds=(other, DUCKS))
    assert alone.examples[0] in both.examples


@pytest.mark.parametrize(
    "settings",
    [
        {"keep": 5},
        {"choose": "diverse"},
        {"grader": "oracle"},
        {"form": "text", "open_tag": "[x]"},
        {"open_tag": "</think>"},
        {"temperature": 0.0},
        {"samples": 0},
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        ReasoningConfig(**settings)


def test_units_are_sliced_by_grader() -> None:
    (unit,) = Reasoning(ReasoningConfig()).plan(Inputs(examples=[DUCKS]))
    assert isinstance(unit, Unit)
    assert unit.slice == "number"
