"""Rows that break a critical expectation are not learnt, also when nobody evaluated the check."""

from pathlib import Path

import pytest

from assets.quality_gate import pass_quality_gate, suite_table
from curation.errors import QualityGateError
from curation.home import Home
from curation.records import Example, Message, Provenance
from curation.store import Snapshot
from tests.pipelines.toy_recipe import toy_home, toy_recipe
from training.config.methods import DOCUMENTS, EXAMPLES, TASKS

SUITE = """\
quality:
  suites:
    sft_dataset:
      - {type: expect_column_values_to_not_be_null, column: group}
      - {type: expect_column_values_to_be_in_set, column: task, args: {value_set: [qa]}, severity: SEVERITY}
"""


def put_rows(home: Home, tasks: list[str]) -> None:
    messages = (Message(role="user", content="What is an oar?"), Message(role="assistant", content="It moves a boat."))
    made = Provenance(origin="human", method="demonstration", license="CC0-1.0")
    rows = [
        Example(key=f"row-{number}", task=task, messages=messages, group=f"g{number}", split="train", provenance=made)
        for number, task in enumerate(tasks)
    ]
    tables = {"examples": home.store().write_table(Example, rows)}
    home.store().put_snapshot(Snapshot(asset="toy/sft_dataset", partition="", version="1", tables=tables))


@pytest.mark.slow
def test_a_critical_expectation_that_is_broken_stops_training_and_is_named(tmp_path: Path) -> None:
    recipe, home = toy_recipe(tmp_path, SUITE.replace("SEVERITY", "critical")), toy_home(tmp_path)
    put_rows(home, ["qa", "qa"])
    pass_quality_gate(recipe, home, EXAMPLES)
    put_rows(home, ["qa", "chat"])
    with pytest.raises(QualityGateError, match=r"in_set__task. of sft_dataset fails. 1 of 2 rows"):
        pass_quality_gate(recipe, home, EXAMPLES)
    pass_quality_gate(toy_recipe(tmp_path, SUITE.replace("SEVERITY", "warning")), home, EXAMPLES)


@pytest.mark.slow
def test_nothing_is_learnt_from_an_empty_table(tmp_path: Path) -> None:
    recipe, home = toy_recipe(tmp_path, SUITE.replace("SEVERITY", "critical")), toy_home(tmp_path)
    put_rows(home, [])
    with pytest.raises(QualityGateError, match="row_count"):
        pass_quality_gate(recipe, home, EXAMPLES)


def test_a_corpus_is_judged_by_its_documents_and_what_has_no_suite_by_nothing(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path)
    assert suite_table(recipe, DOCUMENTS) == "documents"
    assert suite_table(recipe, EXAMPLES) == "sft_dataset"
    assert suite_table(recipe, TASKS) is None
    assert suite_table(toy_recipe(tmp_path, "quality: {suites: {}}\n"), EXAMPLES) is None
