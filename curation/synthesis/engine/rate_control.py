"""How fast an endpoint may be asked: one control for all who ask it, in whatever thread.

    control = RateControl(is_ramped=True)
    permit = control.try_start(tokens=700)           # a Permit, or the seconds to wait
    control.succeed(permit, headers)                 # or limit(permit, ...) after a 429, or release(permit)

It obeys what the endpoint says (Retry-After, the allowance in its headers) and finds out what it does not say: the rate and
the number of requests in flight go up until requests are refused and then stay just below (see `rate_search`). All moments
are those of `clock`, in seconds, so that tests can run it in simulated time.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from curation.synthesis.engine.rate_headers import KINDS, DisclosedBucket, KnownAllowance, read_limits
from curation.synthesis.engine.rate_search import LimitSearch

FIRST_RATE = 50.0
"""Requests a second at the start."""
FIRST_IN_FLIGHT = 10.0
DOUBLING_SECONDS = 0.7
"""Time in which the rate doubles until requests are refused for the first time."""
CAREFUL_SECONDS = 5.0
"""Least time in which it doubles afterwards."""
LARGEST_RATE = 1e5
FEWEST_SENT = 20
"""Requests from which on what got through says something about the limit."""
NO_LIMIT = 1e12
SMALLEST_RATE = 1 / 600
LARGEST_IN_FLIGHT = 4096.0
BURST_SECONDS = 0.01
"""How far ahead of an even pace requests may be: it makes up for late timers."""
MEMORY_SECONDS = 2.0
"""How long each sending is remembered."""
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 30.0
IDLE_WAIT_SECONDS = 0.05
"""Wait when only a finished request can make room; whoever finishes one in this process wakes the others."""


@dataclass(frozen=True, slots=True)
class Permit:
    """The leave to send one request."""

    started: float
    tokens: int
    is_rate_bound: bool
    """Whether the rate was what held requests back."""
    is_flight_bound: bool
    """Whether the number in flight was."""
    is_probe: bool


class RateControl:
    """The limits of one endpoint. Thread-safe."""

    def __init__(self, *, is_ramped: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.share = 1.0
        """Part of the rate and of the requests in flight that belongs to this process."""
        self.blocked_until = 0.0
        """When the endpoint's last Retry-After ends."""
        self.rate = LimitSearch(FIRST_RATE if is_ramped else LARGEST_RATE, longest=LARGEST_RATE, smallest=SMALLEST_RATE)
        self.flight = LimitSearch(FIRST_IN_FLIGHT if is_ramped else LARGEST_IN_FLIGHT, longest=LARGEST_IN_FLIGHT, smallest=1.0)
        self.num_in_flight = 0
        self.num_limited = 0
        """Refusals for going too fast, ever."""
        self._tokens_in_flight = 0
        self._buckets = {kind: DisclosedBucket() for kind in KINDS}
        self._known_rate = NO_LIMIT
        self._known_tokens: KnownAllowance | None = None
        self._next_send = 0.0
        self._last_cut = self._last_growth = float("-inf")
        self._last_success = self._first_refusal = float("-inf")
        """When the latest request that was let through was sent, and the first that was refused after it."""
        self._is_rate_bound = self._is_flight_bound = False
        self._sent: deque[float] = deque()
        """When the latest requests were sent that were not refused."""
        self._num_sent = 0
        """Requests sent and not refused since `_regime_start`."""
        self._regime_start: float | None = None
        """When requests began to flow: at first, or after a pause."""
        self._pause = 0.0
        """Time between probes; 0 unless the endpoint refuses everything."""
        self._is_probing = False

    def try_start(self, tokens: int = 0) -> Permit | float:
        """Return a permit, or the seconds after which to ask again."""
        with self._lock:
            now = self._clock()
            wait = self._seconds_to_wait(tokens, now)
            if wait > 0:
                return wait
            interval = 1 / (min(self.rate.value, self._known_rate) * self.share)
            self._next_send = max(self._next_send, now - max(BURST_SECONDS, interval)) + interval
            self._count_sent(now)
            self.num_in_flight += 1
            self._tokens_in_flight += tokens
            self._buckets["requests"].use(1)
            self._buckets["tokens"].use(tokens)
            if self._known_tokens is not None:
                self._known_tokens.use(tokens)
            permit = Permit(now, tokens, self._is_rate_bound, self._is_flight_bound, self._pause > 0)
            self._is_rate_bound = self._is_flight_bound = False
            self._is_probing = permit.is_probe
            return permit

    def _seconds_to_wait(self, tokens: int, now: float) -> float:
        if now < self.blocked_until:
            return self.blocked_until - now
        if self._pause and self._is_probing:
            return IDLE_WAIT_SECONDS
        if self.num_in_flight >= max(1.0, self.flight.value * self.share):
            self._is_flight_bound = True
            return IDLE_WAIT_SECONDS
        if now < self._next_send:
            self._is_rate_bound = True
            return self._next_send - now
        return max(
            self._buckets["requests"].seconds_until(1, now),
            self._buckets["tokens"].seconds_until(tokens, now) if tokens else 0.0,
            self._known_tokens.seconds_until(tokens, now, self.share) if self._known_tokens is not None else 0.0,
        )

    def declare(self, *, requests_per_minute: int | None, tokens_per_minute: int | None) -> None:
        """Never go faster than an endpoint is known to allow."""
        with self._lock:
            self._known_rate = (requests_per_minute or NO_LIMIT) / 60
            if tokens_per_minute:
                self._known_tokens = KnownAllowance(tokens_per_minute)

    def succeed(self, permit: Permit, headers: Mapping[str, str] | None = None, tokens: int = 0) -> None:
        """Take note of an answer that was no refusal for going too fast; it used so many tokens (0: unknown)."""
        with self._lock:
            now = self._finish(permit, headers)
            if self._known_tokens is not None and tokens:
                self._known_tokens.use(tokens - permit.tokens)
            self._last_success = max(self._last_success, permit.started)
            if permit.is_probe:
                self._resume(now)
            if permit.started < self._last_cut:
                return
            if permit.is_rate_bound:
                doubling = CAREFUL_SECONDS if self.rate.is_found else DOUBLING_SECONDS
                self.rate.grow(2.0 ** min((now - self._last_growth) / doubling, 0.5), self.share)
            if permit.is_flight_bound or not self.flight.is_found:
                self.flight.grow(1 + 0.5 / self.flight.value, self.share)
            self._last_growth = now

    def limit(self, permit: Permit, *, retry_after: float = 0.0, headers: Mapping[str, str] | None = None) -> None:
        """Take note of a refusal for going too fast (HTTP 429); `retry_after` holds for the whole endpoint."""
        with self._lock:
            now = self._finish(permit, headers)
            self.num_limited += 1
            self._num_sent -= 1
            if self._sent and permit.started >= self._sent[0]:
                self._sent.remove(permit.started)
            if self._first_refusal < self._last_success:
                self._first_refusal = permit.started
            if retry_after > 0:
                self.blocked_until = max(self.blocked_until, now + retry_after)
            if permit.is_probe:
                self._pause = min(self._pause * 1.5, LONGEST_PAUSE_SECONDS)
                self._next_send = max(self._next_send, now + self._pause)
            elif permit.started >= self._last_cut:
                self._cut(permit, now)

    def _cut(self, permit: Permit, now: float) -> None:
        """Slow down; refusals of what was sent before this moment say nothing new."""
        is_first = not self.rate.is_found
        is_again = not any(sent > self._last_cut + now - permit.started for sent in self._sent)
        is_shut = self._last_success <= self._last_cut
        """Whether nothing was let through since the last cut: an allowance is used up, and the limit need not be lower."""
        recent = self._recent_rate(now) / self.share
        if is_first:
            self.rate.land(recent if len(self._sent) >= FEWEST_SENT else self.rate.value / 2)
        elif permit.is_rate_bound or not permit.is_flight_bound:
            self.rate.shrink(float("inf") if permit.is_rate_bound else 1.1 * recent, is_deeper=not is_shut)
        if permit.is_flight_bound:
            self.flight.shrink((self.num_in_flight + 1) / self.share)
        self.flight.hold()
        if is_first or is_again or is_shut:
            self._pause = max(FIRST_PAUSE_SECONDS, 2 * (now - permit.started))
            self._next_send = now + self._pause / 2
        self._last_cut = now

    def _resume(self, now: float) -> None:
        """Go on after a pause, about as fast as requests were let through before it.

        Up to the first refusal that is too many where an allowance is counted by the clock, up to now it is too few.
        """
        if self._regime_start is not None and now - self._regime_start > MEMORY_SECONDS / 2:
            lately = [
                (self._num_sent_in(self._first_refusal - span, span) + self._num_sent_in(now - span, span)) / 2 / span
                for span in (MEMORY_SECONDS / 2, MEMORY_SECONDS)
                if self._sent[0] <= self._first_refusal - span
            ]
            self.rate.settle(max(*lately, self._num_sent / (now - self._regime_start), SMALLEST_RATE) / self.share)
        self._pause = 0.0
        self._next_send = now
        self._num_sent, self._regime_start = 0, now

    def _num_sent_in(self, start: float, seconds: float) -> int:
        return sum(start <= sent < start + seconds for sent in self._sent)

    def _count_sent(self, now: float) -> None:
        self._regime_start = now if self._regime_start is None else self._regime_start
        self._num_sent += 1
        self._sent.append(now)
        while self._sent[0] < now - MEMORY_SECONDS and len(self._sent) > 20:
            self._sent.popleft()

    def _recent_rate(self, now: float) -> float:
        """Requests a second that were let through in the last second."""
        if not self._sent:
            return 1.0
        began = max(self._sent[0], now - MEMORY_SECONDS / 2) if len(self._sent) > 20 else self._sent[0]
        return max(sum(sent >= began for sent in self._sent) / max(now - began, 0.05), SMALLEST_RATE)

    def release(self, permit: Permit, *, retry_after: float = 0.0) -> None:
        """Take note of a request that failed for another reason, or was never sent."""
        with self._lock:
            now = self._finish(permit, None)
            if retry_after > 0:
                self.blocked_until = max(self.blocked_until, now + retry_after)

    def block(self, seconds: float) -> None:
        """Send nothing for a time: another process was told to wait."""
        with self._lock:
            self.blocked_until = max(self.blocked_until, self._clock() + seconds)

    def _finish(self, permit: Permit, headers: Mapping[str, str] | None) -> float:
        now = self._clock()
        self.num_in_flight -= 1
        self._is_probing = self._is_probing and not permit.is_probe
        self._tokens_in_flight -= permit.tokens
        if headers:
            for kind, limit in read_limits(headers).items():
                in_flight = self.num_in_flight if kind == "requests" else self._tokens_in_flight
                self._buckets[kind].learn(limit, in_flight=in_flight, now=now)
        return now
