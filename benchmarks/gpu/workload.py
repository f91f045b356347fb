"""Rows as instruction data have them: lengths log-normal around 420 tokens, clipped to 16..4096, ids at random."""

import math
import random
from collections.abc import Iterator
from typing import Any

from training.packing import PackedRows, plan_packs


def draw_lengths(num_rows: int, *, longest: int = 4096, seed: int = 0) -> list[int]:
    """Return lengths in tokens."""
    rng = random.Random(seed)
    return [max(16, min(longest, int(rng.lognormvariate(math.log(420), 0.8)))) for _ in range(num_rows)]


def draw_rows(lengths: list[int], vocab_size: int, *, seed: int = 0) -> list[list[int]]:
    """Return rows of token ids."""
    import numpy as np

    rng = np.random.default_rng(seed)
    return [rng.integers(0, vocab_size, length).tolist() for length in lengths]


def draw_packs(vocab_size: int, *, budget: int, num_packs: int, longest: int = 4096, seed: int = 0) -> PackedRows:
    """Return at least `num_packs` micro-batches of all-learnt rows, packed as training packs them."""
    lengths = draw_lengths(max(64, num_packs * budget // 350), longest=min(longest, budget), seed=seed)
    rows = draw_rows(lengths, vocab_size, seed=seed)
    plan = plan_packs(lengths, budget=budget, num_rows=len(rows), seed=seed)
    assert len(plan.packs) >= num_packs
    fullest = sorted(range(len(plan.packs)), key=lambda number: -plan.tokens[number])[:num_packs]
    return PackedRows(rows, rows, [plan.packs[number] for number in sorted(fullest)])


def to_device(batch: dict[str, Any], device: str) -> dict[str, Any]:
    """Return a batch with its tensors on a device."""
    return {name: value.to(device, non_blocking=True) if hasattr(value, "to") else value for name, value in batch.items()}


def lengths_in(packs: PackedRows, first: int, last: int) -> Iterator[int]:
    """Yield the lengths of the rows of some micro-batches."""
    for number in range(first, last):
        offsets = packs[number]["cu_seq_lens_q"].tolist()
        yield from (end - start for start, end in zip(offsets, offsets[1:], strict=False))
