"""Tasks from documents have a reference that is proved; tasks from templates have one that is computed."""

import json
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.chat_model import ChatRequest
from curation.errors import ConfigError
from curation.graders.registry import grade
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.methods.method import Inputs, Made
from curation.synthesis.methods.task_templates import TaskTemplate, draw_tasks
from curation.synthesis.methods.verifiable import Verifiable, VerifiableConfig, add_choices, passage_around
from curation.synthesis.prompts.grounded import read_prompt
from curation.synthesis.teachers.extractive_verifiable import VERIFIABLE_TASKS
from tests.curation.synthesis.methods.answering import AnsweringModel, asked, assert_accounted_for, document_of, session_of

TEXT = """\
Green tea is brewed with water of 80 degrees, never with boiling water.
Pour the water over the leaves and wait for 2 minutes.
Black tea, which is oxidised longer, tolerates boiling water and needs four minutes in the pot.
Oolong stands between the two and is brewed several times from the same leaves.
"""
LINE = TEXT.splitlines()[0]
NUMBER = {"question": "How hot is the water for green tea, in degrees?", "answer": "80", "quote": LINE}
EXACT = {"question": "Which tea tolerates boiling water?", "answer": "Black tea", "quote": TEXT.splitlines()[2]}
CHOICE = {**EXACT, "wrong": ["Green tea", "White tea", "Mint"]}
JSON = {
    "question": "Give the degrees and minutes of green tea as an object with the numbers `degrees` and `minutes`.",
    "answer": '{"degrees": 80, "minutes": 2}',
    "quote": "\n".join(TEXT.splitlines()[:2]),
}


def replies(*entries: dict[str, Any], votes: tuple[str, str] = ("Answer: no idea", "Answer: no idea")) -> Any:
    def answer(request: ChatRequest) -> Any:
        return votes[request.sample_index] if "open_book" in asked(request) else {"tasks": list(entries)}

    return answer


def run(ledger: RequestLedger, kind: str, answer: Any, **settings: Any) -> tuple[Made, AnsweringModel]:
    method = Verifiable(VerifiableConfig(kinds=(kind,), **settings))  # type: ignore[arg-type]
    session, model = session_of(ledger, answer)
    units = method.plan(Inputs(documents=[document_of(TEXT)]))
    made = method.make(units, session)
    assert_accounted_for(units, made)
    return made, model


@pytest.mark.parametrize(
    ("kind", "entry", "right"),
    [("number", NUMBER, "Answer: 80.0"), ("exact", EXACT, "It is\nAnswer: black tea."), ("json", JSON, JSON["answer"])],
)
def test_a_task_from_a_document(ledger: RequestLedger, kind: str, entry: dict[str, Any], right: str) -> None:
    made, model = run(ledger, kind, replies(entry))
    (task,) = made.tasks
    assert (task.key, task.grader, task.group) == (f"guide/tea#verifiable/{kind}/0", kind, "guide/tea")
    assert grade(task, right).is_right
    assert not grade(task, "Answer: 7").is_right
    (span,) = task.provenance.spans
    assert TEXT[span.start : span.end] == entry["quote"]
    assert (task.provenance.license, task.provenance.generation_depth) == ("CC-BY-4.0", 1)
    assert TEXT.strip() in task.prompt[0].content
    assert len(model.requests) == 1
    assert made.figures == {"share_verbatim": 1.0}


def test_choices_are_shuffled_and_the_letter_is_right(ledger: RequestLedger) -> None:
    made, _ = run(ledger, "choice", replies(CHOICE), passage_chars=0)
    (task,) = made.tasks
    letters = dict(line.split(". ", 1) for line in task.prompt[0].content.splitlines() if line[1:3] == ". ")
    assert set(letters.values()) == {"Black tea", "Green tea", "White tea", "Mint"}
    assert letters[task.reference] == "Black tea"


def test_letters_are_spread() -> None:
    found = [add_choices(f"k/{number}", "q", "r", ["x", "y", "z"], 0)[1] for number in range(400)]
    assert all(60 < found.count(letter) < 140 for letter in "ABCD")


@pytest.mark.parametrize(
    ("kind", "entry", "reason"),
    [
        ("number", {**NUMBER, "quote": "Water of 80 degrees."}, "quote_not_in_source"),
        ("number", {**NUMBER, "answer": "80 or 90"}, "no_reference"),
        ("number", {**NUMBER, "answer": "hot"}, "no_reference"),
        ("number", {**NUMBER, "question": "Is it 80 or 90 degrees?"}, "answer_in_question"),
        ("exact", {**EXACT, "question": "What tolerates boiling water, black tea?"}, "answer_in_question"),
        ("exact", {**EXACT, "answer": "..."}, "no_reference"),
        ("json", {**JSON, "answer": "[80, 2]"}, "no_reference"),
        ("json", {**JSON, "answer": "{"}, "no_reference"),
        ("choice", {**CHOICE, "wrong": ["Black tea", "Mint"]}, "bad_choices"),
        ("choice", {**CHOICE, "wrong": []}, "bad_choices"),
        ("choice", {**CHOICE, "wrong": ["boiling water"]}, "bad_choices"),
        ("number", {**NUMBER, "question": ""}, "empty_question"),
    ],
)
def test_a_task_that_cannot_be_graded_is_rejected(ledger: RequestLedger, kind: str, entry: dict[str, Any], reason: str) -> None:
    made, _ = run(ledger, kind, replies(entry))
    assert made.tasks == ()
    assert [item.reason for item in made.rejections] == [reason]


