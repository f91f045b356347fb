"""Where the report of a stage lies: PREFLIGHT/report.json for programs, PREFLIGHT/index.html for people.

page = save_report(report, Path("work/preflight"))
"""

import json
from pathlib import Path

from curation.files import write_atomically
from training.preflight.findings import PreflightReport
from training.preflight.page import render_html


def save_report(report: PreflightReport, folder: Path) -> Path:
    """Write the report, each file whole or not at all, and return the page. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report.as_plain(), indent=1, sort_keys=True, ensure_ascii=False)
    write_atomically(folder / "report.json", text.encode("utf-8", "replace"))
    page = folder / "index.html"
    write_atomically(page, render_html(report).encode("utf-8", "replace"))
    return page
