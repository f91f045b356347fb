"""Great Expectations on flat tables: violated, satisfied, and not evaluable are three different things."""

import pyarrow as pa
import pytest

from curation.errors import ConfigError
from curation.quality.config import ExpectationConfig, QualityConfig
from curation.quality.flatten import flatten_examples, flatten_pairs
from curation.quality.gallery import EXAMPLE_COLUMNS, PAIR_COLUMNS
from curation.quality.suites import MAX_FAILING_IDS, expectation_names, run_suite
from curation.records import Example, Message, PreferencePair, Provenance, Split
from curation.tables import schema_of, to_arrow

PROVENANCE = Provenance(origin="synthetic", method="qa", teacher="extractive", license="MIT", parents=("p1", "p2"))


def _example(key: str, answer: str = "fine", split: Split = "train") -> Example:
    roles = (("system", "Be brief."), ("user", f"Question {key}?"), ("assistant", answer))
    messages = tuple(Message(role=role, content=content) for role, content in roles)  # type: ignore[arg-type]
    return Example(key=key, task="qa", messages=messages, group=key, split=split, provenance=PROVENANCE)


def _flat(*examples: Example) -> pa.Table:
    return flatten_examples(to_arrow(Example, examples))


def test_examples_become_flat_rows() -> None:
    table = _flat(_example("a"), _example("b", ""))
    assert tuple(table.column_names) == EXAMPLE_COLUMNS
    first, second = table.to_pylist()
    assert (first["system"], first["prompt"], first["answer"]) == ("Be brief.", "Question a?", "fine")
    assert (first["num_messages"], first["num_prompt_chars"], first["num_answer_chars"], first["num_parents"]) == (3, 11, 4, 2)
    assert (first["origin"], first["teacher"], first["license"], first["template_id"]) == (
        "synthetic",
        "extractive",
        "MIT",
        None,
    )
    assert second["answer"] is None


def test_pairs_become_flat_rows() -> None:
    prompt = (Message(role="user", content="Q"),)
    pair = PreferencePair(
        key="p", task="qa", prompt=prompt, chosen="yes", rejected="", rejected_kind="", group="g", provenance=PROVENANCE
    )
    table = flatten_pairs(to_arrow(PreferencePair, [pair]))
    assert tuple(table.column_names) == PAIR_COLUMNS
    row = table.to_pylist()[0]
    assert (row["prompt"], row["chosen"], row["num_chosen_chars"], row["rejected"], row["rejected_kind"]) == (
        "Q",
        "yes",
        3,
        None,
        None,
    )


def test_good_rows_pass_the_default_suite(capfd: pytest.CaptureFixture[str]) -> None:
    suite = QualityConfig().suite("sft_dataset")
    outcomes = run_suite(suite, _flat(_example("a"), _example("b")))
    assert [outcome.name for outcome in outcomes] == list(expectation_names(suite))
    assert all(outcome.passed and not outcome.errored for outcome in outcomes)
    assert capfd.readouterr() == ("", "")


def test_violations_name_the_rows() -> None:
    rows = [_example("a"), _example("b", ""), _example("b", split="eval")]
    outcomes = {outcome.name: outcome for outcome in run_suite(QualityConfig().suite("sft_dataset"), _flat(*rows))}
    failed = {name: outcome.failing_ids for name, outcome in outcomes.items() if not outcome.passed}
    assert failed == {
        "expect_column_values_to_be_unique__key": ("b", "b"),
        "expect_column_values_to_not_be_null__answer": ("b",),
        "expect_column_values_to_be_in_set__split": ("b",),
    }
    outcome = outcomes["expect_column_values_to_be_unique__key"]
    assert (outcome.num_failing, outcome.errored, outcome.severity) == (2, False, "critical")
    assert "2 of 3" in outcome.detail


def test_failing_ids_are_capped_but_counted() -> None:
    suite = (
        ExpectationConfig(
            type="expect_column_values_to_match_regex", column="answer", args={"regex": "^x"}, severity="warning"
        ),
    )
    outcome = run_suite(suite, _flat(*(_example(f"k{number:03}") for number in range(50))))[1]
    assert (outcome.num_failing, len(outcome.failing_ids), outcome.severity) == (50, MAX_FAILING_IDS, "warning")
    assert outcome.failing_ids[0] == "k000"


def test_an_empty_table_fails_its_row_count() -> None:
    outcomes = run_suite(QualityConfig().suite("curated_examples"), flatten_examples(schema_of(Example).empty_table()))
    assert outcomes[0].name == "expect_table_row_count_to_be_between"
    assert (outcomes[0].passed, outcomes[0].observed_value) == (False, 0)


def test_what_cannot_be_evaluated_is_an_error_not_a_violation() -> None:
    suite = (
        ExpectationConfig(type="expect_column_values_to_not_be_null", column="nope"),
        ExpectationConfig(type="expect_column_values_to_be_between", column="answer", args={"min_value": 1}),
        ExpectationConfig(type="expect_column_mean_to_be_between", column="num_answer_chars", args={"max_value": 3}),
    )
    _, missing, mistyped, mean = run_suite(suite, _flat(_example("a")))
    assert (missing.errored, missing.passed, missing.num_failing) == (True, False, 0)
    assert "nope" in missing.detail
    assert (mistyped.errored, mistyped.passed) == (True, False)
    assert (mean.errored, mean.passed, mean.observed_value) == (False, False, 4.0)


def test_wrong_arguments_are_a_config_error() -> None:
    suite = (ExpectationConfig(type="expect_column_values_to_match_regex", column="answer", args={"regx": "a"}),)
    with pytest.raises(ConfigError, match="regx"):
        run_suite(suite, _flat(_example("a")))
