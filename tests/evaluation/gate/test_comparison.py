import json
import random
from dataclasses import replace

import pytest

from curation.errors import ConfigError, EvaluationError
from evaluation.config import EvaluationConfig
from evaluation.gate.comparison import Comparison, compare, comparison_from_json
from evaluation.gate.verdict import Measured, judge
from evaluation.records import Score
from evaluation.release.config import ReleaseConfig
from evaluation.release.requirements import RequirementConfig
from evaluation.statistics import Interval


def make_scores(shares: dict[str, float], num_items: int = 200, group_size: int = 2) -> list[Score]:
    rows = []
    for comparator, share in shares.items():
        right = set(random.Random(comparator).sample(range(num_items), round(share * num_items)))
        for number in range(num_items):
            value = float(number in right)
            for metric, given in (("exact_match", value), ("json_valid", 1.0), ("token_f1", value / 2)):
                rows.append(
                    Score(
                        key=f"{comparator}/{number}#{metric}",
                        comparator=comparator,
                        task="held_out",
                        item_key=str(number),
                        group=f"g{number // group_size}",
                        metric=metric,
                        value=given,
                    )
                )
    return rows


def decide(shares: dict[str, float], num_items: int = 200, **release: float) -> Comparison:
    return compare(make_scores(shares, num_items), EvaluationConfig(bootstrap_samples=500), ReleaseConfig(**release))  # type: ignore[arg-type]


def test_a_clear_gain_passes_and_names_the_numbers() -> None:
    seen = decide({"base": 0.1, "candidate": 0.8})
    assert seen.verdict == "pass"
    assert seen.reason.startswith("The candidate is 70.0 points ahead of the base (interval +")
    against = seen.against("base")
    assert against is not None
    assert against.difference == pytest.approx(0.7)
    assert against.num_better - against.num_worse == 140
    assert against.num_better + against.num_worse + against.num_equal == 200
    assert against.p_value < 0.01
    assert seen.mean("candidate", "exact_match") == pytest.approx(0.8)


def test_a_clear_loss_and_a_standstill_fail() -> None:
    assert decide({"base": 0.8, "candidate": 0.3}).verdict == "fail"
    level = decide({"base": 0.0, "candidate": 0.0})
    assert level.verdict == "fail"
    assert level.reason.startswith("The candidate is level with the base")


def test_a_small_gain_is_undecided_and_says_how_many_items_it_takes() -> None:
    seen = decide({"base": 0.50, "candidate": 0.54})
    assert seen.verdict == "undecided"
    assert "About " in seen.reason
    assert "items would be needed" in seen.reason


def test_too_few_items_are_never_enough() -> None:
    seen = decide({"base": 0.0, "candidate": 1.0}, num_items=40)
    assert seen.verdict == "undecided"
    assert "Only 40 held-out items were answered, and 50 are the least" in seen.reason


def test_few_groups_are_never_enough() -> None:
    rows = [replace(row, group=str(int(row.item_key) % 4)) for row in make_scores({"base": 0.0, "candidate": 1.0})]
    assert compare(rows, EvaluationConfig(), ReleaseConfig()).verdict == "undecided"


def test_the_minimum_difference_has_to_be_exceeded() -> None:
    assert decide({"base": 0.3, "candidate": 0.6}, minimum_difference=0.1).verdict == "pass"
    assert decide({"base": 0.3, "candidate": 0.6}, minimum_difference=0.25).verdict == "undecided"
    assert decide({"base": 0.3, "candidate": 0.6}, minimum_difference=0.5).verdict == "fail"


def test_the_champion_must_be_held_but_need_not_be_beaten() -> None:
    shares = {"base": 0.1, "candidate": 0.8}
    assert decide({**shares, "champion": 0.5}).verdict == "pass"
    rows = make_scores(shares)
    twin = [
        replace(row, key=f"champion/{row.item_key}#{row.metric}", comparator="champion")
        for row in rows
        if row.comparator == "candidate"
    ]
    assert compare([*rows, *twin], EvaluationConfig(), ReleaseConfig()).verdict == "pass"
    assert compare([*rows, *twin], EvaluationConfig(), ReleaseConfig(champion_margin=0.0)).verdict == "fail"
    worse = decide({**shares, "champion": 0.99})
    assert worse.verdict == "fail"
    assert "behind the champion" in worse.reason
    assert decide({**shares, "champion": 0.99}, against_champion=False).verdict == "pass"


