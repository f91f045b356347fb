"""Greedy generation in fixed batches, for models whose cache has a form of its own (state spaces, sliding windows).

    writer = BatchWriter(model, stop_tokens=frozenset({2}), pad=0, slots=32)
    for written in writer.write([Ask(index=0, tokens=(1, 17, 9), max_new_tokens=64), ...]):
        ...                                                # as with `continuous.Writer`

Prompts of similar length share a batch, the longest first; a row that has finished waits for its batch.
"""

import itertools
import time
from collections.abc import Iterable, Iterator
from typing import Any

from curation.errors import EvaluationError
from evaluation.answering.continuous import Ask, Written
from evaluation.answering.likelihood import read_tokens


class BatchWriter:
    """Writes answers with one model, by its own `generate`."""

    def __init__(self, model: Any, *, stop_tokens: frozenset[int], pad: int, slots: int) -> None:
        self._model, self._stop_tokens, self._pad = model, stop_tokens, pad
        self.slots = slots

    def write(self, asks: Iterable[Ask]) -> Iterator[Written]:
        """Give the answers of each batch once it is finished.

        Raises:
            EvaluationError: if the model computes what is not a number, or does not fit into memory with one prompt.
        """
        ordered = sorted(asks, key=lambda ask: (ask.max_new_tokens, -len(ask.tokens)))
        waiting: list[list[Ask]] = []
        for limit, same in itertools.groupby(ordered, key=lambda ask: ask.max_new_tokens):
            rows = list(same)
            if limit < 1:
                yield from (Written(ask.index, (), False, 0.0) for ask in rows)
                continue
            waiting += [rows[start : start + self.slots] for start in range(0, len(rows), self.slots)]
        waiting.reverse()
        while waiting:
            batch = waiting.pop()
            began = time.monotonic()
            rows_written = self._generate(batch)
            if rows_written is None:
                waiting += [batch[len(batch) // 2 :], batch[: len(batch) // 2]]
                continue
            for ask, (tokens, found) in zip(batch, rows_written, strict=True):
                end = next((place for place, token in enumerate(tokens) if token in self._stop_tokens), None)
                log_probability = sum(found if end is None else found[: end + 1])
                yield Written(ask.index, tuple(tokens[:end]), end is not None, time.monotonic() - began, log_probability)

    def _generate(self, asks: list[Ask]) -> list[tuple[list[int], list[float]]] | None:
        """Return the tokens of each row with their log-probabilities; None if they do not fit into memory at once."""
        import torch
        from transformers import GenerationConfig, LogitsProcessorList

        width = max(len(ask.tokens) for ask in asks)
        ids = [[self._pad] * (width - len(ask.tokens)) + list(ask.tokens) for ask in asks]
        mask = [[0] * (width - len(ask.tokens)) + [1] * len(ask.tokens) for ask in asks]
        guard = _Watch()
        settings = GenerationConfig(
            do_sample=False,
            max_new_tokens=asks[0].max_new_tokens,
            pad_token_id=self._pad,
            eos_token_id=sorted(self._stop_tokens) or None,
        )
        try:
            with torch.inference_mode():
                output = self._model.generate(
                    input_ids=torch.tensor(ids, device=self._model.device),
                    attention_mask=torch.tensor(mask, device=self._model.device),
                    generation_config=settings,
                    logits_processor=LogitsProcessorList([guard]),
                )
        except torch.cuda.OutOfMemoryError as error:
            if len(asks) == 1:
                raise EvaluationError(reason="the model does not fit into GPU memory with one prompt.") from error
            torch.cuda.empty_cache()
            return None
        if guard.has_failed():
            raise EvaluationError(reason="the model computes values that are not numbers (NaN); its training diverged.")
        rows: list[list[int]] = output[:, width:].tolist()
        return list(zip(rows, guard.log_probabilities(), strict=True))


class _Watch:
    """A logits processor that changes nothing; it remembers how likely the likeliest tokens are, and what was not a number."""

    def __init__(self) -> None:
        self._seen: Any = None
        self._steps: list[Any] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        bad = scores.isnan().any()
        self._seen = bad if self._seen is None else self._seen | bad
        self._steps.append(read_tokens(scores, scores.argmax(dim=-1))[0])
        return scores

    def log_probabilities(self) -> list[list[float]]:
        """Return those of each row, one a step: greedy decoding takes the likeliest token."""
        import torch

        found: list[list[float]] = torch.stack(self._steps, dim=1).tolist()
        return found

    def has_failed(self) -> bool:
        return self._seen is not None and bool(self._seen)
