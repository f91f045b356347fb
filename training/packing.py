"""Rows packed into micro-batches of a token budget: nothing is cut, nothing is dropped, nothing is padding.

plan = plan_packs(lengths, budget=8192, num_rows=len(lengths) * epochs, group=accumulation * processes, seed=0)
rows = PackedRows(columns, plan.packs)      # a data set of one item a micro-batch, in the order of training
rows[0]["input_ids"].shape                  # [1, tokens]

The whole run is laid out before it starts, so a run that was interrupted goes on with exactly the pack that was next.
"""

import bisect
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from curation.config import check

IGNORED = -100
"""Label of a token that is not learnt."""


@dataclass(frozen=True)
class PackPlan:
    """Which rows make up each micro-batch of a run."""

    packs: tuple[tuple[int, ...], ...]
    """Row numbers of each micro-batch, in the order of training."""
    lengths: tuple[int, ...]
    """Tokens of each row."""
    budget: int

    @property
    def tokens(self) -> list[int]:
        """Tokens of each micro-batch."""
        return [sum(self.lengths[row] for row in pack) for pack in self.packs]

    @property
    def fill(self) -> float:
        """Share of the budget that is used."""
        return sum(self.tokens) / max(1, len(self.packs) * self.budget)

    def tokens_through(self, num_packs: int) -> int:
        """Tokens of the first micro-batches: what training has seen, known without asking the GPU."""
        return sum(self.tokens[:num_packs])


def plan_packs(lengths: Sequence[int], *, budget: int, num_rows: int, group: int = 1, seed: int = 0) -> PackPlan:
    """Lay out a run of `num_rows` rows: every row once an epoch, each epoch packed by itself and shuffled.

    Args:
        lengths: tokens of each row, 1 to budget.
        budget: most tokens of a micro-batch.
        num_rows: rows of the run; more than there are begin a new epoch, the last may be part of one.
        group: micro-batches of one optimizer step over all processes. The packs of an epoch are made a multiple of it, by
            moving rows into packs of their own; an epoch with too few rows for that keeps the number that it has.
        seed: of the order.

    Raises:
        ConfigError: if a row is longer than the budget.
    """
    longest = max(lengths, default=0)
    check(longest <= budget, "training.tokens_per_batch", f"is below the longest row ({longest} tokens)", budget)
    check(
        min(lengths, default=1) >= 1 and group >= 1,
        "training.packing",
        "needs rows of at least one token",
        min(lengths, default=0),
    )
    rng = random.Random(seed)  # noqa: S311 - an order, not a secret
    packs: list[tuple[int, ...]] = []
    remaining = num_rows if lengths else 0
    while remaining > 0:
        rows = list(range(len(lengths)))
        rng.shuffle(rows)
        rows = rows[:remaining]
        remaining -= len(rows)
        epoch = fill_group(fit_rows(rows, lengths, budget), group)
        rng.shuffle(epoch)
        packs.extend(tuple(pack) for pack in epoch)
    return PackPlan(tuple(packs), tuple(lengths), budget)


