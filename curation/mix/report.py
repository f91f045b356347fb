"""What a mix holds, by source and by task, for the asset's metadata and the data card.

report = describe(rows, sizes, replay_keys)
report.num_tokens, report.replay_share, report.by_source["faq"].share       120_400, 0.0501, 0.249
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from curation.records import source_of


@dataclass(frozen=True, kw_only=True, slots=True)
class SliceCount:
    """Rows and tokens of one source or task in the mix."""

    num_rows: int
    num_distinct: int
    """Rows without their repetitions."""
    num_tokens: int
    share: float
    """Share of the tokens of the whole mix, replay included."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MixReport:
    """What a mix holds."""

    num_rows: int
    num_distinct: int
    num_left_out: int
    num_tokens: int
    tokens_are_estimated: bool
    """True if tokens are characters / 4, because no tokenizer was passed in."""
    num_replay_rows: int
    num_replay_tokens: int
    replay_share: float
    """Share of the tokens, as reached."""
    wanted_replay_share: float
    by_source: dict[str, SliceCount]
    """Sorted by name."""
    by_task: dict[str, SliceCount]

    def sentence(self) -> str:
        """Say it in one sentence."""
        counted = "estimated as characters / 4" if self.tokens_are_estimated else "counted"
        return (
            f"{self.num_rows:,} rows ({self.num_distinct:,} different) with {self.num_tokens:,} tokens ({counted}), "
            f"{self.replay_share:.2%} of them replay; {self.num_left_out:,} rows are left out."
        )


def count_slices(
    rows: Sequence[Any], sizes: Sequence[int], name_of: Callable[[Any], str], key_of: Callable[[str], str]
) -> dict[str, SliceCount]:
    """Count rows, different rows and tokens by `name_of`; `key_of` maps the key of a repetition to that of its row."""
    tokens: dict[str, int] = {}
    keys: dict[str, list[str]] = {}
    for row, size in zip(rows, sizes, strict=True):
        name = name_of(row)
        tokens[name] = tokens.get(name, 0) + size
        keys.setdefault(name, []).append(key_of(row.key))
    total = max(1, sum(tokens.values()))
    return {
        name: SliceCount(
            num_rows=len(keys[name]),
            num_distinct=len(set(keys[name])),
            num_tokens=tokens[name],
            share=tokens[name] / total,
        )
        for name in sorted(tokens)
    }


def by_source(rows: Sequence[Any], sizes: Sequence[int], key_of: Callable[[str], str]) -> dict[str, SliceCount]:
    """Count by the first part of the key."""
    return count_slices(rows, sizes, lambda row: source_of(row.key), key_of)


def by_task(rows: Sequence[Any], sizes: Sequence[int], key_of: Callable[[str], str]) -> dict[str, SliceCount]:
    """Count by task."""
    return count_slices(rows, sizes, lambda row: str(row.task), key_of)
