"""Greedy generation with continuous batching: a row that has finished leaves, and the next prompt takes its place.

    writer = Writer(model, stop_tokens=frozenset({2}), pad=0, slots=32)
    for written in writer.write([Ask(index=0, tokens=(1, 17, 9), max_new_tokens=64), ...]):
        written.index, written.tokens, written.seconds         # in the order in which they finish

It works with any model whose cache is plain keys and values (`cache_rows`), on any device. Answers do not depend on who
shares the batch, up to the rounding of matrix products.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from curation.errors import EvaluationError
from evaluation.answering.cache_rows import join_rows, select_rows
from evaluation.answering.likelihood import read_tokens

ADMIT_SHARE = 0.25
"""New prompts are read once so large a share of the places is free, so that reading happens in batches."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A prompt."""

    index: int
    tokens: tuple[int, ...]
    max_new_tokens: int


@dataclass(frozen=True, slots=True)
class Written:
    """What was written to a prompt."""

    index: int
    tokens: tuple[int, ...]
    """Without the token that ended it."""
    has_ended: bool
    """Whether the model ended it by itself; otherwise `max_new_tokens` or `is_over` did."""
    seconds: float
    """From reading the prompt to the last token."""
    log_probability: float = 0.0
    """Natural log-probability of the tokens, that of the token that ended it included."""


@dataclass(slots=True, eq=False)
class _Row:
    ask: Ask
    began: float
    tokens: list[int] = field(default_factory=list)
    log_probability: float = 0.0


@dataclass(slots=True)
class _State:
    """The rows in work; all tensors have one row each."""

    rows: list[_Row]
    cache: Any
    mask: Any
    """[rows, columns of the cache]"""
    lengths: Any
    """Tokens of each row so far: the position of the next."""
    last: Any
    """The token that each row wrote last; it is not in the cache yet."""


