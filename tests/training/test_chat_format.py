from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import ChatFormatError
from curation.records import Message, ToolCall
from training.chat_format import BOS, END, IGNORED, SPECIAL_TOKENS, ChatFormat


def ask(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


def with_template(tokenizer: Any, template: str) -> ChatFormat:
    import copy

    changed = copy.deepcopy(tokenizer)
    changed.chat_template = template
    return ChatFormat(changed)


def test_only_the_answer_and_the_end_of_turn_are_learnt(tokenizer: Any) -> None:
    tokens = ChatFormat(tokenizer).encode(ask("How?"), '{"part":"strings"}')
    learnt = [label for label in tokens.labels if label != IGNORED]
    assert tokenizer.decode(learnt) == '{"part":"strings"}<|end|>'
    assert tokens.labels[: len(tokens.prompt)] == [IGNORED] * len(tokens.prompt)
    assert len(tokens.labels) == len(tokens.ids)


def test_the_prompt_is_what_the_model_is_asked_with(tokenizer: Any) -> None:
    messages = (Message(role="system", content="Be brief."), *ask("How?"))
    turns = [{"role": message.role, "content": message.content} for message in messages]
    asked = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert tokenizer.decode(ChatFormat(tokenizer).encode(messages, "So.").prompt) == asked
    assert asked == "<|bos|><|system|>Be brief.<|end|><|user|>How?<|end|><|assistant|>"


@given(question=st.text(max_size=60), answer=st.text(max_size=60))
def test_any_text_survives(tokenizer: Any, question: str, answer: str) -> None:
    chat = ChatFormat(tokenizer)
    if chat.special_text_in([question, answer]):
        return
    tokens = chat.encode(ask(question), answer)
    assert tokens.ids.count(tokenizer.bos_token_id) == 1
    assert tokens.answer[-1] == tokenizer.eos_token_id
    assert tokens.answer.count(tokenizer.eos_token_id) == 1
    assert tokenizer.decode(tokens.answer[:-1]) == answer.encode("utf-8", "replace").decode()


def test_tool_calls_are_learnt_and_the_tools_are_part_of_the_prompt(tokenizer: Any) -> None:
    tools = '[{"type":"function","function":{"name":"find_flight"}}]'
    call = ToolCall(id="1", name="find_flight", arguments='{"to": "Oslo"}')
    answer = Message(role="assistant", content="", tool_calls=(call,))
    tokens = ChatFormat(tokenizer).encode(ask("Fly me to Oslo"), answer, tools)
    assert "find_flight" in tokenizer.decode(tokens.prompt)
    learnt = tokenizer.decode(tokens.answer)
    assert '"name": "find_flight"' in learnt
    assert '"to": "Oslo"' in learnt


def test_pad_and_end_differ(tokenizer: Any) -> None:
    assert len({tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}) == 3


@pytest.mark.parametrize("special", SPECIAL_TOKENS)
def test_forged_turns_are_noticed(tokenizer: Any, special: str) -> None:
    assert ChatFormat(tokenizer).special_text_in(["fine", f"x{special}y"]) == special


ASK = "{% if add_generation_prompt %}<|assistant|>{% endif %}"


def test_layout_after_the_end_of_turn_is_not_learnt(tokenizer: Any) -> None:
    turns = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}"
    template = turns + "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    assert with_template(tokenizer, template).encode(ask("a"), "b").answer[-1] == tokenizer.eos_token_id


def test_an_answer_that_the_template_leaves_open_is_closed(tokenizer: Any) -> None:
    template = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
    )
    assert with_template(tokenizer, template).encode(ask("a"), "b").answer[-1] == tokenizer.eos_token_id


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}" + BOS + "{{ m.content }}" + END + "{% endfor %}",
        "{% if add_generation_prompt %}other{% endif %}{% for m in messages %}{{ m.content }}{% endfor %}",
        "{{ raise_exception('roles must alternate') }}",
    ],
    ids=["two beginnings", "another beginning", "refuses"],
)
def test_templates_that_cannot_be_trained_with_are_refused(tokenizer: Any, template: str) -> None:
    with pytest.raises(ChatFormatError):
        with_template(tokenizer, template).encode(ask("a"), "b")


def test_documents_stand_between_their_tokens(tokenizer: Any) -> None:
    ids = ChatFormat(tokenizer).encode_text(f"a{END}b")
    assert (ids[0], ids[-1]) == (tokenizer.bos_token_id, tokenizer.eos_token_id)
    assert tokenizer.eos_token_id not in ids[1:-1]


THINKS = "{% for m in messages %}<|{{ m.role }}|>{{ m.content.split('</think>')[-1] }}<|end|>{% endfor %}"


@pytest.mark.parametrize(
    ("answer", "learnt"),
    [("Blue.", "\n</think>\n\nBlue.<|end|>"), ("<think>\nSky.\n</think>\n\nBlue.", "Sky.\n</think>\n\n\n\nBlue.<|end|>")],
    ids=["without a thought", "with one that the template leaves out"],
)
def test_a_thought_that_the_prompt_opens_is_closed_in_the_answer(tokenizer: Any, answer: str, learnt: str) -> None:
    chat = with_template(tokenizer, THINKS + "{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}")
    tokens = chat.encode(ask("Which colour?"), answer)
    assert chat.tokenizer.decode(tokens.prompt).endswith("<|assistant|><think>\n")
    assert chat.tokenizer.decode(tokens.answer) == learnt


def test_a_thought_that_the_template_closes_itself_is_left_as_it_is(tokenizer: Any) -> None:
    shown = "<|{{ m.role }}|>{% if m.role == 'assistant' %}<think></think>{% endif %}{{ m.content }}<|end|>"
    body = "{% for m in messages %}" + shown + "{% endfor %}"
    chat = with_template(tokenizer, body + "{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}")
    assert chat.tokenizer.decode(chat.encode(ask("a"), "b").answer) == "</think>b<|end|>"


def test_a_template_that_reads_parts_is_given_parts(tokenizer: Any) -> None:
    template = (
        "{% for m in messages %}<|{{ m.role }}|>{% for part in m.content %}{{ part.text }}{% endfor %}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    chat = with_template(tokenizer, template)
    tokens = chat.encode(ask("Which colour?"), "Blue.")
    assert chat.tokenizer.decode(tokens.prompt) == "<|user|>Which colour?<|end|><|assistant|>"
    assert chat.tokenizer.decode(tokens.answer) == "Blue.<|end|>"
