"""Nothing is sent beyond the budget: within a process, across processes and restarts, and after a kill."""

import contextlib
import multiprocessing
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from curation.chat_model import ChatReply, ChatRequest, ReplayChatModel
from curation.errors import BudgetExhaustedError, ConfigError, UnknownPriceError
from curation.home import Home
from curation.records import Message
from curation.synthesis.budget.allotments import LEASE_SECONDS
from curation.synthesis.budget.config import BudgetConfig
from curation.synthesis.budget.guard import Budget, opened_budget
from curation.synthesis.ledger.request_ledger import RequestLedger, open_ledger
from curation.synthesis.teachers.config import TeacherConfig

PRICES: dict[str, Any] = {"price_input_usd_per_million": 1, "price_output_usd_per_million": 10}
TEACHER = TeacherConfig(kind="openai", model="m", max_tokens=100, **PRICES)
REQUEST = ChatRequest(messages=(Message(role="user", content="x" * 20),), parameters={"max_tokens": 100})
BOUND = 20 + 16 + 64 + 100
"""Tokens that the request can use at most."""
REPLY = ChatReply(text="t", prompt_tokens=10, completion_tokens=40, cost_usd=410e-6)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(path=tmp_path, store_url=str(tmp_path / "store"), database_url="", review_url="")


@pytest.fixture
def own_ledger(home: Home) -> Iterator[RequestLedger]:
    with open_ledger(home, recipe="r") as ledger:
        yield ledger


def pay(ledger: RequestLedger, number: object, reply: ChatReply = REPLY) -> None:
    ledger.put(f"{number:>032}", ReplayChatModel([]), REQUEST, reply)


def count_until_exhausted(budget: Budget, ledger: RequestLedger, name: str = "") -> int:
    """Ask one after the other, as an engine does, until the budget stops it."""
    guard, number = budget.guard(TEACHER), 0
    while True:
        try:
            reservation = guard.reserve(REQUEST)
        except BudgetExhaustedError:
            return number
        number += 1
        pay(ledger, f"{name}{number}")
        guard.settle(reservation, REPLY)


def count_reservations(budget: Budget) -> int:
    """Reserve until there is no room."""
    guard, number = budget.guard(TEACHER), 0
    with contextlib.suppress(BudgetExhaustedError):
        while True:
            guard.reserve(REQUEST)
            number += 1
    return number


@pytest.mark.parametrize(
    "settings",
    [
        {"max_usd": 0},
        {"max_usd": "x"},
        {"max_usd": float("nan")},
        {"max_tokens": 0},
        {"pilot": -1},
        {"on_unknown_price": "warn"},
    ],
)
def test_impossible_budgets_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        BudgetConfig(**settings)


@pytest.mark.parametrize("limits", [{"max_tokens": 1000}, {"max_usd": "0.0082"}])
def test_the_stop_comes_before_the_limit_and_names_it(home: Home, own_ledger: RequestLedger, limits: dict[str, Any]) -> None:
    with opened_budget(home, BudgetConfig(**limits), recipe="r", ledger=own_ledger) as budget:
        assert count_until_exhausted(budget, own_ledger) in range(15, 21)
        with pytest.raises(BudgetExhaustedError, match="raise `budget`") as caught:
            budget.guard(TEACHER).reserve(REQUEST)
    assert "tokens" in caught.value.fields["spent"]
    totals = own_ledger.totals(recipe="r")
    assert totals.prompt_tokens + totals.completion_tokens <= 1000
    assert totals.cost_usd <= Decimal("0.0082")


def test_a_restart_goes_on_counting_and_a_higher_limit_goes_on_asking(home: Home, own_ledger: RequestLedger) -> None:
    for limit, more in ((1000, True), (1000, False), (2000, True)):
        with opened_budget(home, BudgetConfig(max_tokens=limit), recipe="r", ledger=own_ledger) as budget:
            assert (count_until_exhausted(budget, own_ledger, f"{limit}/") > 0) is more
    assert own_ledger.totals(recipe="r").num_calls <= 40


