"""The vLLM engine, offline, in place of transformers: the same questions, where vLLM is installed.

    model = load_vllm_model("sft", "/models/9f...", max_new_tokens=24)
    model.answer([model.encode(item.prompt, shots).tokens])
    model.choice_log_likelihoods([item.prompt], [["hot", "a stone"]])

vLLM needs a GPU and brings a build of torch of its own, so it is no extra of this project: install it into the environment
that answers. It is tested here against its interface only (a module that stands in for it), never on a GPU.
"""

import importlib.metadata
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from curation.errors import EvaluationError
from evaluation.answering.child import describe
from evaluation.answering.generated import Generated, cut_at_stop
from evaluation.answering.likelihood import (
    Pair,
    PairScore,
    cut_pair,
)
from evaluation.answering.local_engine import LocalEngine
from evaluation.answering.prompts import PromptEncoder


class VllmModel(LocalEngine):
    """A model in vLLM, with the methods of `LanguageModel`."""

    def __init__(self, name: str, engine: Any, tokenizer: Any, *, context_length: int, max_new_tokens: int) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        encoder = PromptEncoder(name, tokenizer, context_length=context_length, num_embeddings=0, max_new_tokens=max_new_tokens)
        super().__init__(name, encoder, context_length=context_length, max_new_tokens=max_new_tokens)

    def write(
        self,
        prompts: Sequence[list[int]],
        *,
        max_new_tokens: int,
        stop_texts: Sequence[str] = (),
        batch_size: int = 0,
        on_answer: Callable[[int, Generated], None] = lambda _index, _answer: None,
    ) -> list[Generated]:
        """Go on with prompts to the first of `stop_texts`, which is left out; white space is kept."""
        stops = [stop for stop in stop_texts if stop] or None
        settings = {"temperature": 0.0, "max_tokens": max_new_tokens, "stop": stops, "logprobs": 0}  # 0: of the tokens alone
        tokens = [list(prompt) or [self._encoder.prefix_token] for prompt in prompts]
        answers: list[Generated] = []
        for output in self._ask(tokens, settings, batch_size):
            reply = output.outputs[0]
            text, _ = cut_at_stop(str(reply.text), stop_texts)
            num_prompt_tokens = len(tokens[len(answers)])
            is_cut = reply.finish_reason == "length"
            answers.append(
                Generated(
                    text,
                    len(reply.token_ids),
                    num_prompt_tokens,
                    _latency(output),
                    is_cut,
                    mean_log_probability=_mean_log_probability(reply),
                )
            )
            on_answer(len(answers) - 1, answers[-1])
        return answers

    def _score(self, pairs: Sequence[Pair], batch_size: int, on_progress: Callable[[int], None]) -> list[PairScore]:
        cut = [cut_pair(pair, self._readable) for pair in pairs]
        whole = [[*pair.context, *pair.continuation] for pair, _ in cut]
        outputs = self._ask(whole, {"temperature": 0.0, "max_tokens": 1, "prompt_logprobs": 1, "detokenize": False}, batch_size)
        scores = []
        for (pair, num_cut), output in zip(cut, outputs, strict=True):
            rows = output.prompt_logprobs[len(pair.context) :]
            values = [{token: float(getattr(value, "logprob", value)) for token, value in row.items()} for row in rows]
            likelihood = math.fsum(row[token] for token, row in zip(pair.continuation, values, strict=True))
            if math.isnan(likelihood):
                raise EvaluationError(reason=f"'{self.name}': the model computes values that are not numbers (NaN).")
            is_greedy = all(max(row.values()) == row[token] for token, row in zip(pair.continuation, values, strict=True))
            scores.append(PairScore(likelihood, is_greedy, num_cut))
        on_progress(len(scores))
        return scores

    @property
    def _readable(self) -> int:
        """The context that counts: vLLM reads the last token of a pair as well, and writes one behind it."""
        return self.context_length - 2

    def _ask(self, prompts: list[list[int]], settings: dict[str, Any], batch_size: int) -> Iterator[Any]:
        import vllm

        size = batch_size or len(prompts) or 1
        for start in range(0, len(prompts), size):
            batch = [{"prompt_token_ids": prompt} for prompt in prompts[start : start + size]]
            try:
                outputs = self._engine.generate(batch, vllm.SamplingParams(**settings), use_tqdm=False)
            except Exception as error:
                raise EvaluationError(reason=f"vLLM stopped with '{self.name}' ({describe(error)}).") from error
            yield from outputs


def load_vllm_model(name: str, path: str, *, max_new_tokens: int, **settings: Any) -> VllmModel:
    """Load a model folder into vLLM.

    Args:
        name: of the model, for messages.
        path: folder of the model.
        max_new_tokens: longest answer.
        **settings: of `vllm.LLM`: `tensor_parallel_size`, `gpu_memory_utilization`, ...

    Raises:
        EvaluationError: vLLM is not installed, or cannot load the model.
    """
    try:
        import vllm
    except ImportError as error:
        reason = f"vLLM cannot be imported ({describe(error)}); install it beside this project, or use the engine transformers."
        raise EvaluationError(reason=reason) from error
    try:
        engine = vllm.LLM(model=path, seed=0, **settings)
        tokenizer = engine.get_tokenizer()
        length = int(engine.llm_engine.model_config.max_model_len)
    except Exception as error:
        version = _version()
        raise EvaluationError(reason=f"vLLM {version} cannot load '{name}' in {path} ({describe(error)}).") from error
    return VllmModel(name, engine, tokenizer, context_length=length, max_new_tokens=max_new_tokens)


def _latency(output: Any) -> float:
    metrics = getattr(output, "metrics", None)
    arrival, finished = getattr(metrics, "arrival_time", None), getattr(metrics, "finished_time", None)
    return float(finished - arrival) if arrival is not None and finished is not None else 0.0


def _mean_log_probability(reply: Any) -> float | None:
    total = getattr(reply, "cumulative_logprob", None)
    return float(total) / len(reply.token_ids) if total is not None and len(reply.token_ids) else None


def _version() -> str:
    try:
        return importlib.metadata.version("vllm")
    except importlib.metadata.PackageNotFoundError:
        return "(version not known)"
