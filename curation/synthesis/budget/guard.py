"""The hard stop: nothing is sent before its highest possible cost is set aside.

    with opened_budget(home, config, recipe="sdk_assistant", ledger=ledger) as budget:
        guard = budget.guard(teacher_config)            one for each teacher
        reservation = guard.reserve(request)            or BudgetExhaustedError
        guard.settle(reservation, reply)                once the reply is in the ledger
        guard.release(reservation)                      or, if there is none

What is spent is what the ledger holds for the recipe, from whatever run or process; so a restart goes on counting, and a kill
loses nothing. Overspending is bounded by what is in flight, and happens only if an endpoint counts more tokens than a prompt
has bytes, sends more than `max_tokens`, or does not say what it used.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from curation.chat_model import ChatReply, ChatRequest
from curation.errors import BudgetExhaustedError, UnknownPriceError
from curation.home import Home
from curation.synthesis.budget.allotments import MIGRATIONS, Allotments
from curation.synthesis.budget.amounts import PICODOLLARS, Amount, amount_of
from curation.synthesis.budget.bounds import TokenBound, count_bytes
from curation.synthesis.budget.config import BudgetConfig
from curation.synthesis.budget.prices import Price, find_price
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.teachers.config import TeacherConfig

UNLIMITED = 2**62


@dataclass(frozen=True, slots=True, eq=False)
class Reservation:
    """What is set aside for one request."""

    amount: Amount
    request_bytes: int


class Budget:
    """The budget of a recipe in this process. Thread-safe; several processes share it through the database."""

    def __init__(self, config: BudgetConfig, allotments: Allotments, *, recipe: str) -> None:
        self.config = config
        self.notes: list[str] = []
        """What the reader of a report must know: costs that are not known."""
        self._allotments = allotments
        self._recipe = recipe
        self._lock = threading.Lock()
        self._granted = self._used = self._held = Amount()
        self._unmetered = Amount()
        self._open: set[Reservation] = set()

    def guard(self, teacher: TeacherConfig) -> "TeacherGuard":
        """Return the guard of the calls to one teacher.

        Raises:
            UnknownPriceError: money is limited and nobody knows what the teacher costs.
        """
        price = find_price(teacher)
        if price is None:
            if self.config.max_usd is not None and self.config.on_unknown_price == "stop":
                raise UnknownPriceError(teacher=teacher.label, endpoint=teacher.endpoint)
            self._note(f"The price of '{teacher.label}' is unknown: what its calls cost is neither counted nor limited.")
        return TeacherGuard(self, price, TokenBound(max_tokens=teacher.max_tokens), teacher.label)

    @property
    def spent(self) -> Amount:
        """What the recipe has cost so far, as far as this process knows."""
        with self._lock:
            return self._allotments.spent + self._used

    def reserve(self, amount: Amount, request_bytes: int) -> Reservation:
        """Set an amount aside; at once, or not at all.

        Raises:
            BudgetExhaustedError: there is no room. There may be once what is under way has cost less than was set aside for it.
            DatabaseError: a database cannot be used.
        """
        with self._lock:
            if not self._has_room(amount):
                raise self._exhausted(amount)
            self._held += amount
            reservation = Reservation(amount, request_bytes)
            self._open.add(reservation)
            return reservation

    def _has_room(self, amount: Amount) -> bool:
        if (self._used + self._held + amount).fits(self._granted) and not self._allotments.is_ageing:
            return True
        held = self._held + self._unmetered
        granted = self._allotments.renew(held, amount)
        # What was used is in the ledger by now, and `spent` includes it.
        self._used = self._unmetered
        self._granted = held if granted is None else granted
        return granted is not None

    def close_reservation(self, reservation: Reservation, used: Amount, *, is_metered: bool = True) -> None:
        """End a reservation: this much was used. What the ledger does not know of stays set aside."""
        with self._lock:
            if reservation in self._open:
                self._open.discard(reservation)
                self._held -= reservation.amount
                self._used += used
                if not is_metered:
                    self._unmetered += used

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def note_unmetered(self, teacher: str) -> None:
        """Say that an endpoint does not count tokens."""
        self._note(
            f"'{teacher}' sent replies without a count of tokens: their cost is unknown, the highest possible is set aside."
        )

    def _exhausted(self, amount: Amount) -> BudgetExhaustedError:
        return BudgetExhaustedError(
            recipe=self._recipe,
            spent=str(self._allotments.spent + self._used),
            limit=describe_limit(self.config),
            in_flight=str(self._held),
            needed=str(amount),
        )

    def close(self) -> None:
        """Hand back what is set aside."""
        self._allotments.close()


class TeacherGuard:
    """The budget as seen by the calls to one teacher: it knows the price. Thread-safe."""

    def __init__(self, budget: Budget, price: Price | None, bound: TokenBound, label: str) -> None:
        self._budget = budget
        self._price = price
        self._bound = bound
        self._label = label

    def reserve(self, request: ChatRequest) -> Reservation:
        """Set aside what a request can cost. Raises BudgetExhaustedError if that is not left, DatabaseError."""
        bound = self._bound.of(request)
        usd = self._price.most(**bound._asdict()) if self._price is not None else Decimal(0)
        return self._budget.reserve(amount_of(sum(bound), usd), count_bytes(request))

    def settle(self, reservation: Reservation, reply: ChatReply) -> None:
        """Replace what was set aside by what it cost. Call it once the reply is in the ledger."""
        if reply.prompt_tokens + reply.completion_tokens == 0 and (self._price is None or self._price.is_charged):
            self._budget.note_unmetered(self._label)
            self._budget.close_reservation(reservation, reservation.amount, is_metered=False)
            return
        self._bound.learn(reservation.request_bytes, reply)
        tokens = reply.prompt_tokens + reply.completion_tokens
        self._budget.close_reservation(reservation, amount_of(tokens, Decimal(str(reply.cost_usd))))

    def release(self, reservation: Reservation) -> None:
        """Give back what was set aside for a request without a reply."""
        self._budget.close_reservation(reservation, Amount())


def describe_limit(config: BudgetConfig) -> str:
    """Say what the limit is."""
    usd = [] if config.limit_usd is None else [f"${config.limit_usd}"]
    tokens = [] if config.max_tokens is None else [f"{config.max_tokens:,} tokens"]
    return " and ".join(usd + tokens) or "no limit"


def limit_of(config: BudgetConfig) -> Amount:
    """Return the limits as an amount; what is not limited is out of reach."""
    picodollars = UNLIMITED if config.limit_usd is None else int(config.limit_usd * PICODOLLARS)
    return Amount(config.max_tokens or UNLIMITED, picodollars)


@contextlib.contextmanager
def opened_budget(
    home: Home,
    config: BudgetConfig,
    *,
    recipe: str,
    ledger: RequestLedger,
    clock: Callable[[], float] = time.time,
) -> Iterator[Budget]:
    """Open the budget of a recipe for the time of a block.

    Args:
        home: where its database is.
        config: the limits.
        recipe: whose spending counts.
        ledger: where the recipe's replies are.
        clock: seconds since the epoch.

    Raises:
        DatabaseError: a database cannot be used.
    """

    def read_spent() -> Amount:
        totals = ledger.totals(recipe=recipe)
        return amount_of(totals.prompt_tokens + totals.completion_tokens, totals.cost_usd)

    database = home.database("budget", MIGRATIONS)
    allotments = Allotments(database, recipe=recipe, limit=limit_of(config), read_spent=read_spent, clock=clock)
    budget = Budget(config, allotments, recipe=recipe)
    try:
        yield budget
    finally:
        budget.close()
