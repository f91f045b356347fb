import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.config import EvaluationConfig
from evaluation.gate.verdict import judge, measure
from evaluation.release.config import ReleaseConfig
from evaluation.statistics import (
    Interval,
    clustered_wilson,
    design_effect,
    detectable_effect,
    group_sign_test,
    holm,
    items_needed,
    mcnemar,
    non_inferiority,
    paired_bootstrap,
    tango,
    unpaired_z,
    widen_for_few,
    wilson,
)

DIFFERENCES = st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 1.0]), st.sampled_from("abcdef")), min_size=1, max_size=60)


def interval(rows: list[tuple[float, str]], seed: int = 0) -> tuple[float, float]:
    values, groups = zip(*rows, strict=True)
    return paired_bootstrap(values, groups, samples=400, confidence=0.95, seed=seed)


@given(DIFFERENCES)
def test_the_interval_lies_in_the_possible_range_and_repeats(rows: list[tuple[float, str]]) -> None:
    low, high = interval(rows)
    assert -1 <= low <= high <= 1
    assert interval(rows) == (low, high)


@given(DIFFERENCES)
def test_swapping_the_models_mirrors_the_interval(rows: list[tuple[float, str]]) -> None:
    low, high = interval(rows)
    mirrored = interval([(-value, group) for value, group in rows])
    assert mirrored == pytest.approx((-high, -low))


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(200):
        values = (rng.random(200) < 0.55).astype(float) - (rng.random(200) < 0.45).astype(float)
        low, high = paired_bootstrap(list(values), [str(i) for i in range(200)], samples=500, confidence=0.9, seed=trial)
        hits += low <= 0.1 <= high
    assert 0.84 <= hits / 200 <= 0.96


