"""What counts as forgotten: paired, per area, with a margin, and never by default in favour of the model."""

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import EvaluationError
from evaluation.forgetting.config import ForgettingConfig
from evaluation.forgetting.records import ProbeResult, SuiteItem
from evaluation.forgetting.verdict import ForgettingResult, is_right, judge_forgetting
from tests.evaluation.forgetting.conftest import make_item, make_result

CONFIG = ForgettingConfig(bootstrap_samples=400)


def judge(items: list[SuiteItem], results: list[ProbeResult], config: ForgettingConfig = CONFIG) -> ForgettingResult:
    return judge_forgetting(items, results, base="base_model", model="sft_model", config=config)


def measured(items: list[SuiteItem], *, lost: int = 0, gained: int = 0, before: float = 0.5, after: float = 0.5) -> list[Any]:
    """The base has all but the last `gained` items right; the model loses the first `lost` and has the others right."""
    rows = []
    for number, item in enumerate(items):
        rows.append(make_result(item, "base_model", is_right=number < len(items) - gained, loss=before))
        rows.append(make_result(item, "sft_model", is_right=number >= lost, loss=after))
    return rows


ITEMS = [make_item(number) for number in range(40)]


def at_chance(*, before: float, after: float) -> list[ProbeResult]:
    models = (("base_model", before), ("sft_model", after))
    return [
        make_result(item, model, is_right=number % 4 == 0, loss=loss)
        for number, item in enumerate(ITEMS)
        for model, loss in models
    ]


def test_a_model_that_is_its_base_has_forgotten_nothing() -> None:
    found = judge(ITEMS, measured(ITEMS))
    assert (found.verdict, found.areas[0].measure, found.areas[0].difference) == ("pass", "accuracy", 0.0)
    assert found.is_allowed(CONFIG)


def test_a_lost_area_fails_and_is_named_beside_one_that_is_kept() -> None:
    others = [make_item(number, "code") for number in range(40)]
    found = judge(ITEMS + others, measured(ITEMS, lost=30) + measured(others))
    assert found.verdict == "fail"
    assert {area.area: area.verdict for area in found.areas} == {"facts": "fail", "code": "pass"}
    assert "Area facts: 100.0% right before, 25.0% after" in found.reason
    assert "code" not in found.reason
    assert not found.is_allowed(CONFIG)


def test_a_loss_around_the_margin_is_undecided_and_blocks_unless_the_recipe_says_otherwise() -> None:
    found = judge(ITEMS, measured(ITEMS, lost=4))
    assert found.verdict == "undecided"
    assert not found.is_allowed(CONFIG)
    assert found.is_allowed(dataclasses.replace(CONFIG, undecided="pass"))
    assert judge(ITEMS, measured(ITEMS, lost=4), dataclasses.replace(CONFIG, margins={"facts": 0.4})).verdict == "pass"


def test_too_few_items_are_undecided_however_good_they_look() -> None:
    assert judge(ITEMS[:19], measured(ITEMS[:19])).verdict == "undecided"
    assert judge(ITEMS[:20], measured(ITEMS[:20])).verdict == "pass"  # equal to the last bit


def test_a_few_items_without_a_flip_do_not_show_that_models_are_equal() -> None:
    rows = measured(ITEMS[:20], after=0.51)  # other likelihoods, the same right answers
    assert judge(ITEMS[:20], rows).verdict == "undecided"
    assert judge(ITEMS, measured(ITEMS, after=0.51)).verdict == "pass"


def test_items_of_one_passage_are_not_independent() -> None:
    grouped = [make_item(number, group=f"passage {number // 10}") for number in range(40)]
    assert judge(grouped, measured(grouped, after=0.51)).verdict == "undecided"


def test_an_area_at_chance_is_judged_by_likelihood() -> None:
    rows = at_chance(before=0.5, after=0.9)
    (area,) = judge(ITEMS, rows).areas
    assert (area.measure, area.verdict, area.base_accuracy, area.accuracy) == ("loss", "fail", 0.25, 0.25)
    assert area.difference == pytest.approx(-0.4)
    assert "near chance" in area.sentence


def test_of_a_base_that_knows_nothing_nothing_can_be_forgotten() -> None:
    drawn = 2 * math.log(1000) / len(" right")
    found = judge(ITEMS, at_chance(before=drawn, after=drawn * 2))
    assert (found.verdict, found.areas[0].verdict) == ("pass", "nothing_to_forget")
    assert found.reason == "The base knows nothing of facts."