class Writer:
    """Writes answers with one model."""

    def __init__(
        self,
        model: Any,
        *,
        stop_tokens: frozenset[int],
        pad: int,
        slots: int,
        is_over: Callable[[Sequence[int]], bool] | None = None,
    ) -> None:
        """Take a model in evaluation mode.

        Args:
            model: has a plain cache.
            stop_tokens: tokens that end an answer.
            pad: any token.
            slots: rows at once; halved when memory runs out.
            is_over: told the tokens of an answer after each one; True ends it.
        """
        self._model, self._stop_tokens, self._pad, self._is_over = model, stop_tokens, pad, is_over
        self.slots = slots
        self.num_steps = 0
        self.num_row_steps = 0
        """Rows computed, added up over the steps: what finished rows no longer cost."""

    def write(self, asks: Iterable[Ask]) -> Iterator[Written]:
        """Give each answer as soon as it is finished. The longest prompts are read first.

        Raises:
            EvaluationError: if the model computes what is not a number, or does not fit into memory with one prompt.
        """
        import torch

        waiting = sorted(asks, key=lambda ask: len(ask.tokens))
        yield from (Written(ask.index, (), False, 0.0) for ask in waiting if ask.max_new_tokens < 1)
        waiting = [ask for ask in waiting if ask.max_new_tokens >= 1]
        state: _State | None = None
        while waiting or state is not None:
            try:
                with torch.inference_mode():
                    state, finished = self._advance(state, waiting)
            except torch.cuda.OutOfMemoryError as error:
                self._shrink(state, waiting, error)
                state = None
                torch.cuda.empty_cache()
                continue
            yield from finished

    def _shrink(self, state: _State | None, waiting: list[Ask], error: Exception) -> None:
        """Put the rows in work back and go on with half as many places; what is finished is finished."""
        if state is not None:
            waiting.extend(row.ask for row in state.rows)
            waiting.sort(key=lambda ask: len(ask.tokens))
        tried = min(self.slots, len(waiting))
        if tried == 1:
            raise EvaluationError(reason="the model does not fit into GPU memory with one prompt.") from error
        self.slots = tried // 2

    def _advance(self, state: _State | None, waiting: list[Ask]) -> tuple[_State | None, list[Written]]:
        """Read new prompts if there is room, otherwise write one token in each row; return what finished."""
        num_free = self.slots - (len(state.rows) if state is not None else 0)
        if waiting and (state is None or num_free >= max(self.slots * ADMIT_SHARE, 1)):
            chosen = waiting[-num_free:]
            new = self._read(chosen)  # `waiting` changes only once this has worked
            joined = new if state is None else _join(state, new)
            del waiting[-num_free:]
            return self._drop_finished(joined)
        assert state is not None, "there is something to do"
        self._step(state)
        return self._drop_finished(state)

    def _read(self, asks: list[Ask]) -> _State:
        import torch

        device = self._model.device
        began = time.monotonic()
        width = max(len(ask.tokens) for ask in asks)
        ids = torch.tensor([[self._pad] * (width - len(ask.tokens)) + list(ask.tokens) for ask in asks], device=device)
        mask = torch.tensor([[0] * (width - len(ask.tokens)) + [1] * len(ask.tokens) for ask in asks], device=device)
        output = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0),
            use_cache=True,
            logits_to_keep=1,
        )
        rows = [_Row(ask, began) for ask in asks]
        state = _State(rows=rows, cache=output.past_key_values, mask=mask, lengths=mask.sum(dim=1), last=None)
        self._take(state, output.logits[:, -1])
        return state

    def _step(self, state: _State) -> None:
        import torch

        state.mask = torch.cat([state.mask, state.mask.new_ones((len(state.rows), 1))], dim=1)
        output = self._model(
            input_ids=state.last[:, None],
            attention_mask=state.mask,
            position_ids=state.lengths[:, None],
            past_key_values=state.cache,
            use_cache=True,
        )
        state.lengths = state.lengths + 1
        self._take(state, output.logits[:, -1])

    def _take(self, state: _State, logits: Any) -> None:
        """Add the most likely token to each row."""
        if bool(logits.isnan().any()):
            raise EvaluationError(reason="the model computes values that are not numbers (NaN); its training diverged.")
        state.last = logits.argmax(dim=-1)
        found = read_tokens(logits, state.last)[0].tolist()
        self.num_steps += 1
        self.num_row_steps += len(state.rows)
        for row, token, log_probability in zip(state.rows, state.last.tolist(), found, strict=True):
            row.tokens.append(token)
            row.log_probability += log_probability

    def _drop_finished(self, state: _State) -> tuple[_State | None, list[Written]]:
        import torch

        ends = [self._ends(row) for row in state.rows]
        if not any(ends):
            return state, []
        now = time.monotonic()
        finished = [_written(row, self._stop_tokens, now) for row, end in zip(state.rows, ends, strict=True) if end]
        kept = [index for index, end in enumerate(ends) if not end]
        if not kept:
            return None, finished
        rows = torch.tensor(kept, device=state.mask.device)
        mask = state.mask[rows]
        first = int(mask.any(dim=0).int().argmax())  # columns that nobody reads any more
        return _State(
            rows=[state.rows[index] for index in kept],
            cache=select_rows(state.cache, rows, first_column=first),
            mask=mask[:, first:],
            lengths=state.lengths[rows],
            last=state.last[rows],
        ), finished

    def _ends(self, row: _Row) -> bool:
        if row.tokens[-1] in self._stop_tokens or len(row.tokens) >= row.ask.max_new_tokens:
            return True
        return self._is_over is not None and self._is_over(row.tokens)


def _join(first: _State, second: _State) -> _State:
    import torch

    width = max(first.mask.shape[1], second.mask.shape[1])
    masks = [torch.nn.functional.pad(state.mask, (width - state.mask.shape[1], 0)) for state in (first, second)]
    return _State(
        rows=first.rows + second.rows,
        cache=join_rows(first.cache, second.cache),
        mask=torch.cat(masks),
        lengths=torch.cat([first.lengths, second.lengths]),
        last=torch.cat([first.last, second.last]),
    )


def _written(row: _Row, stop_tokens: frozenset[int], now: float) -> Written:
    has_ended = row.tokens[-1] in stop_tokens
    tokens = tuple(row.tokens[:-1] if has_ended else row.tokens)
    return Written(row.ask.index, tokens, has_ended, now - row.began, row.log_probability)
