"""How long to wait for a reply: as configured, and longer for an endpoint that turns out to be slow.

patience = Patience(seconds=60.0, longest=600.0)
patience.limit(num_timeouts=1)        # 120.0: an attempt that timed out is followed by one with twice the time
"""

from collections import deque

NUM_LATENCIES = 256
FEWEST_LATENCIES = 20
SLOW_FACTOR = 3.0
"""The limit is at least this often the time within which 99 % of replies came."""
REFRESH_EVERY = 32


class Patience:
    """The time limit of attempts at one endpoint; never below what is configured, never above the longest."""

    def __init__(self, *, seconds: float, longest: float) -> None:
        self._seconds, self._longest = seconds, max(seconds, longest)
        self._latencies: deque[float] = deque(maxlen=NUM_LATENCIES)
        self._num_seen = 0
        self._slow = 0.0

    def record(self, seconds: float) -> None:
        """Take note of how long a reply took."""
        self._latencies.append(seconds)
        self._num_seen += 1
        if len(self._latencies) >= FEWEST_LATENCIES and self._num_seen % REFRESH_EVERY in (0, FEWEST_LATENCIES):
            self._slow = sorted(self._latencies)[int(0.99 * (len(self._latencies) - 1))]

    def limit(self, num_timeouts: int) -> float:
        """Return the seconds that the next attempt at a request may take, after so many of it that timed out."""
        return min(max(self._seconds, SLOW_FACTOR * self._slow) * 2.0 ** min(num_timeouts, 20), self._longest)
