"""Python's cyclic garbage collector walks all objects again and again while many are made; here it waits until they are.

with collector_paused():
candidates = [Candidate(row, ...) for row in rows]
"""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Pause it for the time of a block (or, as a decorator, of a call); objects without cycles are freed all the same."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def relax_collector() -> None:
    """Leave what was made so far (modules, mostly) alone for ever, and look at what is made from now on less often."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
