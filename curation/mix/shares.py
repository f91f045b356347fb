"""Taking rows up to a budget: in the order of a hash, as near to it as whole rows allow.

copies = make_copies(rows, sizes, epochs=1.5, seed=0)        each row once, every second one (by hash) twice
fill(copies, budget=10_000)                                  the first copies that fit, 10,000 in all or as near as can be
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from curation.ids import stable_fraction


@dataclass(frozen=True, slots=True)
class Copy:
    """One use of a row in the mix."""

    key: str
    number: int
    """1 for the row itself, 2 for its first repetition."""
    chance: float
    """Hash of the key in [0, 1): rows with small ones come first."""
    size: int
    """Tokens, or 1 where rows are counted."""


def make_copies(keys: Sequence[str], sizes: Sequence[int], *, epochs: float, seed: int) -> list[Copy]:
    """Return the uses of all rows, first uses before second ones, in the order of a hash of the key.

    The fraction of `epochs` picks those rows whose hash lies below it, so the choice never moves as rows come and go.
    """
    whole, part = math.floor(epochs), epochs - math.floor(epochs)
    copies = []
    for key, size in zip(keys, sizes, strict=True):
        chance = stable_fraction(key, f"mix {seed}")
        number = whole + (chance < part)
        copies += [Copy(key, turn, chance, size) for turn in range(1, number + 1)]
    return sorted(copies, key=lambda copy: (copy.number, copy.chance, copy.key))


def fill(copies: Sequence[Copy], budget: float, *, may_exceed: bool = False) -> list[Copy]:
    """Take copies in order, passing over those that no longer fit; what is missing then is less than the smallest one left.

    With `may_exceed` one more copy is taken where that comes nearer to the budget: the miss is at most half of the smallest.
    """
    taken: list[Copy] = []
    left: list[Copy] = []
    room = budget
    for copy in copies:
        fits = copy.size <= room
        (taken if fits else left).append(copy)
        room -= copy.size if fits else 0
    smallest = min(left, key=lambda copy: (copy.size, copy.number, copy.chance, copy.key), default=None)
    if may_exceed and smallest is not None and smallest.size - room < room:
        taken.append(smallest)
    return taken