def test_other_recipes_do_not_count(home: Home, own_ledger: RequestLedger) -> None:
    with open_ledger(home, recipe="other") as other:
        pay(other, 1, ChatReply(text="", prompt_tokens=10**6))
    with opened_budget(home, BudgetConfig(max_tokens=BOUND), recipe="r", ledger=own_ledger) as budget:
        guard = budget.guard(TEACHER)
        assert guard.reserve(REQUEST) is not None, "all of it is left"
        with pytest.raises(BudgetExhaustedError):
            guard.reserve(REQUEST)


def test_what_is_released_can_be_used_and_nothing_is_given_back_twice(home: Home, own_ledger: RequestLedger) -> None:
    with opened_budget(home, BudgetConfig(max_tokens=2 * BOUND), recipe="r", ledger=own_ledger) as budget:
        guard = budget.guard(TEACHER)
        first, _ = guard.reserve(REQUEST), guard.reserve(REQUEST)
        with pytest.raises(BudgetExhaustedError):
            guard.reserve(REQUEST)
        guard.release(first)
        guard.release(first)
        guard.settle(first, REPLY)
        guard.reserve(REQUEST)
        with pytest.raises(BudgetExhaustedError):
            guard.reserve(REQUEST)


def test_two_processes_share_one_budget(home: Home, own_ledger: RequestLedger) -> None:
    config = BudgetConfig(max_tokens=3 * BOUND)
    with (
        opened_budget(home, config, recipe="r", ledger=own_ledger) as one,
        opened_budget(home, config, recipe="r", ledger=own_ledger) as two,
    ):
        guards = [one.guard(TEACHER), two.guard(TEACHER)]
        for guard in (*guards, guards[0]):
            guard.reserve(REQUEST)
        for guard in guards:
            with pytest.raises(BudgetExhaustedError):
                guard.reserve(REQUEST)


@pytest.mark.postgres
def test_two_processes_share_one_budget_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    home = Home(path=tmp_path, store_url=str(tmp_path / "store"), database_url=postgres_url, review_url="")
    config = BudgetConfig(max_tokens=2 * BOUND, max_usd=1)
    with (
        open_ledger(home, recipe="r") as ledger,
        opened_budget(home, config, recipe="r", ledger=ledger) as one,
        opened_budget(home, config, recipe="r", ledger=ledger) as two,
    ):
        first, _ = one.guard(TEACHER).reserve(REQUEST), two.guard(TEACHER).reserve(REQUEST)
        for budget in (one, two):
            with pytest.raises(BudgetExhaustedError):
                budget.guard(TEACHER).reserve(REQUEST)
        one.guard(TEACHER).release(first)
        one.guard(TEACHER).reserve(REQUEST)


def test_what_a_killed_process_had_set_aside_lapses(home: Home, own_ledger: RequestLedger) -> None:
    now = [1000.0]
    config = BudgetConfig(max_tokens=BOUND)
    with opened_budget(home, config, recipe="r", ledger=own_ledger, clock=lambda: now[0]) as killed:
        killed.guard(TEACHER).reserve(REQUEST)
        with opened_budget(home, config, recipe="r", ledger=own_ledger, clock=lambda: now[0]) as later:
            with pytest.raises(BudgetExhaustedError):
                later.guard(TEACHER).reserve(REQUEST)
            now[0] += LEASE_SECONDS + 1
            later.guard(TEACHER).reserve(REQUEST)


def test_a_process_that_goes_on_asking_keeps_what_it_has_set_aside(home: Home, own_ledger: RequestLedger) -> None:
    now = [1000.0]
    config = BudgetConfig(max_tokens=100 * BOUND)
    with opened_budget(home, config, recipe="r", ledger=own_ledger, clock=lambda: now[0]) as slow:
        held = [slow.guard(TEACHER).reserve(REQUEST) for _ in range(10)]
        for _ in range(10):
            now[0] += LEASE_SECONDS / 2
            held.append(slow.guard(TEACHER).reserve(REQUEST))
        with opened_budget(home, config, recipe="r", ledger=own_ledger, clock=lambda: now[0]) as other:
            assert 0 < count_reservations(other) <= 100 - len(held)


