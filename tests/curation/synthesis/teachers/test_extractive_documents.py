"""The extractive rules for documents: verbatim, deterministic, and silent where the document says nothing."""

import json
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.chat_model import ChatRequest
from curation.records import Document
from curation.synthesis.asking import read_value
from curation.synthesis.prompts.conversation import render_conversation
from curation.synthesis.prompts.conversion import render_conversion
from curation.synthesis.prompts.document_qa import render_answer_check, render_questions, render_unanswerable
from curation.synthesis.prompts.raft import render_raft
from curation.synthesis.prompts.template import Prompt
from curation.synthesis.teachers.extractive import ExtractiveTeacher
from curation.synthesis.teachers.extractive_documents import DOCUMENT_TASKS


def ask(prompt: Prompt, seed: int = 0) -> dict[str, Any]:
    """Return the reply, which must fit the schema of its template."""
    reply = ExtractiveTeacher().complete(ChatRequest(messages=prompt.messages, parameters={"seed": seed}))
    value: dict[str, Any] = read_value(reply, prompt.template.schema)
    return value


def quotes_of(value: Any) -> list[str]:
    """Return everything that a reply quotes."""
    if isinstance(value, dict):
        own = [text for key in ("quotes", "prompt_quotes", "answer_quotes") for text in value.get(key, ())]
        own += [value["quote"]] if value.get("quote") else []
        return own + [text for item in value.values() for text in quotes_of(item)]
    return [text for item in value for text in quotes_of(item)] if isinstance(value, list) else []


def renders(document: Document) -> list[Prompt]:
    return [
        render_questions(document, num=3),
        render_unanswerable(document, num=3),
        render_answer_check(document, ["What does the label do?"]),
        render_raft(document, num=2),
        render_conversation(document, num_turns=3),
        render_conversion(document),
    ]


def test_every_task_has_rules(document: Document) -> None:
    assert len(renders(document)) == len(DOCUMENT_TASKS)
    for prompt in renders(document):
        assert ask(prompt) == ask(prompt)
        assert all(quote in document.text for quote in quotes_of(ask(prompt)))


@hypothesis.given(st.text(max_size=400), st.text(max_size=40))
def test_no_document_breaks_the_rules(text: str, title: str) -> None:
    document = Document(
        key="k", source="s", title=title, kind="text", text=text, sections=(), group="g", license="", output_terms=""
    )
    for prompt in renders(document):
        assert all(quote in text for quote in quotes_of(ask(prompt)))


def test_unanswerable_questions_are_about_what_is_not_there(document: Document) -> None:
    asked = [item["question"] for seed in range(6) for item in ask(render_unanswerable(document, num=3), seed)["questions"]]
    assert not any("cost" in question for question in asked), "the document speaks of a price"
    assert len(set(asked)) > 3
    checked = ask(render_answer_check(document, asked))["answers"]
    assert [item["quote"] for item in checked] == [""] * len(asked)


@pytest.mark.parametrize("question", ["Does the price stay as it is?", "Can I turn the label into capital letters?"])
def test_a_question_that_a_sentence_answers_is_quoted(document: Document, question: str) -> None:
    (checked,) = ask(render_answer_check(document, [question]))["answers"]
    assert checked["quote"] in document.text
    assert len(checked["quote"]) > 10


def test_replies_are_json(document: Document) -> None:
    reply = ExtractiveTeacher().complete(ChatRequest(messages=render_raft(document, num=1).messages))
    assert json.loads(reply.text)["questions"][0]["reasoning"] == ""
