"""Keeps answers as they come, a batch at a time, with what each took of the machine.

keeper = Keeper(cache, keys, tell)                                  tell(answers, tokens) after each batch
model.answer(prompts, batch_size=64, on_answer=keeper.take(64))     a file of the cache each 64 answers
keeper.close()                                                      the rest; returns how many tokens were generated
"""

import math
import time
from collections.abc import Callable, Sequence

from evaluation.answering.cache import AnswerCache, Given
from evaluation.answering.generated import Generated


class Keeper:
    """Writes finished answers to the cache; killed at any time, at most a batch is lost."""

    def __init__(self, cache: AnswerCache, keys: Sequence[str], tell: Callable[[int, int], None]) -> None:
        self._cache = cache
        self._keys = keys
        self._tell = tell
        self._waiting: dict[str, Given] = {}
        self._num_kept = 0
        self._num_tokens = 0
        self._since = time.monotonic()

    def take(self, batch_size: int) -> Callable[[int, Generated], None]:
        """Return what is told the number of a prompt and its answer; it writes when a batch is full."""

        def on_answer(index: int, answer: Generated) -> None:
            self._waiting[self._keys[index]] = Given(
                answer.text,
                answer.num_tokens,
                answer.num_prompt_tokens,
                round(answer.latency_s, 6),
                mean_log_probability=_finite(answer.mean_log_probability),
            )
            self._num_tokens += answer.num_tokens
            if len(self._waiting) >= batch_size:
                self._write()

        return on_answer

    def keep(self, given: Sequence[Given], start: int) -> None:
        """Write a batch that is finished; each of its answers waited for all of them."""
        spent = round(time.monotonic() - self._since, 6)
        self._waiting |= {key: each._replace(latency_s=spent) for key, each in zip(self._keys[start:], given, strict=False)}
        self._write()

    def _write(self) -> None:
        now = time.monotonic()
        share = round((now - self._since) / max(1, len(self._waiting)), 6)
        self._cache.put({key: given._replace(machine_s=share) for key, given in self._waiting.items()})
        self._num_kept += len(self._waiting)
        self._waiting = {}
        self._since = now
        self._tell(self._num_kept, self._num_tokens)

    def close(self) -> int:
        """Write what is left, and return how many tokens were generated."""
        if self._waiting:
            self._write()
        return self._num_tokens


def _finite(value: float | None) -> float | None:
    return round(value, 6) if value is not None and math.isfinite(value) else None
