"""Sampling plans against published figures, against what is drawn from lots, and against every way to stop early."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, hypergeom

from curation.errors import ConfigError
from curation.review.lots.plan import (
    AcceptancePlan,
    accept_probability,
    clopper_pearson,
    decide,
    plan_for,
    quality_at,
    smallest_sample,
)

pytestmark = pytest.mark.slow

PLANS = st.integers(1, 60).flatmap(lambda n: st.builds(AcceptancePlan, n=st.just(n), c=st.integers(0, n - 1)))


@pytest.mark.parametrize(
    ("n", "c", "share", "published"),
    [(59, 0, 0.05, 0.048), (93, 1, 0.05, 0.050), (124, 2, 0.05, 0.050), (299, 0, 0.01, 0.050)],
)
def test_known_plans_have_their_published_risk(n: int, c: int, share: float, published: float) -> None:
    risk = accept_probability(AcceptancePlan(n=n, c=c), share)
    assert round(risk, 3) == published
    assert risk <= 0.05
    assert accept_probability(AcceptancePlan(n=n - 1, c=c), share) > 0.05
    assert smallest_sample(c, share, 0.05) == n


@settings(max_examples=60, deadline=None)
@given(plan=PLANS, share=st.floats(0, 1), extra=st.integers(0, 500))
def test_probabilities_are_those_of_the_distributions(plan: AcceptancePlan, share: float, extra: int) -> None:
    assert accept_probability(plan, share) == pytest.approx(binom.cdf(plan.c, plan.n, share), abs=1e-9)
    size = plan.n + extra
    num_bad = math.floor(share * size + 0.5)
    expected = hypergeom.cdf(plan.c, size, num_bad, plan.n)
    assert accept_probability(plan, share, size) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(plan=PLANS, shares=st.lists(st.floats(0, 1), min_size=2, max_size=8), size=st.none() | st.integers(1, 400))
def test_the_curve_falls_from_one_to_nought(plan: AcceptancePlan, shares: list[float], size: int | None) -> None:
    curve = [accept_probability(plan, share, size) for share in sorted(shares)]
    assert all(left >= right - 1e-12 for left, right in zip(curve, curve[1:], strict=False))
    assert accept_probability(plan, 0.0, size) == 1
    assert accept_probability(plan, 1.0, size) == (1 if size is not None and size <= plan.c else 0)


def test_a_large_lot_is_as_good_as_an_endless_one() -> None:
    plan = AcceptancePlan(n=93, c=1)
    assert accept_probability(plan, 0.03, 1_000_000) == pytest.approx(accept_probability(plan, 0.03), abs=1e-4)
    assert accept_probability(plan, 0.03, 200) < accept_probability(plan, 0.03)


@settings(max_examples=100, deadline=None)
@given(plan=PLANS, size=st.integers(0, 120), found=st.lists(st.booleans(), min_size=120, max_size=120))
def test_a_decision_never_flips_and_is_that_of_the_whole_sample(plan: AcceptancePlan, size: int, found: list[bool]) -> None:
    sample = found[: min(plan.n, size)]
    decisions = [decide(plan, number, sum(sample[:number]), size) for number in range(len(sample) + 1)]
    decided = [decision for decision in decisions if decision != "undecided"]
    assert decisions == ["undecided"] * (len(decisions) - len(decided)) + decided
    assert set(decided) == {"accept" if sum(sample) <= plan.c else "reject"}


def test_it_stops_as_soon_as_nothing_can_change_it() -> None:
    plan = AcceptancePlan(n=10, c=2)
    assert decide(plan, 3, 3, 1000) == "reject"
    assert decide(plan, 7, 0, 1000) == "undecided"
    assert decide(plan, 8, 0, 1000) == "accept"
    assert decide(plan, 9, 2, 1000) == "undecided"
    assert decide(plan, 8, 0, 10) == "undecided", "a lot that is no larger than the sample is inspected to the last item"
    assert decide(plan, 10, 2, 10) == "accept"
    assert decide(plan, 0, 0, 0) == "accept"


@pytest.mark.parametrize(("inspected", "bad", "size"), [(3, 4, 100), (11, 0, 100), (6, 0, 5), (1, -1, 100)])
def test_counts_that_cannot_be_are_refused(inspected: int, bad: int, size: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        decide(AcceptancePlan(n=10, c=2), inspected, bad, size)


def test_plans_that_cannot_be_are_refused() -> None:
    for n, c in ((0, 0), (5, 5), (5, -1)):
        with pytest.raises(ValueError, match="0 <= c < n"):
            AcceptancePlan(n=n, c=c)
    with pytest.raises(ValueError, match="share"):
        accept_probability(AcceptancePlan(n=5, c=0), 1.2)


def test_the_plan_for_two_promises_keeps_both_and_is_the_smallest() -> None:
    plan = plan_for(0.05, 0.05, 0.01, 0.05)
    assert plan == AcceptancePlan(n=181, c=4)
    assert accept_probability(plan, 0.05) <= 0.05
    assert accept_probability(plan, 0.01) >= 0.95
    for c in range(plan.c):
        assert accept_probability(AcceptancePlan(n=smallest_sample(c, 0.05, 0.05), c=c), 0.01) < 0.95
    assert plan_for(0.05, 0.05, 0.0, 0.05) == AcceptancePlan(n=59, c=0)


@pytest.mark.parametrize(
    "values", [(0.05, 0.05, 0.049, 0.05), (0.05, 0.05, 0.06, 0.05), (0.0, 0.05, 0.0, 0.05), (0.05, 1.0, 0.01, 0.05)]
)
def test_promises_that_no_plan_keeps_are_refused(values: tuple[float, float, float, float]) -> None:
    with pytest.raises(ConfigError):
        plan_for(*values)


def test_the_share_that_is_accepted_with_a_probability() -> None:
    plan = AcceptancePlan(n=93, c=1)
    assert accept_probability(plan, quality_at(plan, 0.95)) == pytest.approx(0.95)


@settings(max_examples=40, deadline=None)
@given(inspected=st.integers(0, 300), share=st.floats(0, 1))
def test_the_interval_is_that_of_clopper_and_pearson(inspected: int, share: float) -> None:
    num_bad = int(share * inspected)
    found = clopper_pearson(num_bad, inspected)
    if inspected:
        expected = binomtest(num_bad, inspected).proportion_ci(0.95, "exact")
        assert found == pytest.approx((expected.low, expected.high), abs=1e-6)
    else:
        assert found == (0, 1)


@pytest.mark.parametrize(("n", "c"), [(20, 0), (59, 0), (40, 1), (60, 3)])
def test_the_interval_covers_the_share_although_inspection_stops_early(n: int, c: int) -> None:
    """Every outcome of a curtailed inspection: the (c+1)th bad item, or the (n-c)th good one, comes last."""
    plan = AcceptancePlan(n=n, c=c)
    rejected = [(m, c + 1) for m in range(c + 1, n + 1)]
    accepted = [(n - c + x, x) for x in range(c + 1)]
    assert {decide(plan, m, x, 10_000) for m, x in rejected} == {"reject"}
    assert {decide(plan, m, x, 10_000) for m, x in accepted} == {"accept"}
    for share in np.linspace(0.002, 0.6, 60):
        weights = [(m, x, math.comb(m - 1, c) * share ** (c + 1) * (1 - share) ** (m - c - 1)) for m, x in rejected]
        weights += [(m, x, math.comb(m - 1, x) * share**x * (1 - share) ** (n - c)) for m, x in accepted]
        assert math.fsum(weight for *_, weight in weights) == pytest.approx(1)
        covered = math.fsum(
            weight for m, x, weight in weights if clopper_pearson(x, m).low <= share <= clopper_pearson(x, m).high
        )
        assert covered >= 0.95, share


@pytest.mark.parametrize(
    ("plan", "size", "num_bad"), [(AcceptancePlan(n=59, c=0), 400, 8), (AcceptancePlan(n=93, c=1), 1000, 20)]
)
def test_simulated_lots_are_accepted_as_often_as_the_curve_says(plan: AcceptancePlan, size: int, num_bad: int) -> None:
    """2,000 lots, each inspected item by item until it is decided."""
    random = np.random.default_rng(20261129)
    num_accepted = num_inspected = 0
    for _ in range(2_000):
        is_bad = random.permutation(size)[: plan.n] < num_bad
        decision, number, found = "undecided", 0, 0
        while decision == "undecided":
            found += int(is_bad[number])
            number += 1
            decision = decide(plan, number, found, size)
        num_accepted += decision == "accept"
        num_inspected += number
    expected = accept_probability(plan, num_bad / size, size)
    interval = binomtest(num_accepted, 2_000).proportion_ci(0.999, "exact")
    assert interval.low <= expected <= interval.high
    assert num_inspected < 2_000 * plan.n
