"""The estimate from a pilot of 50 is right within 10 %, and its interval says how right."""

from decimal import Decimal

import hypothesis
import hypothesis.strategies as st
import pytest

from benchmarks.budget_workloads import Task, make_workload
from curation.synthesis.budget.estimate import CostEstimate, Planned, Spent, choose_pilot, estimate_cost


def estimate(tasks: list[Task], num_pilot: int = 50, seed: int = 0) -> CostEstimate:
    planned = [task.planned for task in tasks]
    pilot = set(choose_pilot(planned, num_pilot, seed=seed))
    return estimate_cost(planned, {task.key: task.spent for task in tasks if task.key in pilot})


def test_within_a_tenth_of_the_true_cost_on_twenty_workloads() -> None:
    for seed in range(20):
        tasks = make_workload(seed, 1000)
        found, true = estimate(tasks), float(sum(task.cost_usd for task in tasks))
        assert found.num_pilot <= 60
        assert abs(found.cost_usd.value / true - 1) < 0.1, seed
        assert abs(found.tokens.value / sum(task.spent.tokens for task in tasks) - 1) < 0.1, seed
        assert sum(part.value for part in found.by_stratum.values()) == pytest.approx(found.cost_usd.value)


@pytest.mark.slow
def test_the_interval_holds_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(100):
        tasks = make_workload(seed, 1000)
        found, true = estimate(tasks).cost_usd, float(sum(task.cost_usd for task in tasks))
        held += found.low <= true <= found.high
    assert 90 <= held <= 99


def test_the_pilot_does_not_move_when_rows_are_added_at_the_end() -> None:
    planned = [task.planned for task in make_workload(3, 1000)]
    first, second = set(choose_pilot(planned[:990], 50, seed=0)), set(choose_pilot(planned, 50, seed=0))
    assert len(first & second) >= 45
    assert set(choose_pilot(planned, 50, seed=1)) != second
    assert choose_pilot(list(reversed(planned)), 50, seed=0) == [item.key for item in reversed(planned) if item.key in second]


def test_a_rare_method_is_in_the_pilot() -> None:
    planned = [Planned(key=f"{number}#many", stratum="many", size=1000) for number in range(1000)]
    planned += [Planned(key=f"{number}#few", stratum="few", size=10) for number in range(3)]
    pilot = choose_pilot(planned, 50, seed=0)
    assert sum(key.endswith("#few") for key in pilot) == 3
    assert 40 <= len(pilot) <= 50


def test_a_pilot_of_everything_is_the_cost_itself() -> None:
    tasks = make_workload(1, 30)
    found, true = estimate(tasks, 100), float(sum(task.cost_usd for task in tasks))
    assert found.cost_usd == pytest.approx((true, true, true))


def test_a_stratum_that_is_not_in_the_pilot_is_no_guess() -> None:
    planned = [Planned(key="a", stratum="a", size=1), Planned(key="b", stratum="b", size=1)]
    with pytest.raises(ValueError, match="'b'"):
        estimate_cost(planned, {"a": Spent(tokens=1, cost_usd=Decimal(1))})


def test_nothing_planned_costs_nothing() -> None:
    assert choose_pilot([], 50, seed=0) == []
    assert estimate_cost([], {}).cost_usd.value == 0


def test_the_estimate_says_what_it_does_not_know() -> None:
    planned = [Planned(key="a", stratum="a", size=1)]
    spent = {"a": Spent(tokens=10, cost_usd=Decimal("1.5"))}
    text = str(estimate_cost(planned, spent, price_versions=["recipe"], unknown_prices=["qwen"]))
    assert "$1.50" in text
    assert "recipe" in text
    assert "WITHOUT the calls to qwen" in text


@hypothesis.given(
    sizes=st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from("abc"), st.integers(0, 10**5)), min_size=1, max_size=80),
    num_pilot=st.integers(1, 60),
)
def test_whatever_the_sizes_the_total_is_no_less_than_what_is_paid(sizes: list[tuple[int, str, int]], num_pilot: int) -> None:
    planned = [Planned(key=f"{at}", stratum=stratum, size=size) for at, (size, stratum, _) in enumerate(sizes)]
    pilot = set(choose_pilot(planned, num_pilot, seed=0))
    spent = {f"{at}": Spent(tokens=cost, cost_usd=Decimal(cost)) for at, (_, _, cost) in enumerate(sizes) if f"{at}" in pilot}
    assert len({item.stratum for item in planned}) <= len(pilot) <= max(num_pilot + 3, 3)
    found = estimate_cost(planned, spent)
    paid = sum(one.tokens for one in spent.values())
    assert found.tokens.value >= paid * (1 - 1e-9)
    assert found.tokens.low <= found.tokens.value * (1 + 1e-9)
    assert found.tokens.high >= found.tokens.value * (1 - 1e-9)
