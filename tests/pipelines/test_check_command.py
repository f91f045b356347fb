"""`tunewright check`: what cannot be evaluated has not passed, and a held-out row among the training rows is a failed check."""

import io

import dagster as dg
import pytest
from rich.console import Console

from curation.records import Example, Message, Provenance
from curation.store import Snapshot
from pipelines.runner import CheckedRecipe, run_checks
from pipelines.session import print_checks
from tests.pipelines.conftest import Toy
from tests.pipelines.dagster_noise import dagster_noise

pytestmark = [dagster_noise, pytest.mark.slow]
ALONE = "toy__sft_dataset_no_held_out_rows"


def make_row(key: str, group: str, split: str) -> Example:
    messages = (Message(role="user", content=f"What is {key}?"), Message(role="assistant", content="A boat."))
    provenance = Provenance(origin="human", method="demonstration", license="CC0-1.0")
    return Example(key=key, messages=messages, provenance=provenance, split=split, group=group, task="qa")  # type: ignore[arg-type]


def put(toy: Toy, name: str, rows: list[Example]) -> None:
    store = toy.home.store()
    tables = {"examples": store.write_table(Example, rows)}
    store.put_snapshot(Snapshot(asset=f"toy/{name}", partition="", version="1", tables=tables))


def every_check(checked: CheckedRecipe) -> set[dg.AssetCheckKey]:
    return {item.asset_check_key for item in checked.evaluations} | {key for item in checked.problems for key in item.checks}


def test_a_check_that_cannot_be_evaluated_fails_and_says_why(toy: Toy) -> None:
    put(toy, "sft_dataset", [make_row("a", "g1", "train")])
    put(toy, "eval_set", [make_row("b", "g2", "eval")])
    checked, text = run_checks(toy.recipe, toy.definitions, toy.instance), io.StringIO()
    assert print_checks(checked, Console(file=text, width=500)) == 1
    lines = text.getvalue().splitlines()
    held_out = [line for line in lines if "no_held_out_rows" in line]
    assert [line.split()[0] for line in held_out] == ["pass"], lines
    unread = next(line for line in lines if "curated_examples: lineage_is_complete" in line)
    assert unread.startswith("error")
    assert "'toy/curated_examples' has not been materialized yet" in unread
    assert "Error:" not in unread, "the class of an exception tells a user nothing"
    assert every_check(checked) == {key for definition in toy.definitions.asset_checks or () for key in definition.check_keys}


def test_a_training_row_that_is_held_out_is_a_failed_check_with_its_name(toy: Toy) -> None:
    put(toy, "sft_dataset", [make_row("a", "g1", "train")])
    put(toy, "eval_set", [make_row("b", "g1", "eval")])
    job = toy.definitions.resolve_job_def("toy_checks")
    result = job.execute_in_process(instance=toy.instance, op_selection=[ALONE], raise_on_error=False)
    (found,) = result.get_asset_check_evaluations()
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "'b'" in (found.description or "")
    assert "'a'" in (found.description or "")
