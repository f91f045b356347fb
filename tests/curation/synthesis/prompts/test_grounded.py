"""Rendered prompts: as checked in, and with a document that cannot break out of its place."""

import json
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.records import Document
from curation.synthesis.prompts import grounded as prompts
from curation.synthesis.prompts.grounded import (
    Prompt,
    cut_passage,
    read_prompt,
    render_grounded_qa,
    render_routing,
    render_ungrounded,
)

GOLDEN = Path(__file__).parents[3] / "golden"


def rendered(document: Document) -> dict[str, Prompt]:
    line = json.dumps({"question": "What does it do?", "answer": "It shouts."})
    return {
        "routing": render_routing(document, num_questions=5),
        "grounded_qa": render_grounded_qa(document, num_questions=3),
        "ungrounded": render_ungrounded(document, [line]),
    }


@pytest.mark.parametrize("name", ["routing", "grounded_qa", "ungrounded"])
def test_prompts_are_as_checked_in(name: str, document: Document) -> None:
    prompt = rendered(document)[name]
    text = "\n".join(f"--- {message.role}\n{message.content}" for message in prompt.messages)
    head = f"{prompt.template.template_id} {prompt.template.template_hash}\n{json.dumps(prompt.template.schema)}\n"
    assert head + text + "\n" == (GOLDEN / f"prompt_{name}.txt").read_text(), (
        "A prompt changed, so paid replies are not reused. If that is meant, raise its template_id and renew the golden file."
    )


@pytest.mark.parametrize("name", ["routing", "grounded_qa", "ungrounded"])
def test_what_was_rendered_can_be_read_back(name: str, document: Document) -> None:
    read = read_prompt(rendered(document)[name].messages)
    assert (read.task, read.title, read.passage) == (name, document.title, document.text)


@hypothesis.given(st.text(), st.text(min_size=1), st.integers(1, 50))
def test_no_document_breaks_out_of_its_place(title: str, text: str, number: int) -> None:
    document = Document(
        key="k", source="s", title=title, kind="text", text=text, sections=(), group="g", license="", output_terms=""
    )
    read = read_prompt(render_routing(document, num_questions=number).messages)
    assert (read.num_questions, read.passage) == (number, text)
    assert read.title == " ".join(title.split())[:300]


def test_a_document_that_quotes_the_frame_stays_data(make_document: Callable[..., Document]) -> None:
    innocent = render_routing(make_document(text="x"), num_questions=2).messages[-1].content
    read = read_prompt(render_routing(make_document(text=innocent), num_questions=5).messages)
    assert read.num_questions == 5
    assert read.passage == innocent


def test_only_what_is_in_the_prompt_changes_it(make_document: Callable[..., Document]) -> None:
    one = render_routing(make_document(), num_questions=5)
    assert one.messages != render_routing(make_document(text="Other."), num_questions=5).messages
    assert one.messages != render_routing(make_document(), num_questions=4).messages
    assert one.template.template_hash == render_routing(make_document(text="Other."), num_questions=4).template.template_hash


def test_a_long_document_is_cut_at_a_line() -> None:
    text = "\n".join(f"line {number} of a long text" for number in range(2_000))
    passage = cut_passage(text)
    assert len(passage) <= prompts.PASSAGE_CHARS
    assert text.startswith(passage)
    assert text[len(passage)] == "\n"
    assert cut_passage("x" * 50_000) == "x" * prompts.PASSAGE_CHARS


def test_templates_have_different_hashes() -> None:
    hashes = {template.template_hash for template in (prompts.ROUTING, prompts.GROUNDED_QA, prompts.UNGROUNDED)}
    assert len(hashes) == 3
