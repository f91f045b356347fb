"""What the page of a check says about an expectation."""

import pytest

from assets.checks import describe_expectation
from curation.quality.expectation import ExpectationConfig


@pytest.mark.parametrize(
    ("expectation", "said"),
    [
        (
            ExpectationConfig(
                type="expect_column_values_to_be_between", column="text_copy", severity="warning", args={"max_value": 0.3}
            ),
            "Expected of text_copy: column values to be between (max_value 0.3). Severity: warning.",
        ),
        (
            ExpectationConfig(type="expect_table_row_count_to_be_between", args={"min_value": 1}),
            "Expected: table row count to be between (min_value 1). Severity: critical.",
        ),
        (
            ExpectationConfig(type="expect_column_values_to_be_unique", column="key"),
            "Expected of key: column values to be unique. Severity: critical.",
        ),
    ],
)
def test_limits_are_named(expectation: ExpectationConfig, said: str) -> None:
    assert describe_expectation(expectation) == said


def test_long_limits_are_cut() -> None:
    values = [f"label {number}" for number in range(1_000)]
    expectation = ExpectationConfig(type="expect_column_values_to_be_in_set", column="task", args={"value_set": values})
    assert len(describe_expectation(expectation)) < 300
