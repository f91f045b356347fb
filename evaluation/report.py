"""The evaluation report: one HTML file that needs no network, with the verdict first, in words.

write_report(inputs, folder)     folder/index.html

Everything shown is escaped; the page's own style and script are the only ones that its content policy allows.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from curation.files import write_atomically
from evaluation.comparison import Comparison, Difference
from evaluation.plots import BarRow, IntervalRow, PairRow, draw_bars, draw_curve, draw_intervals, draw_pairs
from evaluation.report_inputs import LossCurve, ReportInputs
from evaluation.report_views import METRIC_NAMES, answer_rows, confusions, label_rows, name_of, side_by_side
from evaluation.verdict import format_p

TEMPLATES = Path(__file__).parent / "templates"
MAX_POINTS = 240
HEADLINES = {
    "pass": "Better than its base: ready to promote",
    "fail": "Not better: do not promote",
    "undecided": "Not decided: the evidence is too thin",
}


def write_report(inputs: ReportInputs, folder: Path) -> Path:
    """Write FOLDER/index.html and return its path. Raises OSError if it cannot be written."""
    write_atomically(folder / "index.html", render_report(inputs).encode("utf-8", "replace"))
    return folder / "index.html"


def render_report(inputs: ReportInputs) -> str:
    """Return the report as one HTML page."""
    style, script = (TEMPLATES / "report.css").read_text(), (TEMPLATES / "report.js").read_text()
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            inputs=inputs,
            comparison=inputs.comparison,
            headline=HEADLINES[inputs.comparison.verdict],
            base=inputs.comparison.against("base"),
            metrics=[item.metric for item in inputs.comparison.summaries[0].estimates],
            clean=_clean_means(inputs),
            score_plot=_score_plot(inputs.comparison),
            difference_plot=_difference_plot(inputs.comparison),
            labels=label_rows(inputs),
            label_plot=_label_plot(inputs),
            confusions=confusions(inputs),
            curves=[(curve, _curve_plot(curve)) for curve in inputs.loss_curves if curve.train],
            rows_plot=_rows_plot(inputs),
            answers=answer_rows(inputs),
            shown=side_by_side(inputs),
            config_text=json.dumps(dict(inputs.config), indent=2, ensure_ascii=False, default=str),
            links=safe_links(inputs.links),
            style=Markup(style),  # noqa: S704
            script=Markup(script),  # noqa: S704
            policy=content_policy(style, script),
        )
    )


def _clean_means(inputs: ReportInputs) -> dict[str, float | None]:
    subset, metric = inputs.clean_subset, inputs.comparison.metric
    return {name: subset.mean(name, metric) if subset else None for name in ("base", "candidate")}


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": lambda share: f"{share * 100:.1f} %",
        "points": lambda value: f"{value * 100:+.1f}",
        "metric": lambda metric: METRIC_NAMES.get(metric, metric),
        "comparator": name_of,
        "p": lambda value: format_p(value).removeprefix("= "),
        "stage": lambda name: name.rpartition("/")[2].replace("_", " "),
        "reason": lambda name: name.replace("_", " "),
    }
    return environment


def content_policy(style: str, script: str) -> str:
    """Return a policy under which nothing loads and only the page's own style and script run."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def safe_links(links: Mapping[str, str]) -> dict[str, str]:
    """Return the links that lead to a web page; anything else (`javascript:`, `data:`, files) is dropped."""
    return {title: address for title, address in links.items() if address.startswith(("http://", "https://"))}


def _score_plot(comparison: Comparison) -> Markup:
    rows = []
    for summary in comparison.summaries:
        for estimate in summary.estimates:
            if estimate.metric == comparison.metric:
                note = f"{estimate.mean * 100:.1f} %"
                is_main = summary.comparator == "candidate"
                rows.append(IntervalRow(name_of(summary.comparator), estimate.mean, estimate.low, estimate.high, note, is_main))
    title = f"{METRIC_NAMES[comparison.metric]} on held-out items, %"
    return draw_intervals(rows, title=title, low=0.0, high=1.0)


def _difference_plot(comparison: Comparison) -> Markup:
    rows = [_difference_row(item) for item in comparison.differences]
    low = min(-0.05, *(row.low for row in rows)) - 0.02
    high = max(0.05, *(row.high for row in rows)) + 0.02
    return draw_intervals(rows, title="How far the candidate is ahead, points", low=low, high=high, mark=0.0, is_signed=True)


def _difference_row(item: Difference) -> IntervalRow:
    note = f"{item.difference * 100:+.1f}"
    return IntervalRow(name_of(item.opponent), item.difference, item.low, item.high, note, item.decisive)


def _label_plot(inputs: ReportInputs) -> Markup:
    rows = [
        PairRow(f"{row.label} ({row.num_items})", row.base, row.candidate, f"{row.candidate * 100:.0f} %")
        for row in label_rows(inputs)
    ]
    return draw_pairs(rows, title="Exact match by right answer, %", before="base", after="candidate") if rows else Markup()


def _curve_plot(curve: LossCurve) -> Markup:
    return draw_curve(_thin(curve.train), title=f"Loss of {curve.stage}", also=_thin(curve.evaluation))


def _thin(points: Any) -> list[tuple[float, float]]:
    every = max(1, len(points) // MAX_POINTS)
    kept = list(points[::every])
    return kept if not points or kept[-1] == points[-1] else [*kept, points[-1]]


def _rows_plot(inputs: ReportInputs) -> Markup:
    rows = [
        BarRow(item.stage.rpartition("/")[2].replace("_", " "), item.kept, sum(item.rejected.values()))
        for item in inputs.stage_rows
    ]
    return draw_bars(rows, title="Rows kept and rejected by stage") if rows else Markup()
