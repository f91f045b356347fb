"""A port for a server of a test that cannot ask for any free one itself: `port = free_port()`."""

import random
import socket

FIRST, LAST = 10_000, 30_000
"""Below the ports that systems hand out by themselves: no connection of another test takes one between look and use."""


def free_port(number: int = 1) -> int:
    """Return the first of so many neighbouring ports of this machine that nobody listens on."""
    for _ in range(1_000):
        first = random.SystemRandom().randrange(FIRST, LAST)
        if all(_is_free(first + offset) for offset in range(number)):
            return first
    raise AssertionError("no free port")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
