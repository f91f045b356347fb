"""The quality page: one HTML file about all suites of a recipe that needs no network and no script.

report = make_report("demonstrations", suite, flat_table)
html = render_quality_page([report], title="support_assistant")

Everything shown is escaped; control and bidirectional marks of hostile keys are written out as codes.
"""

import base64
import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pyarrow as pa
from markupsafe import Markup

from curation.quality.expectation import ExpectationConfig
from curation.quality.histograms import Histogram, draw_histogram, find_histograms, show_number
from curation.quality.suites import ExpectationOutcome, run_suite

TEMPLATES = Path(__file__).parent / "templates"
MAX_SHOWN_CHARS = 160
NUM_SHOWN_IDS = 3
_ORDER = {"errored": 0, "violated": 1, "passed": 2}
_SEVERITIES = {"critical": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityReport:
    """What a suite found on one table."""

    table: str
    num_rows: int
    outcomes: tuple[ExpectationOutcome, ...]
    histograms: tuple[Histogram, ...] = ()

    def count(self, status: str, severity: str | None = None) -> int:
        """Return the number of expectations with this status (and this severity)."""
        return sum(item.status == status and severity in (None, item.severity) for item in self.outcomes)

    @property
    def verdict(self) -> str:
        """`blocked` if a critical expectation does not hold, `noted` if another one does not, else `clean`."""
        failed = [item.severity for item in self.outcomes if not item.passed]
        return "blocked" if "critical" in failed else "noted" if failed else "clean"


def make_report(
    table: str, suite: Sequence[ExpectationConfig], flat: pa.Table, outcomes: Sequence[ExpectationOutcome] | None = None
) -> QualityReport:
    """Return the report of a suite on a flat table; `outcomes` are those of a run that has been made already."""
    found = run_suite(suite, flat) if outcomes is None else outcomes
    return QualityReport(table=table, num_rows=flat.num_rows, outcomes=tuple(found), histograms=find_histograms(flat))


def render_quality_page(reports: Sequence[QualityReport], *, title: str = "Data quality", created_at: str = "") -> str:
    """Return one self-contained HTML page: a card a suite, what failed first. `created_at` is shown as given."""
    style = (TEMPLATES / "quality.css").read_text()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        _environment()
        .get_template("quality.html.j2")
        .render(
            reports=reports,
            title=title,
            created_at=created_at,
            totals={status: sum(report.count(status) for report in reports) for status in _ORDER},
            style=Markup(style),  # noqa: S704 - our own file
            policy=f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'",
            num_shown_ids=NUM_SHOWN_IDS,
        )
        .encode("utf-8", "backslashreplace")
        .decode()
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "visible": visible,
        "observed": _observed,
        "number": show_number,
        "in_order": _in_order,
        "share": _share,
        "percent": _percent,
        "words": lambda name: str(name).replace("_", " "),
        "draw": draw_histogram,
    }
    return environment


def visible(text: Any, limit: int = MAX_SHOWN_CHARS) -> str:
    """Return a text in which nothing is hidden: control, format and unassigned characters as codes, and not too long."""
    shown = "".join(char if unicodedata.category(char)[0] != "C" else f"\\u{ord(char):04x}" for char in str(text)[: limit + 1])
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}\u2026"


def _in_order(outcomes: Sequence[ExpectationOutcome]) -> list[ExpectationOutcome]:
    return sorted(outcomes, key=lambda item: (_ORDER[item.status], _SEVERITIES[item.severity], -item.num_failing))


def _share(item: ExpectationOutcome) -> float:
    return min(1.0, item.num_failing / item.num_rows) if item.num_rows else 0.0


def _percent(share: float) -> str:
    return "under 0.1 %" if 0 < share < 0.001 else f"{share * 100:.1f} %"


def _observed(value: Any) -> str:
    if value is None:
        return ""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return show_number(value) if is_number else visible(value)
