"""The pilot: a few units are made first, and what they cost tells what all will cost.

    estimate = run_pilot([(raft, raft.plan(inputs)), (evol, evol.plan(inputs))], session, ledger, num_pilot=50, seed=0)
    print(estimate)

What the pilot makes is thrown away: its replies are in the ledger, and making it again costs nothing.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from decimal import Decimal

from curation.chat_model import ChatReply
from curation.synthesis.asking import Ask, Session
from curation.synthesis.budget.bounds import count_message_bytes
from curation.synthesis.budget.estimate import PILOT_GROWTH, CostEstimate, Planned, Spent, choose_pilot, estimate_cost
from curation.synthesis.budget.prices import find_price
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.methods.method import Method, Unit
from curation.synthesis.unit_keys import find_unit


def run_pilot(
    work: Sequence[tuple[Method, Sequence[Unit]]], session: Session, ledger: RequestLedger, *, num_pilot: int, seed: int
) -> CostEstimate | None:
    """Make a few units of each method and estimate what all of them cost, corrections included.

    While the interval is wider than a tenth, twice as many units are made, up to four times `num_pilot`.

    Returns:
        The estimate, or None if there are no units or no pilot is wanted.

    Raises:
        BudgetExhaustedError: not even the pilot fits into the budget.
        TeacherKeyMissingError, TeacherRefusedError, TeacherUnreachableError, DatabaseError: as `Session.ask`.
    """
    planned = [item for method, units in work for item in plan_units(method, units)]
    versions, unknown = describe_prices(session)
    estimate: CostEstimate | None = None
    made: frozenset[str] = frozenset()
    for growth in PILOT_GROWTH if planned and num_pilot else ():
        pilot = frozenset(choose_pilot(planned, num_pilot * growth, seed=seed)) | made
        _make(work, session, pilot - made)
        spent = read_spent(pilot, session.asked, ledger)
        estimate = estimate_cost(planned, spent, price_versions=versions, unknown_prices=unknown)
        made = pilot
        if estimate.is_close:
            break
    return estimate


def _make(work: Sequence[tuple[Method, Sequence[Unit]]], session: Session, keys: Container[str]) -> None:
    for method, units in work:
        chosen = [unit for unit in units if unit.key in keys]
        if chosen:
            method.make(chosen, session)


def plan_units(method: Method, units: Sequence[Unit]) -> list[Planned]:
    """Describe units by how much text they hold, which is what is known of their prompts."""
    return [Planned(key=unit.key, stratum=method.name, size=len(repr(unit.payload))) for unit in units]


def plan_asks(asks: Iterable[Ask]) -> list[Planned]:
    """Describe asks by the bytes of their prompts; several samples of one key are one."""
    sizes: dict[str, int] = {}
    strata: dict[str, str] = {}
    for ask in asks:
        sizes[ask.key] = sizes.get(ask.key, 0) + count_message_bytes(ask.prompt.messages)
        strata.setdefault(ask.key, ask.prompt.template.template_id)
    return [Planned(key=key, stratum=strata[key], size=size) for key, size in sizes.items()]


def read_spent(keys: Iterable[str], asked: Mapping[str, Sequence[str]], ledger: RequestLedger) -> dict[str, Spent]:
    """Return what each of these keys cost: all calls for it or for what is made of it. Nothing was asked: it cost nothing."""
    calls: dict[str, set[str]] = {key: set() for key in keys}
    for key, request_ids in asked.items():
        owner = find_unit(key, calls)
        if owner is not None:
            calls[owner].update(request_ids)
    replies = ledger.get_many(sorted({name for names in calls.values() for name in names}))
    return {key: _add(replies[name] for name in sorted(names) if name in replies) for key, names in calls.items()}


def _add(replies: Iterable[ChatReply]) -> Spent:
    pairs = [(reply.prompt_tokens + reply.completion_tokens, Decimal(str(reply.cost_usd))) for reply in replies]
    return Spent(tokens=sum(tokens for tokens, _ in pairs), cost_usd=sum((usd for _, usd in pairs), Decimal(0)))


def describe_prices(session: Session) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return where the prices of the teachers come from, and which teachers have none."""
    prices = {teacher.config.label: find_price(teacher.config) for teacher in session.teachers}
    versions = dict.fromkeys(price.version for price in prices.values() if price is not None)
    return tuple(versions), tuple(label for label, price in prices.items() if price is None)


def name_prices(session: Session) -> str:
    """Return in one line where the prices come from, and which teachers' calls have no known cost."""
    versions, unknown = describe_prices(session)
    missing = [f"unknown for {', '.join(unknown)}, whose calls count as nothing"] if unknown else []
    return "; ".join([*versions, *missing])