@pytest.mark.parametrize(("opponent", "required"), [("base", -0.05), ("champion", -0.05)])
def test_a_loss_that_is_no_chance_is_no_win(opponent: str, required: float) -> None:
    """The tests are two-sided: a small p-value says that the two differ, and not which one is better."""
    seen = Measured(
        difference=-0.03,
        interval=Interval(-0.045, -0.01),
        p_value=0.001,
        group_p_value=0.001,
        num_better=10,
        num_worse=40,
        num_items=1000,
        inflation=1.0,
        error=0.01,
        is_binary=True,
    )
    assert judge(opponent, seen, required, ReleaseConfig())[0] == "undecided"
    gained = replace(seen, difference=0.03, interval=Interval(0.01, 0.045))
    assert judge(opponent, gained, required, ReleaseConfig())[0] == "pass"


def test_a_few_equal_answers_do_not_show_that_the_champion_is_held() -> None:
    def beside_a_twin(num_items: int) -> Comparison:
        rows = make_scores({"base": 0.1, "candidate": 0.8}, num_items, group_size=1)
        mine = [row for row in rows if row.comparator == "candidate"]
        twin = [replace(row, key=f"champion/{row.item_key}#{row.metric}", comparator="champion") for row in mine]
        return compare([*rows, *twin], EvaluationConfig(bootstrap_samples=500), ReleaseConfig())

    few = beside_a_twin(60)
    assert few.verdict == "undecided"
    assert "level with the champion" in few.reason
    assert "too close to decide with 60 items" in few.reason
    assert beside_a_twin(120).verdict == "pass"


def test_the_interval_of_a_share_is_as_wide_as_its_groups_make_it() -> None:
    def width(group_size: int) -> float:
        rows = make_scores({"base": 0.5, "candidate": 0.5}, group_size=group_size)
        alike = [replace(row, value=float(int(row.group[1:]) % 2)) for row in rows]
        summary = compare(alike, EvaluationConfig(bootstrap_samples=100), ReleaseConfig()).summaries[0]
        (found,) = [item for item in summary.estimates if item.metric == "exact_match"]
        assert found.mean == 0.5
        return found.high - found.low

    assert width(4) == pytest.approx(2 * width(1), rel=0.1)


def test_other_comparators_only_inform() -> None:
    seen = decide({"base": 0.1, "base_few_shot": 0.95, "majority": 0.3, "candidate": 0.8})
    assert seen.verdict == "pass"
    assert [item.opponent for item in seen.differences if item.decisive] == ["base"]


def test_row_order_changes_nothing_and_json_keeps_everything() -> None:
    rows = make_scores({"base": 0.2, "candidate": 0.7})
    seen = compare(rows, EvaluationConfig(), ReleaseConfig())
    assert compare(reversed(rows), EvaluationConfig(), ReleaseConfig()).hash() == seen.hash()
    again = comparison_from_json(json.loads(json.dumps(seen.as_json())))
    assert again == seen
    assert again.hash() == seen.hash()


def test_unequal_items_and_missing_comparators_are_refused() -> None:
    rows = make_scores({"base": 0.2, "candidate": 0.7})
    with pytest.raises(EvaluationError, match="'base' and 'candidate' did not answer the same items"):
        compare(rows[1:], EvaluationConfig(), ReleaseConfig())
    with pytest.raises(EvaluationError, match="no scores of 'base'"):
        compare(make_scores({"candidate": 0.7}), EvaluationConfig(), ReleaseConfig())
    with pytest.raises(EvaluationError, match="two scores"):
        compare([*rows, rows[0]], EvaluationConfig(), ReleaseConfig())


@pytest.mark.parametrize(
    "values",
    [
        {"comparators": ("base",)},
        {"max_items": 0},
        {"confidence": 1.0},
        {"shots": 0},
        {"comparators": ("base", "candidate", "base")},
    ],
)
def test_impossible_settings_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="evaluation"):
        EvaluationConfig(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_nobody_passes_by_being_worse_than_the_base(metric: str) -> None:
    with pytest.raises(ConfigError, match=r"release\.requires\.minimum_difference: must .*-0\.1"):
        RequirementConfig(metric=metric, minimum_difference=-0.1)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"must lie in \[0, 1\)"):
        ReleaseConfig(minimum_difference=-0.1)
    assert RequirementConfig(metric="log_loss", minimum_difference=1.5).minimum_difference == 1.5
