"""Which two of several answers make a pair: far apart by score, not alike, and close in length.

choose_pair([Scored("Tea is ...", 5.0, 0), Scored("Dunno.", 1.0, 1), ...], Bounds(...))      best, worst
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from curation.ids import hash_text
from curation.synthesis.novelty import gram_similarity
from curation.synthesis.parse import UnusableError
from curation.synthesis.preferences.by_verifier import length_ratio


class Scored(NamedTuple):
    """An answer with its score; None for both of two answers that are compared only."""

    text: str
    score: float | None
    place: int
    """Where it stands in the caller's list."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What a pair has to fulfil."""

    min_margin: float
    max_similarity: float
    max_length_ratio: float
    length_penalty: float
    """Points that an e-fold difference in length costs."""


def choose_pair(answers: Sequence[Scored], bounds: Bounds) -> tuple[Scored, Scored]:
    """Return the better and the worse answer of the pair with the greatest margin after the penalty for its lengths.

    Raises:
        UnusableError: `too_few_samples`, `no_margin`, `near_identical` or `lengths_differ`.
    """
    if len(answers) < 2:
        raise UnusableError("too_few_samples", f"Only {len(answers)} of the answers have a score.")
    ordered = [_order(one, two) for one, two in itertools.combinations(answers, 2)]
    apart = [pair for pair in ordered if pair[0].score is None or _margin(*pair) >= bounds.min_margin]
    if not apart:
        raise UnusableError("no_margin", f"No answer is {bounds.min_margin:g} points above another.")
    fit = [pair for pair in apart if not bounds.max_length_ratio or _ratio(*pair) <= bounds.max_length_ratio]
    ranked = sorted(fit, key=lambda pair: (bounds.length_penalty * math.log(_ratio(*pair)) - _margin(*pair), _name(*pair)))
    for best, worst in ranked:
        if gram_similarity(best.text, worst.text) < bounds.max_similarity:
            return best, worst
    if ranked:
        raise UnusableError("near_identical", "The answers that differ in score are nearly the same text.")
    raise UnusableError("lengths_differ", f"Of any two answers one is more than {bounds.max_length_ratio:g} times longer.")


def _order(one: Scored, two: Scored) -> tuple[Scored, Scored]:
    return (one, two) if one.score is None or two.score is None or one.score >= two.score else (two, one)


def _margin(best: Scored, worst: Scored) -> float:
    return (best.score or 0.0) - (worst.score or 0.0)


def _ratio(best: Scored, worst: Scored) -> float:
    return length_ratio(best.text, worst.text)


def _name(best: Scored, worst: Scored) -> str:
    """Return what decides between pairs that are equally good; it depends on the texts only."""
    return hash_text(f"{best.text}\n{worst.text}")
