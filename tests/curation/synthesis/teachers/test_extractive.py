"""The extractive teacher: grounded, deterministic, and worded as people would."""

import json
import re
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.chat_model import ChatReply, ChatRequest
from curation.errors import RequestRefusedError
from curation.records import Document, Message
from curation.synthesis.parse import parse_questions
from curation.synthesis.passages import clean_markup, read_sentences
from curation.synthesis.prompts.grounded import (
    GROUNDED_QA,
    ROUTING,
    Prompt,
    render_grounded_qa,
    render_routing,
    render_ungrounded,
)
from curation.synthesis.teachers.extractive import ExtractiveTeacher
from curation.synthesis.teachers.phrasing import as_verb, describe_owner, phrase


def ask(prompt: Prompt, seed: int = 0) -> dict[str, Any]:
    reply = ExtractiveTeacher().complete(ChatRequest(messages=prompt.messages, parameters={"seed": seed}))
    value: dict[str, Any] = json.loads(reply.text)
    return value


def routing(document: Document, number: int = 5, seed: int = 0) -> list[dict[str, str]]:
    questions: list[dict[str, str]] = ask(render_routing(document, num_questions=number), seed)["questions"]
    return questions


def test_it_says_that_it_is_no_model() -> None:
    teacher = ExtractiveTeacher()
    assert (teacher.provider, teacher.model, teacher.is_model) == ("extractive", "extractive", False)
    assert teacher.revision


def test_routing_questions_differ_and_rest_on_the_text(document: Document) -> None:
    questions = routing(document)
    assert len({item["question"].casefold() for item in questions}) == 5
    assert all(item["quote"] in document.text for item in questions)
    assert questions[0]["quote"] == "Turn the label into capital letters."
    assert "label into capital letters" in questions[0]["question"]


def test_routing_questions_name_neither_the_title_nor_the_method(document: Document) -> None:
    for seed in range(20):
        for item in routing(document, seed=seed):
            assert document.title not in item["question"]
            assert "shout" not in item["question"].lower()
            assert "text" not in re.findall(r"\w+", item["question"].lower())


def test_the_same_request_gives_the_same_reply_and_another_seed_another(document: Document) -> None:
    assert routing(document, seed=1) == routing(document, seed=1)
    assert routing(document, seed=1) != routing(document, seed=2)


def test_code_and_tables_are_never_asked_about(document: Document) -> None:
    text = json.dumps(routing(document, number=50))
    assert ">>>" not in text
    assert "Cart('TEA!')" not in text


def test_fewer_questions_where_there_is_little_to_say(make_document: Callable[..., Document]) -> None:
    assert len(routing(make_document(text="shop.Cart.pay() -> Cart"))) == 1
    assert routing(make_document(text="...")) != []
    assert 5 <= len(routing(make_document(text="shop.pay()\n\nPay the bill now."), number=50)) <= 50


def test_grounded_answers_are_sentences_of_the_document(document: Document) -> None:
    questions = ask(render_grounded_qa(document, num_questions=4))["questions"]
    assert len(questions) == 4
    assert all(item["answer"] in document.text and item["quote"] in document.text for item in questions)
    assert all("shop.Cart.text.shout" in item["question"] for item in questions)
    assert "Turn the label into capital letters." in {item["answer"] for item in questions}
    assert any("parameter marks" in item["question"] for item in questions)


def test_wrong_answers_are_other_sentences_of_the_document(document: Document) -> None:
    lines = [json.dumps(item) for item in ask(render_grounded_qa(document, num_questions=4))["questions"]]
    answers = ask(render_ungrounded(document, lines))["answers"]
    assert len(answers) == 4
    for line, answer in zip(lines, answers, strict=True):
        assert answer in document.text
        assert answer != json.loads(line)["answer"]


def test_no_other_sentence_no_wrong_answer(make_document: Callable[..., Document]) -> None:
    document = make_document(text="shop.pay()\n\nPay the bill now.")
    line = json.dumps({"question": "What does it do?", "answer": "Pay the bill now."})
    assert ask(render_ungrounded(document, [line])) == {"answers": [""]}