def plan_run(
    lengths: Sequence[int], *, budget: int, group: int, epochs: float | None, max_steps: int | None, seed: int
) -> PackPlan:
    """Lay out a run of so many epochs, or of exactly so many steps of `group` micro-batches. Raises ConfigError."""
    if max_steps is None:
        num_rows = max(1, round(len(lengths) * (epochs or 1.0)))
        return plan_packs(lengths, budget=budget, num_rows=num_rows, group=group, seed=seed)
    wanted, num_epochs = max_steps * group, 1
    while True:
        plan = plan_packs(lengths, budget=budget, num_rows=num_epochs * len(lengths), group=group, seed=seed)
        if len(plan.packs) >= wanted:
            return PackPlan(plan.packs[:wanted], plan.lengths, plan.budget)
        num_epochs = max(num_epochs + 1, -(-wanted * num_epochs // len(plan.packs)))


def fit_rows(rows: Sequence[int], lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Return packs of at most `budget` tokens by best fit, longest row first (within 11/9 of the fewest packs possible).

    Rows of one length keep the order given, so that a shuffle before changes who shares a pack.
    """
    packs: list[list[int]] = []
    room: list[int] = []  # free tokens that some pack has, ascending
    open_packs: dict[int, list[int]] = {}  # free tokens -> packs
    for row in sorted(rows, key=lambda row: -lengths[row]):
        size = lengths[row]
        at = bisect.bisect_left(room, size)
        if at < len(room):
            free = room[at]
            number = open_packs[free].pop()
            if not open_packs[free]:
                del open_packs[free], room[at]
        else:
            free, number = budget, len(packs)
            packs.append([])
        packs[number].append(row)
        if free > size:
            if free - size not in open_packs:
                bisect.insort(room, free - size)
            open_packs.setdefault(free - size, []).append(number)
    return packs


def fill_group(packs: list[list[int]], group: int) -> list[list[int]]:
    """Split packs until their number is a multiple of `group`, those of the most rows first; no row is split or lost."""
    packs = [list(pack) for pack in packs]
    missing = -len(packs) % group
    if missing > sum(len(pack) - 1 for pack in packs):
        return packs
    for _ in range(missing):
        fullest = max(packs, key=len)
        half = len(fullest) // 2
        packs.append(fullest[half:])
        del fullest[half:]
    return packs


class PackedRows:
    """Micro-batches as tensors, made when they are asked for: a data set for a loader with batches of one item.

    Args:
        input_ids: tokens of each row.
        labels: what is learnt of each row, with IGNORED for what is not.
        packs: row numbers of each micro-batch.
    """

    def __init__(
        self, input_ids: Sequence[Sequence[int]], labels: Sequence[Sequence[int]], packs: Sequence[Sequence[int]]
    ) -> None:
        import numpy as np

        self._offsets = np.concatenate([[0], np.cumsum([len(row) for row in input_ids])]).astype(np.int64)
        self._ids = _flat(input_ids)
        self._labels = _flat(labels)
        self._labels[self._offsets[:-1][np.diff(self._offsets) > 0]] = IGNORED  # the first token of a row follows on nothing
        self._packs = packs

    def __len__(self) -> int:
        return len(self._packs)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return one micro-batch; see `pack_rows`."""
        if not 0 <= number < len(self._packs):
            raise IndexError(number)
        spans = [slice(self._offsets[row], self._offsets[row + 1]) for row in self._packs[number]]
        return pack_rows([self._ids[span] for span in spans], [self._labels[span] for span in spans])


def pack_rows(input_ids: Sequence[Any], labels: Sequence[Any]) -> dict[str, Any]:
    """Return one row [1, tokens] of several, as a model takes it.

    Beside ids, labels and positions that start anew it holds the boundaries (see varlen_attention.py) and, so that no step
    has to ask the GPU which tokens are learnt, `learnt` [learnt tokens], the places whose next token is learnt, and
    `targets`, those next tokens.
    """
    import numpy as np
    import torch

    lengths = [len(row) for row in input_ids]
    ids, label = np.concatenate(input_ids), np.concatenate(labels).copy()
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    label[offsets[:-1]] = IGNORED
    learnt = np.flatnonzero(label[1:] != IGNORED)
    positions = np.arange(len(ids)) - np.repeat(offsets[:-1], lengths)
    cut = torch.from_numpy(offsets)
    return {
        "input_ids": torch.from_numpy(ids.astype(np.int64))[None],
        "labels": torch.from_numpy(label.astype(np.int64))[None],
        "position_ids": torch.from_numpy(positions.astype(np.int64))[None],
        "learnt": torch.from_numpy(learnt.astype(np.int64)),
        "targets": torch.from_numpy(label[1:][learnt].astype(np.int64)),
        "cu_seq_lens_q": cut,
        "cu_seq_lens_k": cut,
        "max_length_q": max(lengths),
        "max_length_k": max(lengths),
    }


def take_pack(items: list[dict[str, Any]]) -> dict[str, Any]:
    """Collate a batch of one packed item. Raises ValueError for several: they are packed already."""
    if len(items) != 1:
        raise ValueError(f"a loader of packs takes one at a time, not {len(items)}")
    return items[0]


def _flat(rows: Sequence[Sequence[int]]) -> Any:
    import numpy as np

    return np.fromiter((token for row in rows for token in row), dtype=np.int32, count=sum(map(len, rows)))
