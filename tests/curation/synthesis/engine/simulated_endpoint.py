"""An endpoint with a cap and a client with a `RateControl`, both in simulated time: 5,000 requests take a second.

run = simulate(window(100), num_requests=5000)
run.per_second, run.share_limited
"""

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from curation.synthesis.engine.rate_control import Permit, RateControl

Cap = Callable[[float], bool]


def no_cap(_: float) -> bool:
    return True


def window(rate: float, seconds: float = 1.0) -> Cap:
    """Let so many requests a second through, counted in windows of the clock."""
    used: dict[int, int] = {}

    def allow(now: float) -> bool:
        at = int(now / seconds)
        used[at] = used.get(at, 0) + 1
        return used[at] <= rate * seconds

    return allow


def sliding(rate: float) -> Cap:
    """Let so many requests through in any second."""
    passed: deque[float] = deque()

    def allow(now: float) -> bool:
        while passed and passed[0] <= now - 1:
            passed.popleft()
        is_free = len(passed) < rate
        passed.extend([now] if is_free else [])
        return is_free

    return allow


def bucket(rate: float, burst: float) -> Cap:
    """Let so many requests a second through, and so many more that were not used before."""
    level, at = burst, 0.0

    def allow(now: float) -> bool:
        nonlocal level, at
        level, at = min(burst, level + (now - at) * rate), now
        is_free = level >= 1
        level -= is_free
        return is_free

    return allow


@dataclass(frozen=True)
class Run:
    """What came of a simulation."""

    num_done: int
    num_limited: int
    seconds: float
    most_in_flight: int

    @property
    def per_second(self) -> float:
        return self.num_done / self.seconds

    @property
    def share_limited(self) -> float:
        return self.num_limited / (self.num_done + self.num_limited)


def simulate(
    cap: Cap,
    *,
    num_requests: int,
    latency: float = 0.05,
    refusal_latency: float | None = None,
    concurrency: int = 100,
    seed: int = 0,
    retry_after: float = 0.0,
    change: tuple[float, Cap] | None = None,
    control: RateControl | None = None,
) -> Run:
    """Send requests as the scheduler does, until all are answered. Timers are up to 2 ms late, latencies vary by 10 %."""
    drawn = random.Random(seed)
    clock = [0.0]
    control = control or RateControl()
    control._clock = lambda: clock[0]
    order = itertools.count()
    events: list[tuple[float, int, Permit | None, bool]] = [(0.0, next(order), None, False)]
    num_left, num_done, num_limited, num_in_flight, most = num_requests, 0, 0, 0, 0
    planned = float("inf")
    while num_done < num_requests:
        moment, _, permit, is_allowed = heapq.heappop(events)
        clock[0] = max(clock[0], moment)
        if change is not None and clock[0] > change[0]:
            cap, change = change[1], None
        if permit is None:
            planned = float("inf")
        else:
            num_in_flight -= 1
            num_done += is_allowed
            num_limited += not is_allowed
            num_left += not is_allowed
            if is_allowed:
                control.succeed(permit)
            else:
                control.limit(permit, retry_after=retry_after)
        while num_left and num_in_flight < concurrency:
            given = control.try_start()
            if not isinstance(given, Permit):
                if clock[0] + given < planned:
                    planned = clock[0] + given
                    heapq.heappush(events, (planned + drawn.random() * 0.002, next(order), None, False))
                break
            num_left, num_in_flight = num_left - 1, num_in_flight + 1
            most = max(most, num_in_flight)
            passes = cap(clock[0] + latency / 2)
            seconds = latency if passes or refusal_latency is None else refusal_latency
            heapq.heappush(events, (clock[0] + seconds * (1 + 0.1 * drawn.random()), next(order), given, passes))
    return Run(num_done, num_limited, clock[0], most)
