"""A recipe hears in time that a model goes away."""

import datetime
from typing import Any

import pytest

from curation.synthesis.budget.withdrawals import check_withdrawals
from curation.synthesis.teachers.config import TeacherConfig

DAY = datetime.date(2027, 1, 14)


def openai(**settings: Any) -> TeacherConfig:
    return TeacherConfig(kind="openai", **({"model": "m"} | settings))


@pytest.mark.parametrize(
    ("days", "expected"),
    [(91, None), (90, False), (31, False), (30, True), (0, True), (-5, True)],
)
def test_warned_90_days_before_and_failed_30_days_before(days: int, expected: bool | None) -> None:
    found = check_withdrawals([openai(shutdown_date="2027-01-14")], DAY - datetime.timedelta(days=days))
    assert [(item.is_failure, item.days_left) for item in found] == ([] if expected is None else [(expected, days)])


def test_a_teacher_that_only_steps_in_is_no_failure() -> None:
    (found,) = check_withdrawals([openai(shutdown_date="2027-01-14", weight=0.0)], DAY)
    assert not found.is_failure


def test_the_table_knows_days_for_its_own_endpoint_and_the_recipe_goes_first() -> None:
    (found,) = check_withdrawals([openai(model="gpt-4.1-mini")], DAY)
    assert found.shutdown_date == "2027-01-14"
    assert "https://" in found.source
    assert "gpt-4.1-mini" in str(found)
    assert check_withdrawals([openai(model="gpt-4.1-mini", base_url="http://127.0.0.1:1/v1")], DAY) == []
    assert check_withdrawals([openai(model="gpt-4.1-mini", shutdown_date="2031-01-01")], DAY) == []
    assert check_withdrawals([TeacherConfig(), openai()], DAY) == []


def test_the_first_to_go_comes_first() -> None:
    configs = [openai(name="b", shutdown_date="2027-02-01"), openai(name="a", shutdown_date="2027-01-20")]
    assert [item.teacher for item in check_withdrawals(configs, DAY)] == ["a", "b"]
