"""A model folder as evaluation asks it: encoded prompts, answers, choices, texts."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.errors import EvaluationError
from curation.records import Message
from evaluation.answering.continuous import Ask
from evaluation.answering.language_model import LanguageModel, load_model
from evaluation.answering.likelihood import Pair
from tests.evaluation.conftest import TEMPLATE
from training.chat_format import ChatFormat

Build = Callable[..., Path]
QUESTION = (Message(role="user", content="Which?"),)


@pytest.fixture(scope="module")
def model(build_model: Build) -> LanguageModel:
    return load_model("tiny", str(build_model()), max_new_tokens=8)


@pytest.fixture(scope="module")
def plain_model(build_model: Build) -> LanguageModel:
    return load_model("plain", str(build_model(template=None)), max_new_tokens=8)


def test_answers_say_what_they_took(model: LanguageModel) -> None:
    prompts = [model.encode((Message(role="user", content="a" * number),), ()).tokens for number in range(1, 6)]
    told = {}
    answers = model.answer(prompts, batch_size=2, on_answer=lambda index, answer: told.setdefault(index, answer))
    assert [answer.num_prompt_tokens for answer in answers] == [len(prompt) for prompt in prompts]
    assert all(answer.latency_s > 0 and answer.num_tokens > 0 for answer in answers)
    assert all(answer.is_cut == (answer.num_tokens == 8) for answer in answers)
    assert [told[index] for index in range(5)] == answers
    assert [answer.text for answer in answers] == [model.answer([prompt])[0].text for prompt in prompts]


def test_an_answer_says_how_likely_its_tokens_were(model: LanguageModel) -> None:
    """The mean over the tokens written, the end of turn included, is what the model itself says of them as a continuation."""
    prompts = [model.encode((Message(role="user", content="abc"[:number]),), ()).tokens for number in range(1, 4)]
    for prompt, answer in zip(prompts, model.write(prompts, max_new_tokens=8), strict=True):
        (whole,) = model._writer((), slots=1).write([Ask(0, tuple(prompt), 8)])
        tokens = (*whole.tokens, *([model._tokenizer.eos_token_id] if whole.has_ended else []))
        (found,) = model._score([Pair(tuple(prompt), tokens)], 1, lambda _: None)
        assert answer.mean_log_probability == pytest.approx(found.log_likelihood / len(tokens), abs=1e-4)
        assert answer.mean_log_probability < 0
    assert model.write([prompts[0]], max_new_tokens=0)[0].mean_log_probability is None


def test_a_stop_text_ends_an_answer_and_is_left_out(model: LanguageModel) -> None:
    prompt = model.tokenize("Once")
    (whole,) = model.write([prompt], max_new_tokens=12)
    middle = whole.text[3:5]
    (cut,) = model.write([prompt], max_new_tokens=12, stop_texts=(middle, ""))
    assert cut.text == whole.text[: whole.text.index(middle)]
    assert cut.num_tokens < whole.num_tokens
    assert not cut.is_cut


def test_choices_are_ranked_as_a_conversation_text_or_tokens(model: LanguageModel) -> None:
    text = model.render(QUESTION)
    choices = ["tea", "a stone", "tea"]
    chat, raw, tokens = model.choice_log_likelihoods(
        [QUESTION, text, model.tokenize(text, has_special_tokens=False)], [choices, choices, choices]
    )
    assert [score.log_likelihood for score in chat] == pytest.approx([score.log_likelihood for score in tokens], abs=1e-4)
    assert [score.log_likelihood for score in chat] == pytest.approx([score.log_likelihood for score in raw], abs=1e-4)
    assert chat[0] == chat[2] != chat[1]
    assert [(score.num_tokens, score.num_bytes) for score in chat] == [(3, 3), (7, 7), (3, 3)]
    assert model.choice_log_likelihoods([QUESTION], [[]]) == [()]


def test_a_model_without_template_reads_choices_behind_a_space(plain_model: LanguageModel) -> None:
    ((mine,),) = plain_model.choice_log_likelihoods([QUESTION], [["tea"]])
    ((same,),) = plain_model.choice_log_likelihoods(["user: Which?\nassistant:"], [[" tea"]])
    assert mine.log_likelihood == pytest.approx(same.log_likelihood)
    assert (mine.num_bytes, same.num_bytes, mine.num_tokens) == (3, 4, 4)


def test_texts_of_any_length_have_a_likelihood(model: LanguageModel) -> None:
    long = "tea " * 150
    empty, short, whole = model.text_log_likelihoods(["", "tea", long])
    assert (empty.log_likelihood, empty.num_tokens, empty.num_windows) == (0.0, 0, 0)
    assert (short.num_tokens, short.num_bytes, short.num_windows) == (3, 3, 1)
    assert (whole.num_tokens, whole.num_windows) == (600, math.ceil(600 / 256))
    ((choice,),) = model.choice_log_likelihoods([""], [["tea"]])
    assert short.log_likelihood == pytest.approx(choice.log_likelihood, abs=1e-4)


def test_a_tokenizer_of_another_model_is_named(build_model: Build) -> None:
    folder = build_model()
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["a"] = 4711
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    model = load_model("mixed", str(folder), max_new_tokens=8)
    with pytest.raises(EvaluationError, match="tokenizer of 'mixed' is that of another model: token 4711"):
        model.encode((Message(role="user", content="a"),), ())


def test_a_choice_that_does_not_fit_is_named(model: LanguageModel) -> None:
    with pytest.raises(EvaluationError, match="'tiny': a choice has 300 tokens, and the model reads 256"):
        model.choice_log_likelihoods([QUESTION], [["a" * 300]])
    with pytest.raises(EvaluationError, match="nothing to the tokenizer"):
        model.choice_log_likelihoods([QUESTION], [[""]])


def test_half_a_surrogate_pair_is_contained(model: LanguageModel) -> None:
    ((score,),) = model.choice_log_likelihoods(["tea"], [["\ud83d"]])
    assert score.log_likelihood < 0
    assert model.answer([model.encode((Message(role="user", content="\ud83d"),), ()).tokens])[0].num_tokens > 0


def test_tools_are_shown_as_they_are_in_training(build_model: Build) -> None:
    """A model that learnt to call tools from their definitions is asked with them, by the same template."""
    template = "{% if tools %}<|system|>{{ tools | tojson }}</s>{% endif %}" + TEMPLATE
    tools = '[{"function":{"name":"find"},"type":"function"}]'
    model = load_model("caller", str(build_model(template=template)), max_new_tokens=8)
    learnt = ChatFormat(model._tokenizer).encode(QUESTION, "Yes.", tools)
    assert model.encode(QUESTION, (), tools).tokens == learnt.prompt
    assert model.encode(QUESTION, ()).tokens != learnt.prompt


def test_a_model_without_template_sees_tools_as_text(plain_model: LanguageModel) -> None:
    shown = plain_model.encode(QUESTION, (), '[{"type":"function"}]').tokens
    assert plain_model._tokenizer.decode(shown) == 'tools: [{"type":"function"}]\nuser: Which?\nassistant:'


def test_an_empty_prompt_is_answered(model: LanguageModel) -> None:
    assert model.answer([[]])[0].num_tokens > 0
    assert model.answer([]) == []
