"""Scores of rows: built-in signals, or those of a scorer or a table, and the one number that they are ranked by.

scores = score_rows(rows, SelectionConfig())                   built-in signals
scores = score_rows(rows, config, {"complexity": ifd})         a scorer's complexity, built-in quality
scores.total                                                   quality ** quality_weight * complexity ** complexity_weight
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.errors import MissingScoresError, MixError
from curation.mix.config import SelectionConfig
from curation.mix.signals import complexity_signals, quality_signals

Floats = NDArray[np.float64]


class RowScorer(Protocol):
    """The seam for a model that scores rows: instruction-following difficulty (IFD), DEITA's scorers, a reward model.

    IFD above 1 means that the instruction misleads the model (arXiv:2308.12032): give such rows 0.
    """

    def score_rows(self, rows: Sequence[Any]) -> Sequence[float]:
        """Return one finite number of 0 or more a row, in order; larger is better (or more complex)."""


@dataclass(frozen=True, slots=True)
class TableScorer:
    """A scorer that looks scores up: a table with the columns `key` and `column`, made by a GPU job for instance."""

    table: pa.Table
    column: str

    def score_rows(self, rows: Sequence[Any]) -> list[float]:
        """Return the score of each row. Raises MissingScoresError, or MixError if the table has no such column."""
        absent = [name for name in ("key", self.column) if name not in self.table.column_names]
        if absent:
            raise MixError(problem=f"the table of scores has no column '{absent[0]}'; it has {self.table.column_names}.")
        found = dict(zip(self.table["key"].to_pylist(), self.table[self.column].to_pylist(), strict=True))
        missing = [row.key for row in rows if found.get(row.key) is None]
        if missing:
            raise MissingScoresError(missing=f"{len(missing):,}", rows=f"{len(rows):,}", key=min(missing))
        return [float(found[row.key]) for row in rows]


@dataclass(frozen=True, slots=True)
class RowScores:
    """Scores of rows, in their order: three arrays of one length."""

    quality: Floats
    complexity: Floats
    total: Floats


def score_rows(
    rows: Sequence[Any], config: SelectionConfig, scores: pa.Table | Mapping[str, RowScorer] | None = None
) -> RowScores:
    """Score rows by the given scorers (`quality`, `complexity`) or columns of a table, and by built-in signals otherwise.

    A scorer may use any scale from 0 up: the order by a product does not change when one factor is scaled. What has weight 0 is
    not computed and counts as 1.

    Raises:
        MissingScoresError: if a table lacks rows.
        MixError: if a score is negative or not finite, or a scorer returns another number of scores than rows.
    """
    scorers = _as_scorers(scores)
    weights = {"quality": config.quality_weight, "complexity": config.complexity_weight}
    built_in = {"quality": quality_signals, "complexity": complexity_signals}
    found: dict[str, Floats] = {}
    for name, weight in weights.items():
        if weight == 0 or not rows:
            found[name] = np.ones(len(rows))
        elif name in scorers:
            found[name] = _checked(rows, name, scorers[name].score_rows(rows))
        else:
            found[name] = built_in[name](rows)
    total = found["quality"] ** weights["quality"] * found["complexity"] ** weights["complexity"]
    return RowScores(found["quality"], found["complexity"], np.round(total, 12))


def _as_scorers(scores: pa.Table | Mapping[str, RowScorer] | None) -> dict[str, RowScorer]:
    if isinstance(scores, pa.Table):
        names = [name for name in ("quality", "complexity") if name in scores.column_names]
        if not names:
            raise MixError(problem=f"the table of scores has neither 'quality' nor 'complexity'; it has {scores.column_names}.")
        return {name: TableScorer(scores, name) for name in names}
    unknown = sorted(set(scores or {}) - {"quality", "complexity"})
    if unknown:
        raise MixError(problem=f"there is no score '{unknown[0]}'; the scores are quality and complexity.")
    return dict(scores or {})


def _checked(rows: Sequence[Any], name: str, values: Sequence[float]) -> Floats:
    if len(values) != len(rows):
        raise MixError(problem=f"the scorer of {name} returned {len(values):,} scores for {len(rows):,} rows.")
    bad = [row.key for row, value in zip(rows, values, strict=True) if not (math.isfinite(value) and value >= 0)]
    if bad:
        raise MixError(problem=f"the {name} of {len(bad):,} rows is negative or not a number, first '{min(bad)}'.")
    return np.array(values, dtype=np.float64)
