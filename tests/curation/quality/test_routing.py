"""Failing rows go where the suite sends them: all of them, once, and none on the word of a broken expectation."""

import pyarrow as pa
import pytest

from curation.errors import ConfigError
from curation.quality.config import ExpectationConfig, QualityConfig
from curation.quality.flatten import flatten_examples
from curation.quality.routing import reject_routed, route_failing_rows
from curation.records import Example, Message, Provenance
from curation.tables import to_arrow

REGEX = "expect_column_values_to_not_match_regex"


def _rule(regex: str, on_failure: str = "report", **args: object) -> ExpectationConfig:
    return ExpectationConfig(type=REGEX, column="answer", on_failure=on_failure, args={"regex": regex, **args})  # type: ignore[arg-type]


def _example(number: int, answer: str) -> Example:
    messages = (Message(role="user", content=f"Question {number}?"), Message(role="assistant", content=answer))
    provenance = Provenance(origin="human", method="demonstration")
    return Example(key=f"s/f#{number}", task="t", messages=messages, group=str(number), provenance=provenance)


ROWS = [_example(number, "bad" if number < 300 else "odd" if number < 350 else "good") for number in range(400)]


def test_all_failing_rows_are_routed_not_only_the_first() -> None:
    routed = route_failing_rows((_rule("bad", "reject"), _rule("bad|odd", "review")), flatten_examples(to_arrow(Example, ROWS)))
    assert (len(routed.reject_keys), len(routed.review_keys)) == (300, 50)
    assert [outcome.num_failing for outcome in routed.outcomes] == [0, 300, 350]
    kept, rejections = reject_routed(ROWS, routed, stage="curated_examples")
    assert {row.key for row in kept} | {item.key for item in rejections} == {row.key for row in ROWS}
    assert (len(kept), len(rejections)) == (100, 300)
    assert rejections[0].reason == f"quality:{routed.outcomes[1].name}"
    assert "answer: values to not match regex (regex bad)" in rejections[0].detail


def test_mostly_tolerates_in_the_check_but_the_rows_still_go() -> None:
    routed = route_failing_rows((_rule("odd", "review", mostly=0.5),), flatten_examples(to_arrow(Example, ROWS)))
    assert routed.outcomes[1].passed
    assert len(routed.review_keys) == 50


def test_reported_and_errored_expectations_send_no_rows() -> None:
    suite = (_rule("bad"), _rule("(", "reject"))
    routed = route_failing_rows(suite, flatten_examples(to_arrow(Example, ROWS)))
    assert (routed.reject_keys, routed.review_keys) == ({}, {})
    assert [outcome.status for outcome in routed.outcomes] == ["passed", "violated", "errored"]
    assert reject_routed(ROWS, routed, stage="s") == (tuple(ROWS), ())


def test_rows_cannot_be_routed_by_expectations_that_name_none() -> None:
    for kind in ("expect_table_row_count_to_be_between", "expect_column_mean_to_be_between"):
        with pytest.raises(ConfigError, match="names no rows"):
            ExpectationConfig(type=kind, column="num_turns", on_failure="reject")
    with pytest.raises(ConfigError, match="names no rows"):
        ExpectationConfig(type="expect_column_values_to_be_of_type", column="answer", on_failure="review")
    for kind in ("expect_column_values_to_be_unique", "expect_compound_columns_to_be_unique"):
        with pytest.raises(ConfigError, match="every copy"):
            ExpectationConfig(type=kind, column="prompt", on_failure="reject")


def test_a_repeated_prompt_keeps_its_first_row() -> None:
    rule = ExpectationConfig(
        type="expect_column_values_to_be_between", column="prompt_copy", on_failure="reject", args={"max_value": 1}
    )
    rows = [_example(1, "a"), _example(2, "b")]
    twin = Example(
        key="s/f#0", task="t", messages=(*rows[1].prompt, rows[0].messages[1]), group="x", provenance=rows[0].provenance
    )
    routed = route_failing_rows((rule,), flatten_examples(to_arrow(Example, [*rows, twin])))
    assert list(routed.reject_keys) == ["s/f#2"]


def test_rows_without_a_key_are_routed_under_the_empty_key() -> None:
    table = pa.table({"key": pa.array([None, "b"], pa.string()), "answer": ["bad", "good"]})
    assert list(route_failing_rows((_rule("bad", "reject"),), table).reject_keys) == [""]


def test_every_default_suite_is_valid_and_routes_nothing_by_itself() -> None:
    assert {item.on_failure for suite in QualityConfig().suites.values() for item in suite} == {"report"}
