"""ROUGE: how many words and pairs of words a summary shares with its reference, and how long a sequence of them.

    measure_rouge("police killed the gunman", "police kill the gunman")    Rouge(one=0.75, two=0.33, longest=0.75)

F1 of Lin, "ROUGE: a package for automatic evaluation of summaries" (2004), without stemming and without removal of stop
words: the longest common subsequence is that of the whole texts (`rougeL`, not `rougeLsum`). Words are runs of letters and
digits in any script, folded by case.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

MAX_WORDS = 5_000
"""Only the beginning of longer texts is compared."""
_WORD = re.compile(r"[^\W_]+")


class Rouge(NamedTuple):
    """F1 over words, over pairs of neighbouring words, and over the longest common subsequence; each in [0, 1]."""

    one: float
    two: float
    longest: float


def measure_rouge(reference: str, answer: str) -> Rouge:
    """Compare an answer with its reference; all 0 if either holds no word."""
    wanted, given = (_WORD.findall(text.casefold())[:MAX_WORDS] for text in (reference, answer))
    shared = _longest(wanted, given)
    return Rouge(_overlap(wanted, given, 1), _overlap(wanted, given, 2), _f1(shared, len(wanted), len(given)))


def _overlap(wanted: Sequence[str], given: Sequence[str], order: int) -> float:
    left, right = (Counter(zip(*(words[at:] for at in range(order)), strict=False)) for words in (wanted, given))
    return _f1((left & right).total(), left.total(), right.total())


def _f1(shared: int, num_wanted: int, num_given: int) -> float:
    return 2 * shared / (num_wanted + num_given) if shared else 0.0


def _longest(wanted: Sequence[str], given: Sequence[str]) -> int:
    """Return the length of the longest common subsequence, a row of the table at a time."""
    numbers: dict[str, int] = {}
    left, right = (np.array([numbers.setdefault(word, len(numbers)) for word in words]) for words in (wanted, given))
    row = np.zeros(len(right) + 1, dtype=np.int32)
    for word in left:
        hit = np.where(right == word, row[:-1] + 1, 0)
        row[1:] = np.maximum.accumulate(np.maximum(row[1:], hit))
    return int(row[-1])
