"""The rows that a model is trained on: the best of them, in the proportions of the recipe.

chosen = choose_training_rows(examples, SelectionConfig(keep=1000), MixConfig(replay_share=0.05, replay_sources=("general",)))
len(chosen.rows) == len(examples) - len(chosen.rejections) + chosen.num_repeats
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from curation.mix.config import MixConfig, SelectionConfig
from curation.mix.mixing import mix_rows
from curation.mix.report import MixReport
from curation.mix.selection import select_best
from curation.records import Record, Rejection, source_of

R = TypeVar("R", bound=Record)
_REPEAT = re.compile(r"@\d+$")


@dataclass(frozen=True, kw_only=True)
class TrainingRows(Generic[R]):
    """What is trained on, what is not, and how the mix is made up."""

    rows: tuple[R, ...]
    """Sorted by key; a repeated row has the key `KEY@2`."""
    rejections: tuple[Rejection, ...]
    num_repeats: int
    report: MixReport


def choose_training_rows(
    rows: Sequence[R], selection: SelectionConfig, mix: MixConfig, *, stage: str = "sft_dataset"
) -> TrainingRows[R]:
    """Select the best rows (replay is not selected, only sized) and mix them.

    Raises:
        MixError: if the mix cannot be made: a weight without rows, too few replay rows.
    """
    replay = [row for row in rows if source_of(row.key) in mix.replay_sources]
    candidates = [row for row in rows if source_of(row.key) not in mix.replay_sources]
    rejections: list[Rejection] = []
    if selection.keep is not None:
        selected = select_best(candidates, selection, stage=stage)
        candidates = list(selected.kept)
        rejections += selected.rejections
    mixed = mix_rows([*candidates, *replay], mix, stage=stage)
    rejections += mixed.rejections
    return TrainingRows(
        rows=mixed.rows,
        rejections=tuple(sorted(rejections, key=lambda item: (item.key, item.reason))),
        num_repeats=mixed.report.num_rows - mixed.report.num_distinct,
        report=mixed.report,
    )


def without_repeat(row: Any) -> Any:
    """Return the row that a repeated row (`KEY@2`) stands for, or None if its key has no such ending."""
    key = _REPEAT.sub("", row.key)
    return replace(row, key=key) if key != row.key else None
