"""Tells a bad request from a bad endpoint, by what came back of late.

health = EndpointHealth()
health.note_failure(has_contact=False)
health.may_begin(num_sending=3, num_waiting=8, concurrency=100)      # whether to start one more request
"""

import time

FAILURES_UNTIL_UNREACHABLE = 3
"""Requests that fail in a row without contact to the endpoint before the rest is given up; one if there never was any."""
SILENCES_UNTIL_UNREACHABLE = 20
"""The same for requests to which a connection was made and nothing came back: some texts make a server hang."""
FAILURES_UNTIL_OUTAGE = 5
"""Attempts that fail in a row before the endpoint is taken to be failing, and not single requests."""
WAITING_PER_PLACE = 4
"""Requests that may wait for their next attempt, for each that may be in flight."""


class EndpointHealth:
    """What one batch knows of its endpoint."""

    def __init__(self) -> None:
        self.has_had_contact = False
        self.last_success = time.monotonic()
        self._num_failed_in_row = 0
        self._num_lost_in_row = 0
        self._num_lost_requests = self._num_silent_requests = 0

    def note_answer(self) -> None:
        """Take note of an answer that can be used."""
        self.note_contact()
        self.last_success = time.monotonic()
        self._num_failed_in_row = 0

    def note_contact(self) -> None:
        """Take note of an answer of any kind."""
        self.has_had_contact = True
        self._num_lost_in_row = self._num_lost_requests = self._num_silent_requests = 0

    def note_failure(self, *, has_contact: bool, is_silent: bool = False) -> None:
        """Take note of an attempt that failed: without a connection, without an answer over it, or with a bad answer."""
        self._num_failed_in_row += 1
        if not has_contact:
            self._num_lost_in_row += 1
        elif not is_silent:
            self.note_contact()

    def is_unreachable_after(self, *, has_contact: bool, is_silent: bool = False) -> bool:
        """Take note of a request that failed for good, and tell whether there is no point in going on."""
        if has_contact and not is_silent:
            return False
        self._num_lost_requests += not has_contact
        self._num_silent_requests += is_silent
        is_gone = self._num_lost_requests >= FAILURES_UNTIL_UNREACHABLE
        return is_gone or not self.has_had_contact or self._num_silent_requests >= SILENCES_UNTIL_UNREACHABLE

    def may_begin(self, *, num_sending: int, num_waiting: int, concurrency: int) -> bool:
        """Tell whether one more request may be begun.

        Requests that wait for their next attempt take no place, unless the endpoint fails altogether: then they keep it, so
        that an outage uses up the attempts of few requests. Without contact, one request at a time is begun.
        """
        if self._num_lost_in_row >= (FAILURES_UNTIL_UNREACHABLE if self.has_had_contact else 1):
            return num_sending + num_waiting == 0
        if self._num_failed_in_row >= FAILURES_UNTIL_OUTAGE:
            return num_sending + num_waiting < concurrency
        return num_sending < concurrency and num_waiting < WAITING_PER_PLACE * concurrency
