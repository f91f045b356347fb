"""The preflight of a stage as an asset check: blocking, with the page that shows the rows token by token.

check_specs=[preflight_check(key)], ... as_result(home, run, [preflight_result(store, run.snapshot)])
"""

import json
from pathlib import Path
from typing import Any

import dagster as dg

from assets.presentation import displayable, page_link
from curation.pages import PAGE
from curation.store import Snapshot, Store
from training.preflight.findings import FOLDER

CHECK = "preflight"


def preflight_check(key: list[str]) -> dg.AssetCheckSpec:
    """Declare the check of a model asset."""
    return dg.AssetCheckSpec(
        name=CHECK,
        asset=key,
        description="Rows, labels, template, tokenizer and batches were right before the model was loaded.",
        blocking=True,
    )


def preflight_result(store: Store, snapshot: Snapshot) -> dg.AssetCheckResult:
    """Return what was found before a model was trained."""
    folder = snapshot.folders.get(FOLDER)
    if folder is None:
        said = "This model was trained before there was a preflight; materialize it again to have one."
        return dg.AssetCheckResult(check_name=CHECK, passed=False, severity=dg.AssetCheckSeverity.WARN, description=said)
    passed, metadata = _read(store.get_folder(folder))
    metadata["page"] = page_link(snapshot.asset, folder)
    return dg.AssetCheckResult(check_name=CHECK, passed=passed, metadata=metadata)


def log_stopped(context: dg.AssetExecutionContext, folder: Path) -> None:
    """Record the check of a stage that was stopped; its asset fails, so it cannot return the result itself."""
    if not (folder / "report.json").exists():
        return
    passed, metadata = _read(folder)
    evaluation = dg.AssetCheckEvaluation(
        asset_key=context.asset_key,
        check_name=CHECK,
        passed=passed,
        metadata=metadata,
        severity=dg.AssetCheckSeverity.ERROR,
        blocking=True,
    )
    context.log_event(evaluation)


def _read(folder: Path) -> tuple[bool, dict[str, Any]]:
    """Return the verdict of a report, and its figures with the path of its page."""
    report = json.loads((folder / "report.json").read_text())
    findings = [f"{item['severity']} {item['rule']}" for item in report["findings"]]
    metadata = {
        "rules_proved": len(report["rules_held"]),
        "num_rows": report["num_rows"],
        "learnt_share": displayable(report["num_trained"] / max(1, report["num_tokens"])),
        "findings": ", ".join(findings) or "none",
        "page_path": dg.MetadataValue.path(str(folder / PAGE)),
    }
    return bool(report["passed"]), metadata
