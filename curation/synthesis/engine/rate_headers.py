"""What an endpoint says about its own limits in the headers of a reply.

    headers = {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59", "x-ratelimit-reset-requests": "1s"}
    read_limits(headers)
    {"requests": Limit(limit=60.0, remaining=59.0, reset_seconds=1.0)}

The format is OpenAI's (guides/rate-limits, "Rate limits in headers"): one set of three headers each for `requests` and
`tokens`; `reset` is the time until the allowance is full again, written as `6m0s`, `20ms`, `1h2m3.5s` or plain seconds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

KINDS = ("requests", "tokens")
_UNIT_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "\u00b5s": 1e-6, "ns": 1e-9, "d": 86_400.0}
_PART = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)(ms|us|\u00b5s|ns|d|h|m|s)")
_NUMBER = re.compile(r"\d{1,15}(\.\d{1,12})?")
BURST_SECONDS = 5.0
"""How much of a limit by the minute may be used at once, as seconds of it."""
LONGEST_RESET_SECONDS = 7 * 86_400.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """One allowance as an endpoint describes it."""

    limit: float
    """Most that may be used at once; it fills up again over time."""
    remaining: float
    reset_seconds: float
    """Time until nothing of it is used any more."""


def parse_duration(text: str) -> float | None:
    """Return the seconds of `6m0s`, `20ms` or `12.5`; None for anything else."""
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return min(float(text), LONGEST_RESET_SECONDS)
    parts = list(_PART.finditer(text))
    if not parts or "".join(part.group() for part in parts) != text:
        return None
    return min(sum(float(part[1]) * _UNIT_SECONDS[part[2]] for part in parts), LONGEST_RESET_SECONDS)


def read_limits(headers: Mapping[str, str]) -> dict[str, Limit]:
    """Return the limits that are described completely and make sense, by kind."""
    limits = {}
    for kind in KINDS:
        limit, remaining = (_number(headers.get(f"x-ratelimit-{name}-{kind}", "")) for name in ("limit", "remaining"))
        reset = parse_duration(headers.get(f"x-ratelimit-reset-{kind}", ""))
        if limit and remaining is not None and reset is not None and remaining <= limit:
            limits[kind] = Limit(limit=limit, remaining=remaining, reset_seconds=reset)
    return limits


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text.strip()) else None


class DisclosedBucket:
    """A token bucket that is set by what an endpoint says of itself. Not thread-safe: its owner holds a lock."""

    def __init__(self) -> None:
        self._level = self._limit = float("inf")
        self._per_second = 0.0
        self._updated = 0.0

    def learn(self, limit: Limit, *, in_flight: float, now: float) -> None:
        """Take over what a reply says; `in_flight` may not have been counted by the endpoint yet."""
        used = limit.limit - limit.remaining
        if used > 0 and limit.reset_seconds > 0:
            self._per_second = used / limit.reset_seconds
        self._limit = limit.limit
        self._level = limit.remaining - in_flight
        self._updated = now

    def seconds_until(self, amount: float, now: float) -> float:
        """Return how long to wait until an amount may be used; more than the whole limit counts as the whole limit."""
        self._refill(now)
        missing = min(amount, self._limit) - self._level
        if missing <= 0 or self._per_second == 0:
            return 0.0
        return missing / self._per_second

    def use(self, amount: float) -> None:
        """Take an amount out."""
        self._level -= amount

    def _refill(self, now: float) -> None:
        if self._per_second:
            self._level = min(self._limit, self._level + (now - self._updated) * self._per_second)
        self._updated = now


class KnownAllowance:
    """A token bucket for a limit by the minute that the recipe states. Not thread-safe: its owner holds a lock."""

    def __init__(self, per_minute: float) -> None:
        self._per_second = per_minute / 60
        self._most = self._level = per_minute / 60 * BURST_SECONDS
        self._updated: float | None = None

    def seconds_until(self, amount: float, now: float, share: float) -> float:
        """Return how long to wait until an amount may be used, when a share of the allowance is this process's."""
        passed = now - (self._updated if self._updated is not None else now)
        self._level = min(self._most, self._level + passed * self._per_second * share)
        self._updated = now
        return max(min(amount, self._most) - self._level, 0.0) / (self._per_second * share)

    def use(self, amount: float) -> None:
        """Take an amount out; what was reserved and not used is put back as a negative amount."""
        self._level -= amount