def test_a_prompt_without_rules_is_refused() -> None:
    for content in ("hello", "Task: poetry\nQuestions: 3\n\n<document mark="):
        with pytest.raises(RequestRefusedError, match="no rules for this prompt"):
            ExtractiveTeacher().complete(ChatRequest(messages=(Message(role="user", content=content),)))


TEXTS = st.text() | st.lists(
    st.sampled_from(
        [
            "Get the rows.",
            "# Heading",
            "Notes\n-----",
            "- item one",
            ">>> code",
            "```",
            "x : int\n    The size.",
            "Args:",
            ".. note::",
            "",
        ]
    )
    | st.text(max_size=40),
    max_size=12,
).map("\n".join)


@hypothesis.settings(max_examples=80)
@hypothesis.given(st.text(max_size=30), TEXTS)
def test_any_document_gives_questions_that_the_parser_takes(title: str, text: str) -> None:
    hypothesis.assume(text.strip())
    document = Document(
        key="k", source="s", title=title, kind="text", text=text, sections=(), group="g", license="", output_terms=""
    )
    accepted = {
        "invalid_characters",
        "empty_reply",
        "short_question",
        "long_question",
        "quote_not_in_source",
        "names_the_title",
    }
    for prompt, template in (
        (render_routing(document, num_questions=5), ROUTING),
        (render_grounded_qa(document, num_questions=5), GROUNDED_QA),
    ):
        reply = ExtractiveTeacher().complete(ChatRequest(messages=prompt.messages))
        parsed = parse_questions(ChatReply(text=reply.text), document, template=template, num_questions=5)
        assert {problem.reason for problem in parsed.problems} <= accepted
        assert all(item["quote"] in text for item in json.loads(reply.text)["questions"])


def test_markdown_is_read_by_its_headings() -> None:
    text = "# Pump\n\nThe pump runs at night. It is loud.\n\n## Repair\n\n```\ncode here.\n```\n\n"
    text += "Call [the shop](http://x) **first**."
    found = [(sentence.section, sentence.text) for sentence in read_sentences(text)]
    assert found == [
        ("pump", "The pump runs at night"),
        ("pump", "It is loud"),
        ("repair", "Call the shop first"),
    ]


@hypothesis.given(TEXTS)
def test_quotes_of_sentences_stand_in_the_passage(text: str) -> None:
    assert all(sentence.quote in text and sentence.text for sentence in read_sentences(text))


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("See :meth:`lib.Expr.head` and `x`.", "See head and x."),
        ("Use ``a  b`` or *that*", "Use a b or that"),
        ("Pass *args and **kwargs", "Pass *args and **kwargs"),
        ("2 * 3 * 4", "2 * 3 * 4"),
    ],
)
def test_markup_is_removed(text: str, clean: str) -> None:
    assert clean_markup(text) == clean


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Computes the entropy", " the entropy"),
        ("Lazily read a CSV file", "lazily read a CSV file"),
        ("Whether the engine runs", "whether the engine runs"),
        ("Base class for types", "the base class for types"),
        ("UTF-8 encoded string type", "the UTF-8 encoded string type"),
        ("The pump is loud", "the pump is loud"),
    ],
)
def test_phrases_fit_the_grammar_of_the_sentence(text: str, part: str) -> None:
    questions = phrase(text, salt="x")
    assert len(questions) == len(set(questions)) >= 5
    assert all(part in question for question in questions)


@pytest.mark.parametrize(
    ("word", "verb"), [("Computes", "compute"), ("Applies", "apply"), ("Fetches", "fetch"), ("Get", "get"), ("Base", None)]
)
def test_verbs_are_found_in_any_form(word: str, verb: str | None) -> None:
    assert as_verb(word) == verb


@pytest.mark.parametrize(
    ("title", "owner"),
    [
        ("polars.LazyFrame.head", "a lazy frame"),
        ("polars.Expr.str.head", "an expression"),
        ("polars.Config.set_x", "the settings"),
        ("polars.SQLContext.execute", "a SQL context"),
        ("polars.Series.head", "a series"),
        ("polars.read_csv", ""),
        ("docs/guide.md", ""),
    ],
)
def test_owners_are_described_in_words(title: str, owner: str) -> None:
    assert describe_owner(title) == owner
