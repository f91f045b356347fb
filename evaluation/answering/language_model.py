"""A local causal language model: it answers prompts greedily, and says how likely choices and texts are.

model = load_model("sft", "/models/9f...", max_new_tokens=24)
model.answer([model.encode(item.prompt, shots).tokens])      [Generated(text='{"part":"strings"}', num_tokens=9, ...)]
model.choice_log_likelihoods([item.prompt], [["hot", "a stone"]])[0][1].log_likelihood      -19.7
model.text_log_likelihoods(["Tea is hot."])[0].num_tokens    5
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from curation.errors import EvaluationError
from evaluation.answering.batches import BatchWriter
from evaluation.answering.cache_rows import has_plain_cache
from evaluation.answering.child import describe
from evaluation.answering.continuous import Ask, Writer, Written
from evaluation.answering.generated import PLAIN_STOP, Generated, cut_at_stop
from evaluation.answering.likelihood import (
    Pair,
    PairScore,
    score_pairs,
)
from evaluation.answering.local_engine import LocalEngine
from evaluation.answering.prompts import Encoded, Prompt, PromptEncoder

__all__ = ["PLAIN_STOP", "Encoded", "Generated", "LanguageModel", "Prompt", "load_model"]


class LanguageModel(LocalEngine):
    """A loaded model with its tokenizer. Left padding, bfloat16 on a GPU, float32 on a CPU."""

    choices_at_once = 16
    texts_at_once = 4

    def __init__(self, name: str, model: Any, tokenizer: Any, *, max_new_tokens: int) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._stop_tokens = _stop_tokens(model, tokenizer)
        pad = tokenizer.pad_token_id
        self._pad = pad if pad is not None else next(iter(self._stop_tokens), 0)
        context_length: int = getattr(model.config.get_text_config(), "max_position_embeddings", None) or 1 << 20
        encoder = PromptEncoder(
            name,
            tokenizer,
            context_length=context_length,
            num_embeddings=int(model.get_input_embeddings().num_embeddings),
            max_new_tokens=max_new_tokens,
        )
        super().__init__(name, encoder, context_length=context_length, max_new_tokens=max_new_tokens)
        self._has_plain_cache = has_plain_cache(model)

    def write(
        self,
        prompts: Sequence[list[int]],
        *,
        max_new_tokens: int,
        stop_texts: Sequence[str] = (),
        batch_size: int = 0,
        on_answer: Callable[[int, Generated], None] = lambda _index, _answer: None,
    ) -> list[Generated]:
        """Go on with prompts as `answer` does, to the first of `stop_texts`, which is left out; white space is kept."""
        asks = [
            Ask(index, tuple(prompt) or (self._encoder.prefix_token,), max_new_tokens) for index, prompt in enumerate(prompts)
        ]
        stop_texts = [text for text in stop_texts if text]
        found: dict[int, Generated] = {}
        try:
            for written in self._writer(stop_texts, slots=batch_size or len(asks) or 1).write(asks):
                found[written.index] = self._finish(written, asks[written.index], stop_texts)
                on_answer(written.index, found[written.index])
        except EvaluationError as error:
            raise EvaluationError(reason=f"'{self.name}': {error.fields['reason']}") from error
        return [found[index] for index in range(len(asks))]

    def _writer(self, stop_texts: Sequence[str], *, slots: int) -> Writer | BatchWriter:
        if not self._has_plain_cache:
            return BatchWriter(self._model, stop_tokens=self._stop_tokens, pad=self._pad, slots=slots)
        is_over = _stop_check(self._tokenizer, stop_texts) if stop_texts else None
        return Writer(self._model, stop_tokens=self._stop_tokens, pad=self._pad, slots=slots, is_over=is_over)

    def _finish(self, written: Written, ask: Ask, stop_texts: Sequence[str]) -> Generated:
        whole = str(self._tokenizer.decode(list(written.tokens), skip_special_tokens=True))
        text, has_stop = cut_at_stop(whole, stop_texts)
        num_tokens = len(written.tokens)
        num_written = num_tokens + written.has_ended
        return Generated(
            text=text,
            num_tokens=num_written,
            num_prompt_tokens=len(ask.tokens),
            latency_s=written.seconds,
            is_cut=not written.has_ended and not has_stop and num_tokens >= ask.max_new_tokens,
            mean_log_probability=written.log_probability / num_written if num_written else None,
        )

    def _score(self, pairs: Sequence[Pair], batch_size: int, on_progress: Callable[[int], None]) -> list[PairScore]:
        try:
            return score_pairs(
                self._model,
                pairs,
                pad=self._pad,
                context_length=self.context_length,
                batch_size=batch_size,
                on_progress=on_progress,
            )
        except EvaluationError as error:
            raise EvaluationError(reason=f"'{self.name}': {error.fields['reason']}") from error


def load_model(name: str, path: str, *, max_new_tokens: int) -> LanguageModel:
    """Load a model folder (or a model by name) for answering.

    Raises:
        EvaluationError: if it cannot be loaded whole: nothing is ever filled up with random weights.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    has_gpu = torch.cuda.is_available()
    try:
        is_local = Path(path).exists()
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=is_local)
        model, info = AutoModelForCausalLM.from_pretrained(
            path,
            dtype=torch.bfloat16 if has_gpu else torch.float32,
            local_files_only=is_local,
            output_loading_info=True,
        )
    except Exception as error:
        raise EvaluationError(reason=f"the model '{name}' in {path} cannot be loaded ({describe(error)}).") from error
    missing = sorted(info["missing_keys"]) + sorted(str(key) for key in info["mismatched_keys"])
    if missing:
        raise EvaluationError(reason=f"the model '{name}' in {path} is incomplete: weights such as {missing[0]} are missing.")
    model.generation_config.temperature = model.generation_config.top_p = model.generation_config.top_k = None
    model = model.to("cuda" if has_gpu else "cpu").eval()
    return LanguageModel(name, model, tokenizer, max_new_tokens=max_new_tokens)


def _stop_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    declared = model.generation_config.eos_token_id
    tokens = declared if isinstance(declared, (list, tuple)) else [declared]
    return frozenset(int(token) for token in (*tokens, tokenizer.eos_token_id) if token is not None)


def _stop_check(tokenizer: Any, texts: Sequence[str]) -> Callable[[Sequence[int]], bool]:
    """Return a function that tells whether the last tokens of an answer spell one of the texts."""
    length = max(len(text.encode()) for text in texts) + 4  # a token is a byte at least; the first may be half a character

    def is_over(tokens: Sequence[int]) -> bool:
        end = tokenizer.decode(list(tokens[-length:]))
        return any(text in end for text in texts)

    return is_over