def test_texts_are_judged_by_likelihood_alone() -> None:
    texts = [make_item(number, "text", kind="text", distractors=(), prompt="", reference="Old text.") for number in range(24)]
    assert judge(texts, measured(texts, after=0.55)).areas[0].verdict == "pass"
    assert judge(texts, measured(texts, after=0.7)).areas[0].verdict == "fail"


def test_a_tie_is_not_right_and_answers_are_graded() -> None:
    item = make_item(1)
    tied = make_result(item, "base_model", log_likelihoods=(-6.0, -6.0, -9.0, -9.0))
    assert not is_right(item, tied)
    asked = make_item(2, kind="generate", distractors=(), grader="exact", grading="right")
    assert is_right(asked, make_result(asked, "base_model"))
    assert not is_right(asked, make_result(asked, "base_model", answer="left"))


def test_items_that_did_not_fit_are_counted_and_left_out() -> None:
    rows = measured(ITEMS)
    rows[1] = dataclasses.replace(rows[1], log_likelihoods=(), num_bytes=())
    found = judge(ITEMS, rows)
    assert (found.num_unmeasured, found.areas[0].num_items) == (1, 39)


@pytest.mark.parametrize(("short", "verdict"), [("sft_model", "undecided"), ("base_model", "pass")])
def test_a_model_that_reads_less_than_its_base_is_not_shown_to_have_kept_it(short: str, verdict: str) -> None:
    rows = [
        dataclasses.replace(row, log_likelihoods=(), num_bytes=()) if row.model == short and at < 8 else row
        for at, row in enumerate(measured(ITEMS))
    ]
    found = judge(ITEMS, rows)
    assert (found.verdict, found.areas[0].num_items, found.num_unmeasured) == (verdict, 36, 4)
    assert ("4 more do not fit into its context" in found.reason) is (verdict == "undecided")
    assert found.is_allowed(CONFIG) is (verdict == "pass")


@pytest.mark.parametrize(("known", "verdict"), [(0.1, "undecided"), (None, "pass")])
def test_what_the_base_knows_of_items_that_the_model_cannot_read_is_not_nothing(known: float | None, verdict: str) -> None:
    drawn = 2 * math.log(1000) / len(" right")
    rows = at_chance(before=drawn, after=drawn)
    for at in range(0, 60, 2):  # base and model by turns
        if known is not None:
            rows[at] = make_result(ITEMS[at // 2], "base_model", is_right=True, loss=known)
        rows[at + 1] = dataclasses.replace(rows[at + 1], log_likelihoods=(), num_bytes=())
    found = judge(ITEMS, rows)
    assert (found.verdict, found.areas[0].num_unread, found.areas[0].num_items) == (verdict, 30, 10)


def test_nothing_measured_is_not_a_pass() -> None:
    rows = [dataclasses.replace(row, log_likelihoods=(), num_bytes=()) for row in measured(ITEMS)]
    assert judge(ITEMS, rows).verdict == "undecided"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"log_likelihoods": (math.nan, -1.0, -1.0, -1.0)}, "no log-likelihood"),
        ({"log_likelihoods": (-math.inf, -1.0, -1.0, -1.0)}, "no log-likelihood"),
        ({"log_likelihoods": (0.5, -1.0, -1.0, -1.0)}, "no log-likelihood"),
        ({"log_likelihoods": (-1.0,)}, "no log-likelihood"),
        ({"num_bytes": (6, 6, 6, 1)}, "no log-likelihood"),
        ({"item_hash": "0" * 32}, "lacks the item"),
        ({"model_hash": "another"}, "stems from 2 models"),
        ({"item_key": "own/facts/001"}, "measured twice"),
    ],
)
def test_results_that_do_not_hold_are_refused(change: dict[str, Any], problem: str) -> None:
    rows = measured(ITEMS)
    rows[1] = dataclasses.replace(rows[1], **change)
    with pytest.raises(EvaluationError, match=problem):
        judge(ITEMS, rows)


def test_missing_results_are_refused() -> None:
    with pytest.raises(EvaluationError, match="lacks the item"):
        judge(ITEMS, measured(ITEMS)[:-1])
    with pytest.raises(EvaluationError, match="stems from 0 models"):
        judge(ITEMS, [row for row in measured(ITEMS) if row.model == "base_model"])


@given(lost=st.integers(0, 40), more=st.integers(0, 40))
def test_who_loses_more_is_never_judged_better(lost: int, more: int) -> None:
    order = ("pass", "undecided", "fail")
    fewer, many = sorted((lost, more))
    verdicts = [judge(ITEMS, measured(ITEMS, lost=number)).verdict for number in (fewer, many)]
    assert order.index(verdicts[0]) <= order.index(verdicts[1])
