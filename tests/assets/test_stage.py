"""An asset runs its domain function only for inputs that it has not seen, and never loses what it had."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from assets.stage import Outputs, StageRun, run_stage
from curation.errors import EmptyDatasetError
from curation.home import Home
from curation.records import Rejection
from curation.store import Snapshot


def row(text: str, number: int = 0) -> Rejection:
    return Rejection(key=f"{text}/{number}", stage="s", reason="r", detail=text, record_hash="", excerpt="")


def source(version: str, partition: str = "") -> Snapshot:
    return Snapshot(asset="toy/source", partition=partition, version=version)


class Stage:
    """Runs `toy/rows` and counts how often its domain function is called."""

    def __init__(self, home: Home) -> None:
        self.home, self.num_calls = home, 0

    def run(self, version: str, *, code: str = "c1", partition: str = "", rows: list[Rejection] | None = None) -> StageRun:
        def make(fingerprint: str) -> Outputs:
            assert fingerprint
            self.num_calls += 1
            made = [row(version)] if rows is None else rows
            return Outputs(tables={"rows": (Rejection, made)}, values={"n": len(made)})

        return run_stage(self.home, asset="toy/rows", inputs=[source(version)], code=code, make=make, partition=partition)

    def newest(self, partition: str = "") -> list[str]:
        snapshot = self.home.store().snapshot("toy/rows", partition)
        return [item.detail for item in self.home.store().read_table(Rejection, snapshot.tables["rows"].root)]


@pytest.fixture
def stage(home: Home) -> Stage:
    return Stage(home)


def test_same_inputs_are_found_not_made(stage: Stage) -> None:
    first, second = stage.run("v1"), stage.run("v1")
    assert (first.is_reused, second.is_reused, stage.num_calls) == (False, True, 1)
    assert first.snapshot == second.snapshot
    assert first.snapshot.inputs == {"toy/source": "v1"}


@pytest.mark.parametrize("change", [{"version": "v2"}, {"version": "v1", "code": "c2"}, {"version": "v1", "partition": "p"}])
def test_changed_input_code_or_partition_is_made(stage: Stage, change: dict[str, str]) -> None:
    stage.run("v1")
    assert stage.run(**change).is_reused is False
    assert stage.num_calls == 2


def test_input_of_another_partition_is_another_input(home: Home) -> None:
    runs = [
        run_stage(home, asset="toy/x", inputs=[source("v1", partition)], code="c", make=lambda _: Outputs())
        for partition in "ab"
    ]
    assert [run.is_reused for run in runs] == [False, False]


def test_reverted_input_finds_the_old_build_and_makes_it_the_newest(stage: Stage) -> None:
    stage.run("v1")
    stage.run("v2")
    assert stage.newest() == ["v2"]
    assert stage.run("v1").is_reused is True
    assert stage.newest() == ["v1"]
    assert stage.num_calls == 2


def test_partitions_do_not_overwrite_each_other(stage: Stage) -> None:
    stage.run("v1", partition="a")
    stage.run("v2", partition="b")
    assert (stage.newest("a"), stage.newest("b")) == (["v1"], ["v2"])


def test_equal_rows_in_another_order_have_one_version(stage: Stage) -> None:
    rows = [row("x", number) for number in range(5)]
    first, second = stage.run("v1", rows=rows), stage.run("v2", rows=rows[::-1])
    assert second.is_reused is False
    assert first.snapshot.version == second.snapshot.version
    assert stage.run("v3", rows=rows[1:]).snapshot.version != first.snapshot.version


def test_failing_domain_function_leaves_the_previous_snapshot(stage: Stage) -> None:
    stage.run("v1")

    def fail(_: str) -> Outputs:
        raise EmptyDatasetError(dataset="rows", reason="none")

    with pytest.raises(EmptyDatasetError):
        run_stage(stage.home, asset="toy/rows", inputs=[source("v2")], code="c1", make=fail)
    assert stage.newest() == ["v1"]
    assert stage.run("v2").is_reused is False, "a failure is not remembered as a result"


def test_incomplete_result_counts_now_but_is_made_again(stage: Stage) -> None:
    def half(_: str) -> Outputs:
        return Outputs(tables={"rows": (Rejection, [row("half")])}, is_complete=False)

    assert run_stage(stage.home, asset="toy/rows", inputs=[source("v1")], code="c1", make=half).is_reused is False
    assert stage.newest() == ["half"]
    assert stage.run("v1").is_reused is False
    assert stage.newest() == ["v1"]


def test_failing_write_leaves_the_previous_snapshot(stage: Stage) -> None:
    stage.run("v1")
    with pytest.raises(FileNotFoundError):
        run_stage(
            stage.home,
            asset="toy/rows",
            inputs=[source("v2")],
            code="c1",
            make=lambda _: Outputs(tables={"rows": (Rejection, [row("half")])}, folders={"model": _missing()}),
        )
    assert stage.newest() == ["v1"]


def _missing() -> Path:
    raise FileNotFoundError("the folder that was to be stored")


def remove_files(home: Home, folder: str) -> int:
    files = [file for file in (home.path / "store" / folder).rglob("*") if file.is_file()]
    for file in files:
        os.unlink(file)
    return len(files)


@pytest.mark.parametrize("folder", ["tables", "shards"])
def test_rows_whose_files_are_gone_are_made_again(stage: Stage, folder: str) -> None:
    before = stage.run("v1")
    assert remove_files(stage.home, folder) == 1
    after = stage.run("v1")
    assert (after.is_reused, stage.num_calls) == (False, 2)
    assert after.snapshot.version == before.snapshot.version
    assert stage.newest() == ["v1"]


def test_folder_that_is_gone_is_made_again(home: Home, tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    (made / "weights").write_text("w")
    run: Callable[[], StageRun] = lambda: run_stage(  # noqa: E731
        home, asset="toy/model", inputs=[source("v1")], code="c", make=lambda _: Outputs(folders={"model": made})
    )
    stored = home.store().get_folder(run().snapshot.folders["model"])
    assert (stored / "weights").read_text() == "w"
    os.unlink(stored / "weights")
    stored.rmdir()
    assert run().is_reused is False
    assert (stored / "weights").read_text() == "w"
