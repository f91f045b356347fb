"""What a withdrawal reaches across tables and models, what it records, and what it then refuses; on a home filled by hand."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from assets.withdrawals import pass_withdrawal_gate, release_obstacle, withdrawal_snapshots
from curation.errors import LedgerTamperedError, WithdrawalRefusedError, WithdrawnDataError
from curation.home import Home
from curation.lineage.subject import Subject
from curation.lineage.withdrawals import standing_withdrawals
from curation.records import Example
from curation.store import Snapshot
from pipelines.trace import trace_id
from pipelines.withdraw import find_reach, restore, withdraw
from tests.curation.lineage.rows import example
from tests.pipelines.toy_recipe import toy_home, toy_recipe, write_document

A = Subject.parse("docs/a.md")
ROWS = [
    example("docs/a.md#qa/0", "docs/a.md"),
    example("docs/b.md#variation/0", parents=("docs/a.md#qa/0",)),
    example("docs/b.md#qa/0", "docs/b.md"),
]


@dataclass(frozen=True)
class Filled:
    """A home with candidates, a data set without the first row, and three models in a chain and beside it."""

    folder: Path
    home: Home
    dataset: str
    tainted: str
    child: str
    clean: str


def put_model(home: Home, folder: Path, name: str, root: str, parent: str = "") -> str:
    work = folder / "models" / name
    work.mkdir(parents=True)
    (work / "manifest.json").write_text(json.dumps({"data": {"examples": root}, "parent": parent, "seed": len(name)}))
    model = home.store().put_folder(work)
    home.store().put_snapshot(Snapshot(asset=f"toy/{name}_model", partition="", version="1", folders={"model": model}))
    return model


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    home = toy_home(tmp_path)
    store = home.store()
    for asset, rows in (("candidates", ROWS), ("sft_dataset", ROWS[1:])):
        tables = {"examples": store.write_table(Example, rows)}
        store.put_snapshot(Snapshot(asset=f"toy/{asset}", partition="", version="1", tables=tables))
    dataset = store.snapshot("toy/sft_dataset").tables["examples"].root
    clean = put_model(home, tmp_path, "base", store.write_table(Example, ROWS[2:]).root)
    tainted = put_model(home, tmp_path, "sft", dataset, clean)
    child = put_model(home, tmp_path, "preference", store.write_table(Example, ROWS[2:]).root, tainted)
    return Filled(tmp_path, home, dataset, tainted, child, clean)


def test_reach_goes_through_rows_that_no_longer_stand_between_and_to_models_and_their_children(filled: Filled) -> None:
    reach = find_reach(filled.home, A)
    assert reach.keys == {"docs/a.md#qa/0", "docs/b.md#variation/0"}
    assert {model.model for model in reach.models} == {filled.tainted, filled.child}
    assert standing_withdrawals(filled.home) == (), "looking records nothing"


def test_withdrawal_marks_models_and_rows_and_restoring_unmarks_them(filled: Filled) -> None:
    entry, _ = withdraw(filled.home, A, who="Ada", reason="sent by mistake")
    assert (entry.num_rows, set(entry.model_hashes)) == (2, {filled.tainted, filled.child})
    assert "by Ada" in trace_id(filled.home, filled.tainted).facts["withdrawn"][0]
    assert trace_id(filled.home, filled.clean).facts["withdrawn"] == []
    assert "by Ada" in trace_id(filled.home, "docs/b.md#variation/0").facts["withdrawn"], "through its parent"
    assert trace_id(filled.home, "docs/b.md#qa/0").facts["withdrawn"] == ""
    restore(filled.home, A, who="Ada", reason="it was the other one")
    assert trace_id(filled.home, filled.tainted).facts["withdrawn"] == []


def test_training_and_release_are_refused_while_it_stands(filled: Filled) -> None:
    recipe, home = toy_recipe(filled.folder), filled.home
    check = {"roots": [filled.dataset], "parents": [filled.clean], "what": "Training 'sft'"}
    pass_withdrawal_gate(recipe, home, **check)
    withdraw(home, A, who="Ada", reason="sent by mistake")
    with pytest.raises(WithdrawnDataError, match=r"docs/b\.md#variation/0"):
        pass_withdrawal_gate(recipe, home, **check)
    with pytest.raises(WithdrawnDataError):
        pass_withdrawal_gate(recipe, home, roots=[], parents=[filled.child], what="Training 'preference'")
    assert release_obstacle(recipe, home, filled.child)
    assert not release_obstacle(recipe, home, filled.clean)
    restore(home, A, who="Ada", reason="it was the other one")
    pass_withdrawal_gate(recipe, home, **check)
    assert not release_obstacle(recipe, home, filled.child)


def test_gate_is_shut_when_the_ledger_is_not_intact(filled: Filled) -> None:
    import sqlite3

    withdraw(filled.home, A, who="Ada", reason="sent by mistake")
    with sqlite3.connect(filled.home.path / "withdrawals.db") as connection:
        connection.execute("DROP TRIGGER withdrawal_entries_update")
        connection.execute("UPDATE withdrawal_entries SET subject = 'docs/z.md'")
    connection.close()
    with pytest.raises(LedgerTamperedError):
        pass_withdrawal_gate(toy_recipe(filled.folder), filled.home, roots=[filled.dataset], parents=[], what="Training")


def test_subject_that_nothing_belongs_to_is_refused(filled: Filled) -> None:
    with pytest.raises(WithdrawalRefusedError, match="no document or row"):
        withdraw(filled.home, Subject.parse("docs/typo.md"), who="Ada", reason="x")
    assert standing_withdrawals(filled.home) == ()


def test_intake_has_what_is_withdrawn_of_its_source_among_its_inputs(filled: Filled) -> None:
    from assets.ingest import list_source_shards

    write_document(filled.folder, "a.md", "# a\n\nText.\n")
    recipe = toy_recipe(filled.folder)
    shards = list_source_shards(recipe)
    before = [item.version for item in withdrawal_snapshots(recipe, filled.home, shards)]
    withdraw(filled.home, A, who="Ada", reason="x")
    during = [item.version for item in withdrawal_snapshots(recipe, filled.home, shards)]
    restore(filled.home, A, who="Ada", reason="x")
    assert set(before).isdisjoint(during)
    assert [item.version for item in withdrawal_snapshots(recipe, filled.home, shards)] == before
