"""Rendered prompts of the judge: as checked in, and with texts that cannot break out of their place."""

import json
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.chat_model import ChatRequest
from curation.judging.config import Criterion
from curation.judging.prompts import render_groundedness, render_pair, render_score
from curation.records import Message
from curation.synthesis.prompts.template import Prompt
from tests.curation.judging.ruled_judge import PROMPT, blocks_of, judge_config

GOLDEN = Path(__file__).parents[2] / "golden"
CRITERIA = (
    Criterion(name="accuracy", text="Is everything that it says true?", weight=2.0, anchors={1: "wrong", 5: "all of it"}),
    Criterion(name="clarity", text="Does a newcomer understand it?"),
)
RENDERED: dict[str, Prompt] = {
    "judge_score": render_score(judge_config(), PROMPT, "A drink.", ["Tea is a drink."]),
    "judge_criteria": render_score(judge_config(rubric="Be strict.", criteria=CRITERIA), PROMPT, "A drink."),
    "judge_pair": render_pair(judge_config(criteria=CRITERIA), PROMPT, "A drink.", "A plant."),
    "judge_groundedness": render_groundedness(PROMPT, ["Tea is a drink."], ["You can drink it.", "It is a plant."]),
}


@pytest.mark.parametrize("name", list(RENDERED))
def test_prompts_are_as_checked_in(name: str) -> None:
    prompt = RENDERED[name]
    text = "\n".join(f"--- {message.role}\n{message.content}" for message in prompt.messages)
    head = f"{prompt.template.template_id} {prompt.template.template_hash}\n{json.dumps(prompt.template.schema)}\n"
    assert head + text + "\n" == (GOLDEN / f"prompt_{name}.txt").read_text(), (
        "A prompt changed, so paid votes are not reused. If that is meant, raise its template_id and renew the golden file."
    )


@hypothesis.given(st.text(), st.text(), st.text())
def test_no_text_breaks_out_of_its_place(asked: str, first: str, second: str) -> None:
    prompt = render_pair(judge_config(), (Message(role="user", content=asked),), first, second)
    shown = blocks_of(ChatRequest(messages=prompt.messages))
    assert shown == {"turn_user": asked, "first_answer": first, "second_answer": second}


def test_an_answer_that_quotes_a_prompt_stays_data() -> None:
    inner = RENDERED["judge_pair"].messages[-1].content
    prompt = render_pair(judge_config(), PROMPT, inner, "x")
    assert blocks_of(ChatRequest(messages=prompt.messages))["first_answer"] == inner


def test_a_rubric_with_braces_is_text() -> None:
    assert "{braces}" in render_score(judge_config(rubric="Has it {braces}?"), PROMPT, "{x}").messages[0].content


def test_every_rubric_has_a_template_hash_of_its_own() -> None:
    assert len({prompt.template.template_hash for prompt in RENDERED.values()}) == 4