def test_an_unknown_price_stops_or_is_said(home: Home, own_ledger: RequestLedger) -> None:
    unknown = TeacherConfig(kind="openai", model="unheard-of")
    with opened_budget(home, BudgetConfig(max_usd=1), recipe="r", ledger=own_ledger) as budget:
        with pytest.raises(UnknownPriceError, match="unheard-of"):
            budget.guard(unknown)
        budget.guard(TeacherConfig())
    config = BudgetConfig(max_usd=1, on_unknown_price="warn")
    with opened_budget(home, config, recipe="r", ledger=own_ledger) as budget:
        budget.guard(unknown).reserve(REQUEST)
        assert "unheard-of" in budget.notes[0]
    with opened_budget(home, BudgetConfig(max_tokens=10**6), recipe="r", ledger=own_ledger) as budget:
        budget.guard(unknown).reserve(REQUEST)
        budget.guard(TEACHER)
        assert len(budget.notes) == 1


def test_replies_without_a_count_of_tokens_keep_what_was_set_aside(home: Home, own_ledger: RequestLedger) -> None:
    with opened_budget(home, BudgetConfig(max_tokens=3 * BOUND), recipe="r", ledger=own_ledger) as budget:
        guard = budget.guard(TEACHER)
        for number in range(3):
            guard.settle(guard.reserve(REQUEST), ChatReply(text=str(number)))
        with pytest.raises(BudgetExhaustedError):
            guard.reserve(REQUEST)
        assert len(budget.notes) == 1


def test_the_bound_gets_tighter_once_the_endpoint_has_counted(home: Home, own_ledger: RequestLedger) -> None:
    request = ChatRequest(messages=(Message(role="user", content="word " * 2000),), parameters={"max_tokens": 100})
    with opened_budget(home, BudgetConfig(max_tokens=10**9), recipe="r", ledger=own_ledger) as budget:
        guard = budget.guard(TEACHER)
        first = guard.reserve(request)
        assert first.amount.tokens >= 10_000
        for _ in range(20):
            guard.settle(guard.reserve(request), ChatReply(text="", prompt_tokens=2000, completion_tokens=1))
        assert 2000 < guard.reserve(request).amount.tokens < 4000


def _spend(path: Path, name: str, ready: Callable[[], int]) -> None:
    home = Home(path=path, store_url=str(path / "store"), database_url="", review_url="")
    with (
        open_ledger(home, recipe="r") as ledger,
        opened_budget(home, BudgetConfig(max_tokens=20_000), recipe="r", ledger=ledger) as budget,
    ):
        ready()
        count_until_exhausted(budget, ledger, name)


@pytest.mark.slow
def test_processes_that_race_stay_within_the_budget(home: Home, own_ledger: RequestLedger) -> None:
    context = multiprocessing.get_context("forkserver")
    barrier = context.Barrier(3)
    started = [context.Process(target=_spend, args=(home.path, name, barrier.wait)) for name in "abc"]
    for process in started:
        process.start()
    for process in started:
        process.join(180)
        assert process.exitcode == 0
    totals = own_ledger.totals(recipe="r")
    spent = totals.prompt_tokens + totals.completion_tokens
    assert 20_000 - 3 * BOUND <= spent <= 20_000


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(
    steps=st.lists(st.tuples(st.sampled_from(["reserve", "settle", "release", "wait"]), st.integers(0, 9)), max_size=60),
    limit=st.integers(1, 30),
)
def test_whatever_happens_the_limit_holds(home: Home, own_ledger: RequestLedger, steps: Any, limit: int) -> None:
    recipe = f"{time.monotonic_ns()}"
    now = [0.0]
    with (
        open_ledger(home, recipe=recipe) as ledger,
        opened_budget(home, BudgetConfig(max_tokens=limit * 50), recipe=recipe, ledger=ledger, clock=lambda: now[0]) as budget,
    ):
        guard, flying = budget.guard(TEACHER), []
        for number, (step, which) in enumerate(steps):
            if step == "reserve":
                try:
                    flying.append(guard.reserve(REQUEST))
                except BudgetExhaustedError:
                    spent = ledger.totals(recipe=recipe).num_calls * 50
                    assert spent + (len(flying) + 1) * BOUND > limit * 50
            elif step == "wait":
                now[0] += LEASE_SECONDS / 2
            elif flying:
                reservation = flying.pop(which % len(flying))
                if step == "settle":
                    pay(ledger, f"{recipe}/{number}")
                    guard.settle(reservation, REPLY)
                else:
                    guard.release(reservation)
            assert ledger.totals(recipe=recipe).num_calls * 50 + len(flying) * BOUND <= limit * 50
