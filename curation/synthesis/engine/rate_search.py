"""Finds a limit that nobody discloses: goes up until refusals come, then stays just below where they came.

    rate = LimitSearch(40.0, longest=1e5)
    rate.grow(factor)        what was allowed was used up, and answered
    rate.shrink()            it was too much

Above a refused value the search follows the curve of CUBIC (RFC 9438): quickly back to where refusals came, flat around
it, then ever faster beyond. Its clock is the number of replies and not seconds, so that the share of refused requests is the
same at one request a second and at a thousand: about one in `REPLIES_PER_CYCLE`.
"""

FIRST_CUT = 0.03
DEEPEST_CUT = 0.5
LANDING_CUT = 0.15
FAST_SPEED = 4.0
"""How many replies one reply counts for after a deep cut, when the limit is known only roughly; squared after the deepest."""
REPLIES_PER_CYCLE = 400
"""Replies until the search is back where it was refused."""


class LimitSearch:
    """A value that grows with replies and shrinks with refusals. Not thread-safe: its owner holds a lock."""

    def __init__(self, value: float, *, longest: float, smallest: float = 0.0) -> None:
        self.value = value
        self.is_found = False
        """Whether refusals have come, so that the limit is known roughly."""
        self._largest, self._smallest = longest, smallest
        self._refused_at = value
        self._cut = FIRST_CUT
        self._num_replies = 0.0
        self._speed = 1.0

    def grow(self, factor: float, share: float = 1.0) -> None:
        """Go up after a reply: by `factor` as long as nothing was refused, along the curve afterwards.

        Args:
            factor: growth before the first refusal, and the largest growth afterwards.
            share: part of all replies of the endpoint that this process sees; each then counts for more.
        """
        if not self.is_found:
            self.value = min(self.value * factor, self._largest)
            return
        self._num_replies += self._speed / share
        distance = self._num_replies / REPLIES_PER_CYCLE - 1
        self.value = self._within(min(self._refused_at * (1 + self._cut * distance**3), self.value * factor))

    def shrink(self, most: float = float("inf"), *, is_deeper: bool = True) -> None:
        """Go down after a refusal, the further the sooner it comes after the last one (unless it says nothing new).

        Args:
            most: what is known to be enough.
            is_deeper: whether a refusal soon after the last one says that the limit lies deeper.
        """
        is_soon = self.is_found and self._num_replies < REPLIES_PER_CYCLE / 4
        if is_soon and not is_deeper:
            return
        self._cut = min(self._cut * 2, DEEPEST_CUT) if is_soon else FIRST_CUT
        self._start_curve(min(self.value, most))

    def land(self, estimate: float) -> None:
        """Go down to below an estimate of the limit."""
        self._cut = LANDING_CUT
        self._start_curve(min(self.value, estimate))

    def settle(self, estimate: float) -> None:
        """Correct what was refused, downwards, once it is known what got through before the refusals."""
        if estimate < self._refused_at:
            self._refused_at = estimate
            self.value = self._within(min(self.value, estimate * (1 - self._cut)))

    def hold(self) -> None:
        """Stay here, and go on along the curve: another limit was what requests were refused for."""
        if not self.is_found:
            self.is_found, self._refused_at = True, self.value
            self._num_replies, self._speed = REPLIES_PER_CYCLE, FAST_SPEED

    def adopt(self, value: float, *, is_found: bool) -> None:
        """Take over what another process has found."""
        if is_found and not self.is_found:
            self._cut = FIRST_CUT
            self._start_curve(value / (1 - self._cut))
        elif self.is_found and self.value > 0:
            self._refused_at *= value / self.value
        self.value = self._within(value)

    def _start_curve(self, refused_at: float) -> None:
        self.is_found = True
        self._refused_at = refused_at
        self._num_replies = 0.0
        self._speed = 1.0 if self._cut < LANDING_CUT else FAST_SPEED if self._cut < DEEPEST_CUT / 2 else FAST_SPEED**2
        self.value = self._within(refused_at * (1 - self._cut))

    def _within(self, value: float) -> float:
        return min(max(value, self._smallest), self._largest)
