"""What happens when the memory runs out all the same: half the micro-batch, twice the accumulation, the same training.

    batching = read_batching(work, fingerprint, Batching(batch_size=8, accumulation=2))
    done = train_within_memory(batching, attempt, stage="sft", remember=..., say=print)
    # attempt(Batching(8, 2)), attempt(Batching(4, 4)), attempt(Batching(2, 8)), ...

The effective batch never changes, unlike with `auto_find_batch_size` of transformers, which leaves accumulation as it is. The
rows of each optimizer step stay the same, so an attempt goes on from the last checkpoint of the one before.
"""

import contextlib
import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from curation.errors import MemoryExhaustedError
from curation.files import write_atomically

T = TypeVar("T")

FILE = "batching.json"
SIGNS = (
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
)
"""How torch and the libraries below it say that memory ran out, where they have no class for it."""


class Batching(NamedTuple):
    """How an effective batch is cut on one device."""

    batch_size: int
    """Rows that go through the model at once."""
    accumulation: int
    """Of these, how many make an optimizer step."""

    @property
    def effective(self) -> int:
        """Rows of an optimizer step."""
        return self.batch_size * self.accumulation


def halve(batching: Batching, *, smallest: int = 1) -> Batching | None:
    """Return the next smaller batching with the same effective batch: the largest proper divisor; None below `smallest`."""
    if batching.batch_size == 1:
        return None
    factor = next(number for number in range(2, batching.batch_size + 1) if batching.batch_size % number == 0)
    smaller = Batching(batching.batch_size // factor, batching.accumulation * factor)
    return smaller if smaller.batch_size >= smallest else None


def is_out_of_memory(error: BaseException | None) -> bool:
    """Tell whether an error, or what caused it, is that the device has no memory left."""
    while error is not None:
        if type(error).__name__ == "OutOfMemoryError" or any(sign in str(error) for sign in SIGNS):
            return isinstance(error, (RuntimeError, MemoryError))
        error = error.__cause__
    return False


def release_memory() -> None:
    """Free what a failed attempt left, and give the allocator's reserve back to the device."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def train_within_memory(
    batching: Batching,
    attempt: Callable[[Batching], T],
    *,
    stage: str,
    remember: Callable[[Batching], None],
    say: Callable[[str], None],
    smallest: int = 1,
    release: Callable[[], None] = release_memory,
) -> T:
    """Train with smaller and smaller micro-batches until it fits.

    Args:
        batching: the first to try.
        attempt: trains; called again after it ran out of memory, it goes on from the last checkpoint or begins anew.
        stage: named in the error.
        remember: writes down a batching before it is tried, so that an interrupted run goes on with it.
        say: tells people.
        smallest: fewest rows that the method can compare.
        release: frees what a failed attempt left.

    Raises:
        MemoryExhaustedError: if the smallest micro-batch is too much.
    """
    while True:
        try:
            return attempt(batching)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            reason = " ".join(str(error).split())[:200]
        release()  # out here the frames of the attempt, and what they held, are gone
        smaller = halve(batching, smallest=smallest)
        if smaller is None:
            raise MemoryExhaustedError(stage=stage, batch_size=batching.batch_size, reason=reason)
        remember(smaller)
        say(
            f"out of memory at {batching.batch_size} x {batching.accumulation}; going on with micro-batches of "
            f"{smaller.batch_size}, {smaller.accumulation} times a step: the effective batch stays {smaller.effective}"
        )
        batching = smaller


def write_batching(work: Path, fingerprint: str, batching: Batching) -> None:
    """Write down which batching fits, for the run with this fingerprint. Raises OSError."""
    values = {"fingerprint": fingerprint, **batching._asdict()}
    write_atomically(work / FILE, json.dumps(values, sort_keys=True).encode())


def read_batching(work: Path, fingerprint: str, configured: Batching) -> Batching:
    """Return what an earlier attempt of the same run found to fit, or the configured batching."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        values = json.loads((work / FILE).read_bytes())
        found = Batching(int(values["batch_size"]), int(values["accumulation"]))
        if values["fingerprint"] == fingerprint and found.batch_size >= 1 and found.effective == configured.effective:
            return found
    return configured
