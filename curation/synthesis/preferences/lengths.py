"""Takes the pull of length out of a set of pairs: as many longer answers chosen as shorter ones, weighed by the difference.

    balanced = balance_lengths(pairs, max_correlation=0.1)
    balanced.before, balanced.after          0.38, 0.10
    balanced.rejections[0].reason            "unbalanced_length"

A model that is trained on pairs whose chosen answer is mostly the longer one learns to be long (Park et al., "Disentangling
length from quality in direct preference optimization", 2024).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curation.config import check
from curation.ids import stable_fraction
from curation.judging.length_control import length_correlation
from curation.records import PreferencePair, Rejection, reject
from curation.synthesis.methods.method import STAGE


@dataclass(frozen=True, kw_only=True)
class Balanced:
    """Pairs with less pull of length, and those that had to go."""

    pairs: tuple[PreferencePair, ...]
    rejections: tuple[Rejection, ...]
    before: float
    """Correlation of being chosen and being longer among all pairs, -1 to 1."""
    after: float
    """The same among those kept, with differences on the same scale."""


def balance_lengths(pairs: Sequence[PreferencePair], *, max_correlation: float = 0.1, seed: int = 0) -> Balanced:
    """Drop as few pairs as needed of the kind that prevails, drawn by a stable hash of their keys.

    Where the chosen answer is the longer one in every pair, length tells everything and no pair is left.

    Args:
        pairs: pairs of one data set.
        max_correlation: how far being longer may tell the chosen answer, 0 to 1.
        seed: decides which pairs go.

    Raises:
        ConfigError: `max_correlation` does not lie in 0..1.
    """
    check(0 <= max_correlation <= 1, "max_correlation", "must lie in 0..1", max_correlation)
    differences = np.array([len(pair.chosen) - len(pair.rejected) for pair in pairs], dtype=np.float64)
    before = length_correlation(differences.tolist())
    if abs(before) <= max_correlation:
        return Balanced(pairs=tuple(pairs), rejections=(), before=before, after=before)
    pull = np.tanh(differences / np.sqrt(np.mean(differences**2)))
    prevailing = [at for at in range(len(pairs)) if pull[at] * before > 0]
    drawn = sorted(prevailing, key=lambda at: (stable_fraction(pairs[at].key, f"length {seed}"), pairs[at].key))
    dropped = set(drawn[: _num_to_drop(pull * np.sign(before), drawn, max_correlation)])
    kept = [pair for at, pair in enumerate(pairs) if at not in dropped]
    return Balanced(
        pairs=tuple(kept),
        rejections=tuple(_reject(pairs[at], before, max_correlation) for at in sorted(dropped)),
        before=before,
        after=_correlation(np.delete(pull, sorted(dropped))),
    )


def _num_to_drop(pull: npt.NDArray[np.float64], drawn: Sequence[int], max_correlation: float) -> int:
    """Return how many of the drawn pairs, all of positive pull, have to go until the rest pulls no more than allowed."""
    sums = pull.sum() - np.cumsum(pull[list(drawn)])
    squares = (pull**2).sum() - np.cumsum(pull[list(drawn)] ** 2)
    counts = len(pull) - np.arange(1, len(drawn) + 1)
    is_balanced = sums <= max_correlation * np.sqrt(np.maximum(counts * squares, 0))
    return int(np.argmax(is_balanced)) + 1


def _correlation(pull: npt.NDArray[np.float64]) -> float:
    norm = float(np.sqrt(len(pull) * (pull**2).sum()))
    return float(pull.sum() / norm) if norm else 0.0


def _reject(pair: PreferencePair, before: float, max_correlation: float) -> Rejection:
    detail = f"Length tells the chosen answer (correlation {before:.2f}, at most {max_correlation:.2f} allowed)."
    return reject(pair, stage=STAGE, reason="unbalanced_length", detail=detail)
