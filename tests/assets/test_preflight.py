import json
from pathlib import Path
from typing import Any

import dagster as dg

from assets.preflight import log_stopped, preflight_check, preflight_result
from curation.home import Home
from curation.pages import read_page
from curation.store import Snapshot, version_of

EVALUATED = "ASSET_CHECK_EVALUATION"
REPORT = {
    "passed": False, "num_rows": 40, "num_tokens": 100, "num_trained": 25, "rules_held": ["no_labels"],
    "findings": [{"rule": "bos_repeated", "severity": "error"}],
}  # fmt: skip


def write_report(folder: Path, **changes: Any) -> Path:
    folder.mkdir()
    (folder / "report.json").write_text(json.dumps({**REPORT, **changes}))
    (folder / "index.html").write_text("<!doctype html>")
    return folder


def snapshot_with(folders: dict[str, str]) -> Snapshot:
    return Snapshot(asset="toy/sft_model", partition="", version="", folders=folders)


def test_the_check_of_a_trained_model_links_its_page(home: Home, tmp_path: Path) -> None:
    folder = home.store().put_folder(write_report(tmp_path / "preflight", passed=True))
    result = preflight_result(home.store(), snapshot_with({"preflight": folder}))
    assert result.passed
    assert read_page(home.store(), str(result.metadata["page"].value)) is None, "no snapshot names it yet"
    home.store().put_snapshot(snapshot_with({"preflight": folder}))
    assert read_page(home.store(), str(result.metadata["page"].value)) == b"<!doctype html>"
    assert result.metadata["page_path"].value == str(home.store().get_folder(folder) / "index.html")
    assert result.metadata["learnt_share"].value == 0.25
    assert result.metadata["findings"].value == "error bos_repeated"


def test_a_model_from_before_says_so_without_blocking(home: Home) -> None:
    result = preflight_result(home.store(), snapshot_with({"model": "9f"}))
    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.WARN


def test_a_report_does_not_make_a_model_another_one() -> None:
    assert version_of({}, {"model": "9f"}) == version_of({}, {"model": "9f", "preflight": "7a"})
    assert version_of({}, {"model": "9f"}) != version_of({}, {"model": "9f", "card": "7a"})


def test_a_stopped_stage_has_a_failed_check_with_its_page(tmp_path: Path) -> None:
    folder = write_report(tmp_path / "preflight")

    @dg.asset(key=["toy", "sft_model"], check_specs=[preflight_check(["toy", "sft_model"])])
    def stopped(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        log_stopped(context, tmp_path / "nothing")
        log_stopped(context, folder)
        raise ValueError("stopped")

    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize([stopped], instance=instance, raise_on_error=False)
        logged = [entry.dagster_event for entry in instance.all_logs(run.run_id)]
    evaluations: list[Any] = [event.event_specific_data for event in logged if event and event.event_type_value == EVALUATED]
    assert [(item.check_name, item.passed, item.severity.value) for item in evaluations] == [("preflight", False, "ERROR")]
    assert evaluations[0].metadata["page_path"].value == str(folder / "index.html")
    assert "page" not in evaluations[0].metadata, "no stage stored it, so no address has it"
    assert not run.success
