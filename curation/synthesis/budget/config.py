"""What a recipe may spend on its teachers.

budget: {max_usd: 20, max_tokens: 5000000, pilot: 50, on_unknown_price: stop}
"""

from decimal import Decimal, InvalidOperation
from typing import Literal

from curation.config import check, config


@config
class BudgetConfig:
    """The limits of a recipe, over all its runs. What the ledger holds from earlier runs counts."""

    max_usd: float | str | None = None
    """Most dollars. Null: no limit in money."""

    max_tokens: int | None = None
    """Most tokens, prompts and replies together. Null: no limit in tokens."""

    pilot: int = 50
    """Rows that are asked for first, so that the cost of all can be estimated. 0: no estimate."""

    on_unknown_price: Literal["stop", "warn"] = "stop"
    """What happens if `max_usd` is set and the price of a teacher is unknown: nothing is asked, or its calls are not limited in
    money and this is said."""

    def __post_init__(self) -> None:
        check(self.max_usd is None or _is_positive(self.max_usd), "max_usd", "must be an amount above 0", self.max_usd)
        is_fit = self.max_tokens is None or 1 <= self.max_tokens <= 10**15
        check(is_fit, "max_tokens", "must be at least 1", self.max_tokens)
        check(0 <= self.pilot <= 10_000, "pilot", "must lie in 0..10000", self.pilot)
        has_effect = self.max_usd is not None or self.on_unknown_price == "stop"
        check(has_effect, "on_unknown_price", "has no effect without max_usd", self.on_unknown_price)

    @property
    def limit_usd(self) -> Decimal | None:
        """The limit in money, exact."""
        return None if self.max_usd is None else Decimal(str(self.max_usd))


def _is_positive(value: float | str) -> bool:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return False
    return amount.is_finite() and 0 < amount <= 10**6
