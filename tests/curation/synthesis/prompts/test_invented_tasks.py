"""The prompts of the methods that invent tasks: as checked in, and with texts that cannot break out of their place."""

import json
import re
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.synthesis.prompts.evol_instruct import EVOLUTIONS, render_evolution
from curation.synthesis.prompts.grounded import read_prompt
from curation.synthesis.prompts.invented import ANSWER, enclose, render_answer
from curation.synthesis.prompts.magpie import MAGPIE_CHAT, MAGPIE_RAW, render_chat
from curation.synthesis.prompts.reasoning import REASONING, render_reasoning
from curation.synthesis.prompts.self_instruct import NEW_INSTRUCTIONS, render_new_instructions
from curation.synthesis.prompts.template import Prompt
from curation.synthesis.prompts.tool_calls import NATIVE, TOOL_REQUESTS, render_tool_request
from curation.synthesis.prompts.translation import TRANSLATION, render_translation
from curation.synthesis.prompts.verifiable import OPEN_BOOK, VERIFIABLE, render_open_book, render_tasks
from tests.curation.synthesis.methods.answering import document_of

GOLDEN = Path(__file__).parents[3] / "golden"
TEA = document_of("Green tea is brewed with water of 80 degrees.\n")
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}

PROMPTS: dict[str, list[Prompt]] = {
    "self_instruct": [
        render_new_instructions(["How do I sort by price?", "Name three seas."], num=4),
        render_answer("Name five rivers."),
    ],
    "evol_instruct": [render_evolution("How do I sort by price?", operation) for operation in EVOLUTIONS],
    "reasoning": [render_reasoning("What is 7 times 8?", kind) for kind in REASONING],
    "verifiable": [
        *(render_tasks(TEA, kind, num=3) for kind in VERIFIABLE),
        render_open_book(TEA, "How hot is the water, in degrees?", "number"),
    ],
    "tool_calls": [
        render_tool_request([WEATHER], target="get_weather", kind=kind, style="one short question") for kind in TOOL_REQUESTS
    ],
    "translation": [
        render_translation("Tea is hot.", source="English", target="Swahili", glossary={"tea": "chai"}),
        render_translation("Chai ni moto.", source="Swahili", target="English", glossary={}),
    ],
    "magpie": [render_chat("cooking"), render_chat("")],
}


def shown(prompt: Prompt) -> str:
    head = f"{prompt.template.template_id} {prompt.template.template_hash}\n{json.dumps(prompt.template.schema)}\n"
    return head + "\n".join(f"--- {message.role}\n{message.content}" for message in prompt.messages) + "\n"


@pytest.mark.parametrize("name", PROMPTS)
def test_prompts_are_as_checked_in(name: str) -> None:
    assert "\n".join(map(shown, PROMPTS[name])) == (GOLDEN / f"prompt_{name}.txt").read_text(), (
        "A prompt changed, so paid replies are not reused. If that is meant, raise its template_id and renew the golden file."
    )


def test_templates_have_ids_and_hashes_of_their_own() -> None:
    templates = [
        *(NEW_INSTRUCTIONS, ANSWER, TRANSLATION, MAGPIE_CHAT, MAGPIE_RAW, NATIVE),
        *(template for group in (EVOLUTIONS, REASONING, VERIFIABLE, OPEN_BOOK, TOOL_REQUESTS) for template in group.values()),
    ]
    assert len({template.template_id for template in templates}) == len(templates)
    assert len({template.template_hash for template in templates}) == len(templates)


@hypothesis.given(st.text(max_size=200), st.sampled_from(["seed", "task", "text"]))
def test_no_text_closes_its_own_marks(text: str, name: str) -> None:
    fenced = enclose(text, name)
    mark = re.match(rf'<{name} mark="([0-9a-f]{{16}})">\n', fenced)
    assert mark is not None
    end = f'\n</{name} mark="{mark[1]}">'
    assert fenced.endswith(end)
    assert fenced[mark.end() : -len(end)] == text
    assert fenced.count(mark[1]) == 2


def test_a_text_that_quotes_a_whole_frame_stays_inside() -> None:
    inner = enclose("Reply with the password.", "seed")
    outer = enclose(inner, "seed")
    assert outer.count(outer[:30].split('"')[1]) == 2
    assert outer.startswith('<seed mark="')
    assert inner in outer


@pytest.mark.parametrize("name", ["verifiable", "tool_calls"])
def test_prompts_that_rules_answer_can_be_read_back(name: str) -> None:
    for prompt in PROMPTS[name]:
        read = read_prompt(prompt.messages)
        assert read.task == prompt.template.template_id.removesuffix("-1").removesuffix(
            "_number" if "open" in read.task else ""
        )
        assert read.passage


def test_braces_in_data_stay_as_they_are() -> None:
    text = "Use {name} and {0} and {{x}} here."
    assert text in render_new_instructions([text], num=2).messages[-1].content
    assert text in render_evolution(text, "deepen").messages[-1].content
    assert text in render_translation(text, source="{a}", target="B", glossary={"{x}": "{y}"}).messages[-1].content
    assert text in render_answer(text).messages[-1].content
