"""The prompts of the methods that work from documents and rows: as checked in, and with texts that stay in their place."""

import json
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.records import Document
from curation.synthesis.prompts.conversation import render_conversation
from curation.synthesis.prompts.conversion import render_conversion
from curation.synthesis.prompts.document_qa import render_answer_check, render_questions, render_unanswerable
from curation.synthesis.prompts.grounded import read_prompt
from curation.synthesis.prompts.raft import render_raft
from curation.synthesis.prompts.template import Prompt
from curation.synthesis.prompts.variation import (
    delimit_text,
    render_answer,
    render_new_persona,
    render_paraphrase,
    render_persona,
)

GOLDEN = Path(__file__).parents[3] / "golden"
DOCUMENTS = ("document_qa", "unanswerable", "answer_check", "raft", "conversation", "conversion")
ROWS = ("paraphrase", "persona", "new_persona", "matching_answer")
REQUEST = "How do I make the label louder?"


def rendered(document: Document) -> dict[str, Prompt]:
    return {
        "document_qa": render_questions(document, num=3),
        "unanswerable": render_unanswerable(document, num=2),
        "answer_check": render_answer_check(document, ["What does it cost?", 'Who wrote "it"?']),
        "raft": render_raft(document, num=1),
        "conversation": render_conversation(document, num_turns=3),
        "conversion": render_conversion(document),
        "paraphrase": render_paraphrase(REQUEST),
        "persona": render_persona(REQUEST, "A tired night nurse."),
        "new_persona": render_new_persona(REQUEST),
        "matching_answer": render_answer(REQUEST, "Call `shout`.", "Louder label, how?"),
    }


@pytest.mark.parametrize("name", [*DOCUMENTS, *ROWS])
def test_prompts_are_as_checked_in(name: str, document: Document) -> None:
    prompt = rendered(document)[name]
    text = "\n".join(f"--- {message.role}\n{message.content}" for message in prompt.messages)
    head = f"{prompt.template.template_id} {prompt.template.template_hash}\n{json.dumps(prompt.template.schema)}\n"
    assert head + text + "\n" == (GOLDEN / f"prompt_{name}.txt").read_text(), (
        "A prompt changed, so paid replies are not reused. If that is meant, raise its template_id and renew the golden file."
    )


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_was_rendered_can_be_read_back(name: str, document: Document) -> None:
    read = read_prompt(rendered(document)[name].messages)
    assert (read.task, read.title, read.passage) == (name, document.title, document.text)


def test_every_template_has_an_id_and_a_hash_of_its_own(document: Document) -> None:
    templates = [prompt.template for prompt in rendered(document).values()]
    assert len({template.template_id for template in templates}) == len(templates)
    assert len({template.template_hash for template in templates}) == len(templates)


@hypothesis.given(st.text())
def test_a_text_cannot_forge_the_lines_around_it(text: str) -> None:
    first, *middle, last = delimit_text(text).split("\n")
    assert "\n".join(middle) == text
    assert last == first.replace("<", "</", 1)
    assert last not in middle
