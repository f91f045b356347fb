import json
from pathlib import Path

import pytest

from curation.records import Message, ToolCall
from tests.training.export.conftest import Trained
from training.export.modelfile import RenderedPrompt, find_format, go_template, write_modelfile

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ASKED = Message(role="user", content="Hi")
RENDERED = RenderedPrompt((ASKED,), "<|bos|><|user|>Hi<|end|><|assistant|>")


def test_the_modelfile_carries_the_chat_template_and_every_end(built: Trained) -> None:
    made = write_modelfile(built.model, {"max_position_embeddings": 128}, stops=["<|end|>", '<|eot"|>'], rendered=[RENDERED])
    assert made.refusal == ""
    assert made.text.startswith("FROM .\nPARAMETER temperature 0\nPARAMETER num_ctx 128\n")
    assert 'PARAMETER stop "<|end|>"\nPARAMETER stop "<|eot\\"|>"\n' in made.text
    assert '{{ if eq .Role "system" }}{{ "<|system|>" }}{{ .Content }}{{ "<|end|>" }}' in made.text
    assert made.text.rstrip().endswith('{{ "<|assistant|>" }}"""')


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        (RENDERED._replace(text="<|bos|><|user|> Hi<|end|><|assistant|>"), "in another way"),
        (RENDERED._replace(tools="[{}]"), "call tools"),
        (RENDERED._replace(messages=(ASKED, Message(role="tool", content="4"))), "call tools"),
        (
            RENDERED._replace(
                messages=(
                    ASKED,
                    Message(role="assistant", content="", tool_calls=(ToolCall(id="1", name="f", arguments="{}"),)),
                )
            ),
            "call tools",
        ),
    ],
)
def test_a_template_that_renders_a_held_out_conversation_differently_is_refused(
    built: Trained, prompt: RenderedPrompt, reason: str
) -> None:
    made = write_modelfile(built.model, {}, stops=[], rendered=[RENDERED, prompt])
    assert reason in made.refusal
    assert 'TEMPLATE """' not in made.text
    assert f"# No TEMPLATE: the chat template has no equivalent in Ollama's language; {made.refusal}." in made.text


def test_a_folder_without_a_template_says_so(tmp_path: Path) -> None:
    made = write_modelfile(tmp_path, {}, stops=[], rendered=[])
    assert made.refusal == "it is not made of fixed text around each turn"


def test_a_plain_template_is_translated() -> None:
    found = find_format(CHATML, bos_token="<s>", eos_token="<|im_end|>")
    assert found is not None
    assert found.turns["user"] == ("<|im_start|>user\n", "<|im_end|>\n")
    assert json.dumps("<|im_start|>assistant\n") in go_template(found)


@pytest.mark.parametrize(
    "template",
    [
        "",
        "{{ broken",
        "{{ raise_exception('no') }}",
        "{% for m in messages %}{{ m.content | trim | upper }}{% endfor %}",
        "{% for m in messages %}{{ loop.index }}:{{ m.content }}{% endfor %}",
        "{% for m in messages if m.role != 'system' %}[{{ m.content }}]{% endfor %}",
        "{{ ''.__class__.__mro__ }}",
    ],
)
def test_a_template_without_equivalent_is_left_out(template: str) -> None:
    assert find_format(template, bos_token="", eos_token="") is None
