"""A local causal language model that answers a batch of prompts greedily.

model = load_model(ComparatorSpec(name="sft", model="/models/9f...", model_hash="9f..."), max_new_tokens=24)
model.answer([model.encode(item.prompt, shots)])     [Generated(text='{"part":"strings"}', num_tokens=9)]
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from curation.chat_turns import as_turn
from curation.errors import EvaluationError
from curation.records import Example, Message
from evaluation.child import describe

PLAIN_STOP = "\nuser:"


class Generated(NamedTuple):
    """An answer and how many tokens were generated for it."""

    text: str
    num_tokens: int


class Encoded(NamedTuple):
    """A prompt in tokens, and how many shots had to be left out to fit it in."""

    tokens: list[int]
    num_left_out: int


class LanguageModel:
    """A loaded model with its tokenizer. Left padding, bfloat16 on a GPU, float32 on a CPU."""

    def __init__(self, name: str, model: Any, tokenizer: Any, *, max_new_tokens: int) -> None:
        self.name = name
        self._model = model
        self._tokenizer = tokenizer
        self._max_new_tokens = max_new_tokens
        self.has_chat_template = bool(tokenizer.chat_template)
        self._stop_tokens = _stop_tokens(model, tokenizer)
        pad = tokenizer.pad_token_id
        self._pad = pad if pad is not None else next(iter(self._stop_tokens), 0)
        context = getattr(model.config, "max_position_embeddings", None) or 1 << 20
        self._room = context - max_new_tokens

    def encode(self, prompt: Sequence[Message], shots: Sequence[Example]) -> Encoded:
        """Return the prompt in tokens; where the context is too short, shots are left out, then the oldest tokens.

        Raises:
            EvaluationError: if the context has no room for a prompt at all, or the chat template refuses the messages.
        """
        if self._room < 1:
            raise EvaluationError(reason=f"the context of '{self.name}' has no room for {self._max_new_tokens} new tokens.")
        for kept in range(len(shots), -1, -1):
            tokens = self._tokenize(_with_shots(prompt, shots[:kept]))
            if len(tokens) <= self._room:
                break
        return Encoded(tokens[-self._room :], len(shots) - kept)

    def _tokenize(self, messages: Sequence[Message]) -> list[int]:
        if not self.has_chat_template:
            text = "".join(f"{message.role}: {message.text}\n" for message in messages) + "assistant:"
            return list(self._tokenizer(text)["input_ids"])
        turns = [as_turn(message, parsed=True) for message in messages]
        try:
            text = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        except Exception as error:
            raise EvaluationError(
                reason=f"the chat template of '{self.name}' refuses the prompt ({describe(error)})."
            ) from error
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def answer(self, prompts: Sequence[list[int]]) -> list[Generated]:
        """Answer a batch of prompts. A batch that does not fit into memory is halved.

        Raises:
            EvaluationError: if the model computes something that is not a number.
        """
        import torch

        try:
            return self._generate(prompts)
        except torch.cuda.OutOfMemoryError as error:
            if len(prompts) == 1:
                raise EvaluationError(reason=f"'{self.name}' does not fit into GPU memory with one prompt.") from error
        torch.cuda.empty_cache()
        middle = len(prompts) // 2
        return self.answer(prompts[:middle]) + self.answer(prompts[middle:])

    def _generate(self, prompts: Sequence[list[int]]) -> list[Generated]:
        import torch
        from transformers import LogitsProcessorList

        longest = max(len(prompt) for prompt in prompts)
        padded = [[self._pad] * (longest - len(prompt)) + prompt for prompt in prompts]
        mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        guard = _NumberGuard()
        with torch.inference_mode():
            output = self._model.generate(
                input_ids=torch.tensor(padded, device=self._model.device),
                attention_mask=torch.tensor(mask, device=self._model.device),
                generation_config=self._settings(),
                logits_processor=LogitsProcessorList([guard]),
            )
        if guard.has_failed():
            raise EvaluationError(reason=f"'{self.name}' computes values that are not numbers (NaN); its training diverged.")
        return [self._decode(row) for row in output[:, longest:].tolist()]

    def _settings(self) -> Any:
        from transformers import GenerationConfig

        stop = sorted(self._stop_tokens) or None
        return GenerationConfig(do_sample=False, max_new_tokens=self._max_new_tokens, pad_token_id=self._pad, eos_token_id=stop)

    def _decode(self, tokens: list[int]) -> Generated:
        end = next((index for index, token in enumerate(tokens) if token in self._stop_tokens), None)
        kept = tokens if end is None else tokens[:end]
        text = str(self._tokenizer.decode(kept, skip_special_tokens=True))
        if not self.has_chat_template:
            text = text.partition(PLAIN_STOP)[0]
        return Generated(text.strip(), len(kept) + (end is not None))


class _NumberGuard:
    """A logits processor that changes nothing and remembers whether any value was not a number."""

    def __init__(self) -> None:
        self._seen: Any = None

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        bad = scores.isnan().any()
        self._seen = bad if self._seen is None else self._seen | bad
        return scores

    def has_failed(self) -> bool:
        return self._seen is not None and bool(self._seen)


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


def _with_shots(prompt: Sequence[Message], shots: Sequence[Example]) -> list[Message]:
    system = [message for message in prompt if message.role == "system"]
    shown = [message for shot in shots for message in shot.messages if message.role != "system"]
    return system + shown + [message for message in prompt if message.role != "system"]
