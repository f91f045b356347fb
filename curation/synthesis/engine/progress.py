"""How far a batch of requests is, in numbers and in one line.

print(progress)      120/500 replies, 20 from the ledger, 8.3 calls/s, 61,200 tokens, 46 s left, 1 failed, $0.18
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from curation.chat_model import ChatReply

PROGRESS_SECONDS = 2.0
RATE_SECONDS = 30.0
"""The time left is judged by the pace of so many last seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a batch is. Calls, tokens and cost are those that were really paid for now."""

    num_done: int
    num_total: int
    num_cached: int
    num_failed: int
    calls_per_second: float
    cost_usd: float
    prompt_tokens: int = 0
    completion_tokens: int = 0
    tokens_per_second: float = 0.0
    seconds_left: float | None = None
    """Time until the rest is done at the pace of late; None while there is none."""
    num_in_batches: int = 0
    """Requests that wait in batches of the endpoint."""

    def __str__(self) -> str:
        tokens = self.prompt_tokens + self.completion_tokens
        parts = [
            f"{self.num_done}/{self.num_total} replies",
            f"{self.num_cached} from the ledger",
            f"{self.calls_per_second:.1f} calls/s",
        ]
        parts += [f"{self.num_in_batches:,} wait in batches"] if self.num_in_batches else []
        parts += [f"{tokens:,} tokens"] if tokens else []
        parts += [f"{format_seconds(self.seconds_left)} left"] if self.seconds_left else []
        parts += [f"{self.num_failed} failed"] if self.num_failed else []
        parts += [f"${self.cost_usd:.2f}"] if self.cost_usd else []
        return ", ".join(parts)


def format_seconds(seconds: float) -> str:
    """Return a length of time in one or two units: `46 s`, `3 min`, `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class ProgressCounter:
    """Counts what is done. One thread counts, any other may read: each field is replaced whole."""

    def __init__(self, *, num_total: int, num_cached: int, report: Callable[[Progress], None] | None) -> None:
        self._num_total = num_total
        self._num_cached = num_cached
        self._report = report
        self._started = time.monotonic()
        self._num_calls = self._num_failed = self._prompt_tokens = self._completion_tokens = 0
        self._cost_usd = 0.0
        self._seen: deque[tuple[float, int]] = deque([(self._started, 0)])

    def count(self, reply: ChatReply | None) -> None:
        """Take note of a finished request."""
        if reply is None:
            self._num_failed += 1
            return
        self._num_calls += 1
        self._prompt_tokens += reply.prompt_tokens
        self._completion_tokens += reply.completion_tokens
        self._cost_usd += reply.cost_usd

    def show(self) -> None:
        """Report now."""
        if self._report is not None:
            self._report(self.read())

    def read(self) -> Progress:
        """Return how far the batch is."""
        now = time.monotonic()
        seconds = max(now - self._started, 1e-9)
        num_finished = self._num_calls + self._num_failed
        num_left = self._num_total - self._num_cached - num_finished
        pace = self._pace(now, num_finished)
        return Progress(
            num_done=self._num_cached + num_finished,
            num_total=self._num_total,
            num_cached=self._num_cached,
            num_failed=self._num_failed,
            calls_per_second=self._num_calls / seconds,
            cost_usd=self._cost_usd,
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._completion_tokens,
            tokens_per_second=(self._prompt_tokens + self._completion_tokens) / seconds,
            seconds_left=num_left / pace if num_left and pace else None,
        )

    def _pace(self, now: float, num_finished: int) -> float:
        """Return how many requests a second came to an end lately."""
        self._seen.append((now, num_finished))
        while len(self._seen) > 2 and self._seen[1][0] < now - RATE_SECONDS:
            self._seen.popleft()
        began, num_then = self._seen[0]
        return (num_finished - num_then) / max(now - began, 1e-9)
