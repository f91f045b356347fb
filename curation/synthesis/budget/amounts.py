"""Tokens and money side by side, in whole numbers, so that sums are exact and fit any database.

Amount(tokens=700, picodollars=105_000_000)          700 tokens and $0.000105
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

PICODOLLARS = 10**12
"""A dollar."""


@dataclass(frozen=True, slots=True)
class Amount:
    """Tokens and money."""

    tokens: int = 0
    picodollars: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.tokens + other.tokens, self.picodollars + other.picodollars)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(self.tokens - other.tokens, self.picodollars - other.picodollars)

    def times(self, number: int) -> "Amount":
        """Return so many times as much."""
        return Amount(self.tokens * number, self.picodollars * number)

    def count_in(self, room: "Amount") -> int:
        """Return how many of it fit into a room, at most a million."""
        pairs = [(self.tokens, room.tokens), (self.picodollars, room.picodollars)]
        return max(0, min([10**6, *(whole // part for part, whole in pairs if part > 0)]))

    def fits(self, room: "Amount") -> bool:
        """Tell whether there is room for it in both."""
        return self.tokens <= room.tokens and self.picodollars <= room.picodollars

    @property
    def usd(self) -> Decimal:
        """The money in dollars."""
        return Decimal(self.picodollars) / PICODOLLARS

    def __str__(self) -> str:
        return f"${self.usd:.4f} and {self.tokens:,} tokens"


def amount_of(tokens: int, usd: Decimal) -> Amount:
    """Return an amount; money is rounded up to a millionth of a millionth of a dollar."""
    return Amount(tokens, int((usd * PICODOLLARS).to_integral_value(ROUND_CEILING)))