def test_items_of_one_group_are_not_independent_evidence() -> None:
    singles = paired_bootstrap([1.0, -1.0, 1.0, 1.0] * 25, [str(i) for i in range(100)], samples=2000, confidence=0.95, seed=0)
    bunched = paired_bootstrap(
        [value for value in (1.0, -1.0, 1.0, 1.0) for _ in range(25)],
        [str(i // 25) for i in range(100)],
        samples=2000,
        confidence=0.95,
        seed=0,
    )
    assert bunched.high - bunched.low > 2 * (singles.high - singles.low)


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_two_sided_binomial_and_symmetric(gains: int, losses: int) -> None:
    total, fewer = gains + losses, min(gains, losses)
    tail = sum(math.comb(total, k) for k in range(fewer + 1)) / 2**total
    assert mcnemar(gains, losses) == pytest.approx(min(1.0, 2 * tail))
    assert mcnemar(gains, losses) == mcnemar(losses, gains)


@given(st.integers(1, 400), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_holds_the_share_and_stays_in_range(num_items: int, share: float, confidence: float) -> None:
    hits = round(share * num_items)
    low, high = wilson(hits, num_items, confidence)
    assert 0 <= low <= hits / num_items <= high <= 1
    assert high > low


def test_items_of_a_group_that_go_together_count_once_in_a_share() -> None:
    alone = [str(number) for number in range(40)]
    by_four = [str(number // 4) for number in range(40)]
    assert clustered_wilson([1.0, 0.0] * 20, alone, 0.95) == wilson(20, 40, 0.95)
    assert clustered_wilson([1.0] * 40, by_four, 0.95) == wilson(10, 10, 0.95)
    alike = clustered_wilson([float(number // 4 % 2) for number in range(40)], by_four, 0.95)
    assert alike == pytest.approx(wilson(5, 10, 0.95), abs=0.03)
    assert clustered_wilson([], [], 0.95) == (0.0, 1.0)


def test_wilson_gives_the_known_value() -> None:
    assert wilson(8, 10, 0.95) == pytest.approx((0.4902, 0.9433), abs=1e-4)


@settings(deadline=None)
@given(DIFFERENCES, st.integers(0, 5))
def test_the_group_test_gives_a_probability_and_ignores_who_is_first(rows: list[tuple[float, str]], seed: int) -> None:
    values, groups = zip(*rows, strict=True)
    p_value = group_sign_test(values, groups, samples=100, seed=seed)
    assert 0 < p_value <= 1
    assert p_value == group_sign_test([-value for value in values], groups, samples=100, seed=seed)


def test_with_one_item_a_group_the_group_test_agrees_with_mcnemar() -> None:
    values = [1.0] * 38 + [-1.0] * 22 + [0.0] * 40
    p_value = group_sign_test(values, [str(i) for i in range(100)], samples=20_000, seed=1)
    assert p_value == pytest.approx(mcnemar(38, 22), abs=0.006)


def test_few_groups_never_give_a_small_p_value() -> None:
    assert group_sign_test([1.0] * 100, [str(i % 4) for i in range(100)], samples=2000, seed=0) == 2 / 16


def test_design_effect_is_the_group_size_when_a_group_answers_as_one() -> None:
    rng = np.random.default_rng(0)
    per_group = rng.choice([-1.0, 0.0, 1.0], 200)
    values = [float(value) for value in per_group for _ in range(5)]
    assert design_effect(values, [str(i // 5) for i in range(1000)]) == pytest.approx(5, rel=0.05)
    assert design_effect(values[::5], [str(i) for i in range(200)]) == pytest.approx(1, rel=0.02)


@given(st.floats(0.02, 0.9), st.floats(0, 1))
def test_the_items_needed_find_the_effect_they_were_computed_for(effect: float, discordant: float) -> None:
    needed = items_needed(effect, discordant, alpha=0.05)
    assert detectable_effect(needed, discordant, alpha=0.05) <= effect + 1e-3
    assert items_needed(effect, discordant, alpha=0.01) >= needed


def test_power_is_as_promised() -> None:
    rng = np.random.default_rng(3)
    num_items = items_needed(0.1, 0.3, alpha=0.05)
    found = 0
    for _ in range(400):
        draws = rng.random(num_items)
        found += mcnemar(int((draws < 0.2).sum()), int(((draws >= 0.2) & (draws < 0.3)).sum())) < 0.05
    assert 0.72 <= found / 400 <= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("group_size", [1, 5])
def test_two_equal_models_are_hardly_ever_told_apart(group_size: int) -> None:
    """A/A: with alpha 0.05, at most 5 % (and 2 % tolerance) of equal candidates pass, also when groups go together."""
    rng = np.random.default_rng(11)
    config, release = EvaluationConfig(bootstrap_samples=500), ReleaseConfig(alpha=0.05)
    num_groups, passed, trials = 300 // group_size, 0, 400
    groups = [str(i // group_size) for i in range(300)]
    for _ in range(trials):
        ours, theirs = (np.repeat(rng.random(num_groups) < 0.6, group_size).astype(float) for _ in range(2))
        passed += judge("base", measure(list(ours), list(theirs), groups, config), 0.0, release)[0] == "pass"
    assert passed / trials <= 0.05 + 0.02


P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def closed_test(p_values: list[float]) -> list[float]:
    """Holm by its definition: a hypothesis is rejected when Bonferroni rejects every intersection that it is part of."""
    indices = range(len(p_values))
    subsets = [[i for i in indices if mask >> i & 1] for mask in range(1, 2 ** len(p_values))]
    bonferroni = {tuple(subset): min(1.0, len(subset) * min(p_values[i] for i in subset)) for subset in subsets}
    return [max(value for subset, value in bonferroni.items() if index in subset) for index in indices]


@given(P_VALUES)
def test_holm_is_the_closed_test_of_bonferroni(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(closed_test(p_values))


@given(P_VALUES, st.randoms(use_true_random=False))
def test_holm_follows_the_order_given(p_values: list[float], chance: object) -> None:
    order = list(range(len(p_values)))
    chance.shuffle(order)  # type: ignore[attr-defined]
    corrected = holm(p_values)
    assert holm([p_values[i] for i in order]) == [corrected[i] for i in order]
    assert all(value <= raised <= 1 for value, raised in zip(p_values, corrected, strict=True))


def test_holm_keeps_false_rejections_to_alpha_over_several_metrics() -> None:
    rng = np.random.default_rng(2)
    false = sum(min(holm(list(rng.random(4)))) < 0.05 for _ in range(2000))
    assert 0.03 <= false / 2000 <= 0.065


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_two_sided_sum_of_binomial_tails(num_gains: int, num_losses: int) -> None:
    total, fewer = num_gains + num_losses, min(num_gains, num_losses)
    tail = sum(math.comb(total, hits) for hits in range(fewer + 1)) / 2**total
    assert mcnemar(num_gains, num_losses) == pytest.approx(min(1.0, 2 * tail))


@pytest.mark.filterwarnings("ignore:Precision loss")  # scipy, about answers that are all equal
@given(st.lists(st.booleans(), min_size=2, max_size=80), st.lists(st.booleans(), min_size=2, max_size=80))
def test_the_unpaired_test_is_a_welch_test_with_a_normal_tail(ours: list[bool], theirs: list[bool]) -> None:
    from scipy.stats import norm, ttest_ind

    if len(set(ours)) == 1 and len(set(theirs)) == 1:
        assert unpaired_z(ours, theirs) == (ours[0] == theirs[0])
        return
    statistic = ttest_ind(np.array(ours, float), np.array(theirs, float), equal_var=False).statistic
    assert unpaired_z(ours, theirs) == pytest.approx(2 * norm.sf(abs(statistic)))


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 60), st.floats(0.01, 0.3))
def test_tango_uses_the_likeliest_shares_at_the_margin(better: int, worse: int, level: int, margin: float) -> None:
    from scipy.optimize import minimize_scalar
    from scipy.stats import norm

    total = better + worse + level

    def negative_likelihood(share_worse: float) -> float:
        shares = (share_worse - margin, share_worse, 1 - 2 * share_worse + margin)
        counts = (better, worse, level)
        return -sum(n * math.log(max(share, 1e-300)) for n, share in zip(counts, shares, strict=True) if n)

    bounds = (margin, (1 + margin) / 2)
    share = minimize_scalar(negative_likelihood, bounds=bounds, method="bounded", options={"xatol": 1e-10}).x
    z = (better - worse + total * margin) / math.sqrt(total * (2 * share - margin - margin**2))
    assert tango(better, worse, total, margin) == pytest.approx(norm.sf(z), abs=1e-4)


def test_a_few_equal_answers_do_not_show_that_two_models_are_equal() -> None:
    few, many = non_inferiority([0.0] * 50, list(map(str, range(50))), 0.05), tango(0, 0, 400, 0.05)
    assert few > 0.05
    assert many < 0.001
    assert non_inferiority([0.0] * 400, [str(i % 20) for i in range(400)], 0.05) > 0.05


def test_non_inferiority_of_scores_in_between_is_a_t_test_over_groups() -> None:
    from scipy.stats import ttest_1samp

    rng = np.random.default_rng(3)
    values = list(rng.normal(0, 0.2, 60))
    alone = non_inferiority(values, list(map(str, range(60))), 0.05)
    assert alone == pytest.approx(ttest_1samp(np.array(values) + 0.05, 0, alternative="greater").pvalue)
    twice = non_inferiority(values * 2, list(map(str, range(60))) * 2, 0.05)
    assert twice == pytest.approx(alone)
    assert non_inferiority([], [], 0.05) == non_inferiority([0.5], ["a"], 0.05) == 1


def test_a_candidate_that_is_worse_by_the_margin_is_rarely_called_no_worse() -> None:
    rng = np.random.default_rng(4)
    wrong = 0
    for _ in range(1000):
        better, worse, _ = rng.multinomial(300, [0.06, 0.11, 0.83])
        wrong += tango(better, worse, 300, 0.05) < 0.05
    assert 0.02 <= wrong / 1000 <= 0.07


def test_items_of_a_single_group_count_as_one_item() -> None:
    values = [1.0, -1.0, *[0.0] * 398]
    assert design_effect(values, ["only"] * 400) == 400
    assert non_inferiority(values, ["only"] * 400, 0.05) > 0.05
    assert clustered_wilson([1.0, 0.0] * 200, ["only"] * 400, 0.95) == wilson(0.5, 1, 0.95)


def test_two_groups_show_little_however_many_items_they_have() -> None:
    values, groups = [1.0, -1.0, *[0.0] * 48] * 2, ["a"] * 50 + ["b"] * 50  # both groups come out level, by luck
    assert non_inferiority(values, list(map(str, range(100))), 0.1) < 0.01
    assert non_inferiority(values, groups, 0.1) > 0.025
    mixed = [0.02, -0.02] * 50
    assert non_inferiority(mixed, groups, 0.01) > 0.025


@pytest.mark.parametrize("num_groups", [2, 3, 5])
def test_few_groups_rarely_call_a_worse_candidate_no_worse(num_groups: int) -> None:
    """At the margin, groups that go together: at most 5 % (and 2 % tolerance) are called no worse."""
    rng, wrong = np.random.default_rng(7), 0
    groups = [str(item % num_groups) for item in range(num_groups * 20)]
    for _ in range(600):
        loss = rng.normal(0.1, 0.08, num_groups)  # of each group; the mean is the margin
        values = [-float(rng.random() < max(0.0, loss[item % num_groups])) for item in range(len(groups))]
        wrong += non_inferiority(values, groups, 0.1) < 0.05
    assert wrong / 600 <= 0.07


def test_the_interval_of_a_weighted_mean_is_that_of_a_ratio() -> None:
    """Texts of 10 to 10,000 bytes with nearly the same loss a byte: their lengths do not make the loss uncertain."""
    rng = np.random.default_rng(5)
    weights = [float(size) for size in rng.integers(10, 10_000, 200)]
    losses, groups = list(rng.normal(1.0, 0.01, 200)), list(map(str, range(200)))
    low, high = paired_bootstrap(losses, groups, samples=2000, confidence=0.95, seed=0, weights=weights)
    assert low < np.average(losses, weights=weights) < high
    assert high - low < 0.01
    assert paired_bootstrap(losses, groups, samples=500, confidence=0.95, seed=0, weights=[3.0] * 200) == pytest.approx(
        paired_bootstrap(losses, groups, samples=500, confidence=0.95, seed=0)
    )
    worse = [loss - 1.0 for loss in losses]
    assert non_inferiority(worse, groups, 0.01, weights) < 0.001
    assert design_effect(worse, groups, weights) == pytest.approx(1.0)


def test_the_interval_of_a_weighted_mean_covers_the_truth() -> None:
    rng, hits = np.random.default_rng(8), 0
    for trial in range(100):
        weights = rng.integers(1, 100, 100).astype(float)
        values = 0.2 + rng.normal(0, 0.3, 100)
        low, high = paired_bootstrap(
            list(values), list(map(str, range(100))), samples=300, confidence=0.9, seed=trial, weights=list(weights)
        )
        hits += low <= 0.2 <= high
    assert 0.82 <= hits / 100 <= 0.97


def test_an_interval_over_few_groups_is_widened_by_students_t() -> None:
    found = Interval(0.6, 0.7)
    assert widen_for_few(found, 0.65, 1, 0.95) == (-math.inf, math.inf)
    assert widen_for_few(found, 0.65, 3, 0.95) == pytest.approx(
        (0.65 - 0.05 * 4.3027 / 1.96, 0.65 + 0.05 * 4.3027 / 1.96), abs=1e-4
    )
    assert widen_for_few(found, 0.65, 100_000, 0.95) == pytest.approx(found, abs=1e-5)
