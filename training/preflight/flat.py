"""Many sequences of tokens as a few flat arrays, so that ten thousand rows are checked by a handful of operations.

flat = Flat.of_columns({"input_ids": [[1, 5, 2], [1, 2]], "labels": [[-100, 5, 2], [-100, 2]]})
flat.count(flat.is_trained)      array([2, 1]): learnt tokens of each sequence
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.chat_format import IGNORED

Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Flat:
    """Sequences one behind the other. A pair is two sequences of one row: all chosen ones, then all rejected ones."""

    ids: Numbers
    labels: Numbers
    starts: Numbers
    """Where sequences begin, and the end of the last: one more than there are sequences."""
    row_of: Numbers
    unfit: tuple[int, ...] = ()
    """Rows with another number of labels than tokens; missing ones are taken as masked."""

    @classmethod
    def of_columns(cls, columns: Mapping[str, Sequence[Any]]) -> "Flat":
        """Read the rows of a stage."""
        if "input_ids" in columns:
            return _of_labelled(columns["input_ids"], columns.get("labels", columns["input_ids"]))
        prompts = columns["prompt_ids"]
        answers = [columns[name] for name in ("chosen_ids", "rejected_ids", "completion_ids") if name in columns]
        if not answers:
            return _of_labelled(prompts, [[IGNORED] * len(prompt) for prompt in prompts])
        ids = [[*prompt, *answer] for part in answers for prompt, answer in zip(prompts, part, strict=True)]
        labels = [[*[IGNORED] * len(prompt), *answer] for part in answers for prompt, answer in zip(prompts, part, strict=True)]
        found = _of_labelled(ids, labels)
        return cls(ids=found.ids, labels=found.labels, starts=found.starts, row_of=found.row_of % max(1, len(prompts)))

    @cached_property
    def is_trained(self) -> Mask:
        """Which tokens are learnt."""
        return np.asarray(self.labels != IGNORED)

    @cached_property
    def lengths(self) -> Numbers:
        """Tokens of each sequence."""
        return np.diff(self.starts)

    @cached_property
    def places(self) -> Numbers:
        """Place of each token within its sequence."""
        return np.arange(len(self.ids)) - np.repeat(self.starts[:-1], self.lengths)

    def count(self, mask: Mask) -> Numbers:
        """Return how many tokens of each sequence are in the mask."""
        running = np.concatenate([[0], np.cumsum(mask)])
        return np.asarray(running[self.starts[1:]] - running[self.starts[:-1]], dtype=np.int64)

    def rows(self, sequences: Mask) -> list[int]:
        """Return the rows of sequences."""
        return [int(row) for row in np.unique(self.row_of[sequences])]

    def run_ends(self) -> Mask:
        """Return the last token of every stretch of learnt tokens."""
        is_last = np.zeros(len(self.ids), dtype=bool)
        is_last[self.starts[1:][self.lengths > 0] - 1] = True
        follows = np.append(self.is_trained[1:], False)
        return np.asarray(self.is_trained & (is_last | ~follows))

    def is_in(self, numbers: Sequence[int] | frozenset[int]) -> Mask:
        """Return which tokens are among some."""
        return np.isin(self.ids, np.fromiter(numbers, dtype=np.int64, count=len(numbers)))

    def part(self, rows: range) -> "Flat":
        """Return the sequences of neighbouring rows, with rows counted from the first of them."""
        per_answer = int(self.row_of.max()) + 1
        blocks = range(0, len(self.row_of), per_answer)
        spans = [slice(self.starts[block + rows.start], self.starts[block + rows.stop]) for block in blocks]
        lengths = np.concatenate([self.lengths[block + rows.start : block + rows.stop] for block in blocks])
        return Flat(
            ids=np.concatenate([self.ids[span] for span in spans]),
            labels=np.concatenate([self.labels[span] for span in spans]),
            starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            row_of=np.tile(np.arange(len(rows), dtype=np.int64), len(blocks)),
        )

    def sequence(self, number: int) -> tuple[Numbers, Mask]:
        """Return the tokens of a sequence and which of them are learnt."""
        span = slice(self.starts[number], self.starts[number + 1])
        return self.ids[span], self.is_trained[span]


def _of_labelled(ids: Sequence[Sequence[int]], labels: Sequence[Sequence[int]]) -> Flat:
    lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
    sizes = np.fromiter(map(len, labels), dtype=np.int64, count=len(labels))
    unfit = tuple(int(row) for row in np.flatnonzero(lengths != sizes))
    fitted = list(labels)
    for row in unfit:
        fitted[row] = [*labels[row], *[IGNORED] * len(ids[row])][: len(ids[row])]
    return Flat(
        ids=_join(ids, int(lengths.sum())),
        labels=_join(fitted, int(lengths.sum())),
        starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        row_of=np.arange(len(ids), dtype=np.int64),
        unfit=unfit,
    )


def _join(parts: Sequence[Sequence[int]], total: int) -> Numbers:
    return np.fromiter(chain.from_iterable(parts), dtype=np.int64, count=total)
