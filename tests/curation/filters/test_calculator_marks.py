"""Calculator marks: counted, taken out, held against a row, or left."""

import pytest

from curation.filters.calculator_marks import clean_marks, count_marks, strip_marks
from curation.filters.rule_config import RuleConfig
from curation.filters.rule_table import find_problem
from tests.curation.filters.rule_rows import example, pair, unpaired

MARKED = "She has 16 - 3 = <<16-3=13>>13 eggs and gets <<13*2=26>>$26.\n#### 26"
CLEAN = "She has 16 - 3 = 13 eggs and gets $26.\n#### 26"


def test_marks_are_taken_out_of_answers_by_default() -> None:
    config = RuleConfig()
    assert clean_marks(example("How many <<1+1=2>>?", MARKED), config) == example("How many <<1+1=2>>?", CLEAN)
    assert clean_marks(pair("How many?", MARKED, MARKED + "!"), config) == pair("How many?", CLEAN, CLEAN + "!")
    assert clean_marks(unpaired("How many?", MARKED, True), config) == unpaired("How many?", CLEAN, True)
    assert find_problem(example("How many?", MARKED), config) is None


def test_marks_can_be_held_against_a_row_or_left() -> None:
    row = example("How many?", MARKED)
    for choice in ("reject", "keep"):
        assert clean_marks(row, RuleConfig(calculator_marks=choice)) is row
    problem = find_problem(row, RuleConfig(calculator_marks="reject"))
    assert problem is not None
    assert problem.reason == "calculator_marks"
    assert find_problem(row, RuleConfig(calculator_marks="keep")) is None


@pytest.mark.parametrize("text", ["cout << a << b;", "1 << 2 == 4 >> 0", "x <<= 2", "<<EOF\nx=1\nEOF", "<<SYS>> = <<a=b>>"])
def test_other_uses_of_the_signs_stay(text: str) -> None:
    assert count_marks(text) == 0
    assert strip_marks(text) == text


def test_stripping_twice_changes_nothing_more() -> None:
    assert count_marks(MARKED) == 2
    assert strip_marks(strip_marks(MARKED)) == strip_marks(MARKED) == CLEAN
