"""The interface to vLLM, with a module in its place that asks our own model; vLLM itself needs a GPU and is not run here."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from curation.errors import EvaluationError
from curation.records import Message
from evaluation.answering.engines import load_engine
from evaluation.answering.language_model import LanguageModel, load_model
from evaluation.answering.vllm_engine import VllmModel, load_vllm_model

Build = Callable[..., Path]
QUESTION = (Message(role="user", content="Which?"),)


class Engine:
    """What vLLM offers of itself, computed by transformers one prompt at a time."""

    def __init__(self, model: str, **settings: Any) -> None:
        if "broken" in model:
            raise RuntimeError("no such model")
        self.local = load_model("tiny", model, max_new_tokens=8)
        self.settings = settings
        self.sizes: list[int] = []
        self.llm_engine = SimpleNamespace(model_config=SimpleNamespace(max_model_len=self.local.context_length))

    def get_tokenizer(self) -> Any:
        return self.local._tokenizer

    def generate(self, prompts: list[dict[str, Any]], params: Any, use_tqdm: bool) -> list[Any]:
        assert not use_tqdm
        self.sizes.append(len(prompts))
        return [self._one(prompt["prompt_token_ids"], params) for prompt in prompts]

    def _one(self, tokens: list[int], params: Any) -> Any:
        assert len(tokens) + params.max_tokens <= self.local.context_length
        (written,) = self.local.write(
            [tokens], max_new_tokens=params.max_tokens, stop_texts=getattr(params, "stop", None) or ()
        )
        reply = SimpleNamespace(
            text=written.text, token_ids=[0] * written.num_tokens, finish_reason="length" if written.is_cut else "stop"
        )
        if getattr(params, "logprobs", None) is not None:
            reply.cumulative_logprob = (written.mean_log_probability or 0.0) * written.num_tokens
        found = SimpleNamespace(outputs=[reply], metrics=SimpleNamespace(arrival_time=1.0, finished_time=1.5))
        if getattr(params, "prompt_logprobs", None):
            with torch.inference_mode():
                rows = self.local._model(torch.tensor([tokens])).logits[0].float().log_softmax(-1)
            found.prompt_logprobs = [None]
            for place in range(1, len(tokens)):
                row = rows[place - 1]
                asked = {int(row.argmax()), tokens[place]}
                found.prompt_logprobs.append({token: SimpleNamespace(logprob=float(row[token])) for token in asked})
        return found


@pytest.fixture(scope="module")
def folder(build_model: Build) -> Path:
    return build_model()


@pytest.fixture
def models(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[VllmModel, LanguageModel]:
    module = ModuleType("vllm")
    module.LLM, module.SamplingParams = Engine, SimpleNamespace  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", module)
    mine = load_vllm_model("tiny", str(folder), max_new_tokens=8, tensor_parallel_size=2)
    assert mine._engine.settings == {"seed": 0, "tensor_parallel_size": 2}
    return mine, load_model("tiny", str(folder), max_new_tokens=8)


def test_it_gives_what_transformers_gives(models: tuple[VllmModel, LanguageModel]) -> None:
    vllm, local = models
    prompts = [local.encode((Message(role="user", content="a" * number),), ()).tokens for number in range(1, 6)]
    told: list[int] = []
    answers = vllm.answer(prompts, batch_size=2, on_answer=lambda index, _: told.append(index))
    assert [answer.text for answer in answers] == [answer.text for answer in local.answer(prompts)]
    assert [answer.num_tokens for answer in answers] == [answer.num_tokens for answer in local.answer(prompts)]
    assert {answer.latency_s for answer in answers} == {0.5}
    sure = [answer.mean_log_probability for answer in local.answer(prompts)]
    assert [answer.mean_log_probability for answer in answers] == pytest.approx(sure, abs=1e-4)
    assert told == [0, 1, 2, 3, 4]
    assert vllm._engine.sizes == [2, 2, 1]
    for mine, other in zip(
        vllm.choice_log_likelihoods([QUESTION, "tea"], [["hot", "a stone"], [" is"]]),
        local.choice_log_likelihoods([QUESTION, "tea"], [["hot", "a stone"], [" is"]]),
        strict=True,
    ):
        assert [score.log_likelihood for score in mine] == pytest.approx([score.log_likelihood for score in other], abs=1e-3)
        assert [score[1:] for score in mine] == [score[1:] for score in other]


def test_texts_and_prompts_that_are_too_long_fit(models: tuple[VllmModel, LanguageModel]) -> None:
    vllm, local = models
    (long,) = vllm.text_log_likelihoods(["tea " * 150])
    assert (long.num_tokens, long.num_windows) == (600, 3)
    (short,), (same,) = vllm.text_log_likelihoods(["tea"]), local.text_log_likelihoods(["tea"])
    assert short.log_likelihood == pytest.approx(same.log_likelihood, abs=1e-3)
    ((choice,),) = vllm.choice_log_likelihoods(["a" * 400], [["b"]])
    assert choice.num_cut == 400 - 254


def test_what_goes_wrong_is_named(models: tuple[VllmModel, LanguageModel], monkeypatch: pytest.MonkeyPatch) -> None:
    vllm, _ = models
    with pytest.raises(EvaluationError, match="cannot load 'tiny' in broken .RuntimeError: no such model"):
        load_vllm_model("tiny", "broken", max_new_tokens=8)
    monkeypatch.setattr(vllm._engine, "generate", lambda *_, **__: 1 / 0)
    with pytest.raises(EvaluationError, match="vLLM stopped with 'tiny' .ZeroDivisionError"):
        vllm.answer([[5]])
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(EvaluationError, match="vLLM cannot be imported .*install it beside this project"):
        load_vllm_model("tiny", "folder", max_new_tokens=8)


def test_the_recipe_chooses_the_engine(models: tuple[VllmModel, LanguageModel], folder: Path) -> None:
    assert isinstance(load_engine("vllm", "tiny", str(folder), max_new_tokens=8), VllmModel)
    assert isinstance(load_engine("transformers", "tiny", str(folder), max_new_tokens=8), LanguageModel)