HIDDEN = {"question": "How many sorts of tea are described?", "answer": "3", "quote": LINE}


@pytest.mark.parametrize(
    ("votes", "is_kept"),
    [(("Answer: 3", "Three.\nAnswer: 3"), True), (("Answer: 3", "Answer: 4"), False), (("Answer: 3", ""), False)],
)
def test_what_is_not_verbatim_must_be_given_twice(ledger: RequestLedger, votes: tuple[str, str], is_kept: bool) -> None:
    made, model = run(ledger, "number", replies(HIDDEN, votes=votes))
    assert len(made.tasks) == is_kept
    assert [item.reason for item in made.rejections] == ([] if is_kept else ["reference_not_proved"])
    second = model.requests[1:]
    assert {request.sample_index for request in second} == {0, 1}
    assert {request.parameters["seed"] for request in second} == {0, 1}
    assert all('"answer"' not in asked(request) for request in second)
    if is_kept:
        assert len(made.tasks[0].provenance.request_ids) == 3


def test_the_recipe_says_how_references_are_proved(ledger: RequestLedger) -> None:
    made, model = run(ledger, "number", replies(HIDDEN), proof="verbatim")
    assert ([item.reason for item in made.rejections], len(model.requests)) == (["reference_not_in_source"], 1)


def test_agreement_is_asked_for_even_if_the_quote_holds_the_answer(ledger: RequestLedger) -> None:
    made, model = run(ledger, "number", replies(NUMBER, votes=("Answer: 80", "Answer: 90")), proof="agreement")
    assert ([item.reason for item in made.rejections], len(model.requests)) == (["reference_not_proved"], 3)


def test_closed_book_tasks_do_not_speak_of_a_text(ledger: RequestLedger) -> None:
    entry = {**NUMBER, "question": "How hot is the water in the above passage?"}
    assert run(ledger, "number", replies(entry), passage_chars=0)[0].rejections[0].reason == "refers_to_nothing"


@hypothesis.given(st.text(alphabet="ab \n", max_size=300), st.data(), st.integers(0, 100))
def test_the_passage_holds_its_span(text: str, data: st.DataObject, limit: int) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    passage = passage_around(text, (start, end), limit)
    assert passage in text
    if limit:
        assert text[start:end].strip() in passage
        assert len(passage) <= max(limit, end - start)
    else:
        assert passage == ""


def test_templates_need_no_teacher(ledger: RequestLedger) -> None:
    template = TaskTemplate(text="What is {a} divided by {b}?", operation="quotient", tasks=30)
    method = Verifiable(VerifiableConfig(kinds=(), templates={"parts": template}))
    session, model = session_of(ledger, replies())
    units = method.plan(Inputs())
    made = method.make(units, session)
    assert_accounted_for(units, made)
    assert (len(model.requests), len({task.key for task in made.tasks})) == (0, len(units))
    for task in made.tasks:
        first, second = (int(word) for word in task.prompt[0].content.split("?")[0].split() if word.isdigit())
        assert int(task.reference) * second == first
        assert grade(task, f"Answer: {task.reference}").is_right


def test_more_tasks_of_a_template_keep_the_others() -> None:
    def drawn(number: int) -> list[str]:
        template = TaskTemplate(text="{a} + {b}?", operation="sum", tasks=number)
        return [task.key for task in draw_tasks({"plus": template}, seed=1)]

    assert drawn(40)[: len(drawn(20))] == drawn(20)


@pytest.mark.parametrize("kind", ["number", "exact", "choice"])
def test_rules_write_tasks_that_hold(ledger: RequestLedger, kind: str) -> None:
    def by_rule(request: ChatRequest) -> Any:
        prompt = read_prompt(request.messages)
        return VERIFIABLE_TASKS[prompt.task](prompt, "0")

    made, model = run(ledger, kind, by_rule, proof="verbatim")
    assert made.tasks
    assert made.rejections == ()
    assert len(model.requests) == 1
    for task in made.tasks:
        assert "____" in task.prompt[0].content
        assert grade(task, f"Answer: {task.reference}").is_right


@pytest.mark.parametrize("reply", ['{"tasks": []}', "{}", "prose", json.dumps({"tasks": [{"question": "x"}]})])
def test_a_useless_reply_is_one_rejection(ledger: RequestLedger, reply: str) -> None:
    made, _ = run(ledger, "number", lambda _: reply)
    assert len(made.rejections) == 1
    assert made.tasks == ()


@pytest.mark.parametrize(
    "settings", [{"kinds": ()}, {"kinds": ("number", "number")}, {"kinds": ("poem",)}, {"tasks_per_document": 0}]
)
def test_bad_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        VerifiableConfig(**settings)


@pytest.mark.parametrize("fields", [{"text": "{a}?"}, {"operation": "power"}, {"low": 5, "high": 4}, {"low": 0}])
def test_bad_templates_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        TaskTemplate(**{"text": "{a}/{b}", "operation": "quotient", **fields})
