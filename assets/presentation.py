"""What people see on an asset's page: counts that Dagster plots, a few sample rows, rejections by reason, costs."""

import json
import math
from itertools import islice
from typing import Any

import dagster as dg

from assets.charts import bar_chart, escape, in_order, most_frequent, share_chart
from assets.stage import StageRun
from curation.pages import page_address
from curation.records import (
    ContaminationPair,
    Document,
    Example,
    PreferencePair,
    Rejection,
    ReviewItem,
    UnpairedPreference,
    VerifiableTask,
)
from curation.store import NOT_IN_VERSION, Store
from evaluation.forgetting.records import ProbeResult, SuiteItem
from evaluation.judge.records import JudgedLabel, JudgedPair
from evaluation.memorisation.records import RowProbe
from evaluation.records import AnswerTiming, EvalAnswer, EvalItem, Score

_ROWS = (
    Document,
    Example,
    PreferencePair,
    UnpairedPreference,
    VerifiableTask,
    Rejection,
    ReviewItem,
    ContaminationPair,
    AnswerTiming,
    EvalAnswer,
    EvalItem,
    Score,
    JudgedPair,
    JudgedLabel,
    SuiteItem,
    ProbeResult,
    RowProbe,
)
RECORDS: dict[str, type] = {cls.__name__: cls for cls in _ROWS}
SAMPLE_ROWS = 5
CELL_CHARS = 160
MAX_REJECTED_SAMPLES = 12
PLOT_CHARS = 48
"""Bars of a curve: more is cut off by the page."""


def metadata_of(store: Store, run: StageRun) -> dict[str, Any]:
    """Return the metadata of one materialization."""
    snapshot = run.snapshot
    metadata: dict[str, Any] = {f"num_{name}": table.num_rows for name, table in snapshot.tables.items()}
    shown = {name: value for name, value in snapshot.values.items() if isinstance(value, (int, float, str)) and value != ""}
    metadata |= {name: displayable(value) for name, value in shown.items()}
    metadata["reused"] = dg.MetadataValue.bool(run.is_reused)
    for name, table in snapshot.tables.items():
        is_shown = table.num_rows and name not in NOT_IN_VERSION
        rows = store.sample_rows(RECORDS[table.record], table.root, SAMPLE_ROWS) if is_shown else []
        if rows:
            metadata[f"sample_{name}"] = dg.MetadataValue.md(markdown_table(rows))
    if "rejections" in snapshot.tables:
        metadata |= _rejected(store, snapshot.tables["rejections"].root)
    for name, chart in snapshot.values.get("charts", {}).items():
        metadata[name] = dg.MetadataValue.md(_chart(name, chart))
    for name, folder in snapshot.folders.items():
        metadata[f"{name}_path"] = dg.MetadataValue.path(str(store.get_folder(folder)))
    return metadata


def page_link(asset: str, folder_hash: str) -> dg.UrlMetadataValue:
    """Link a stored page on the address of the Dagster UI, as `make dev` serves it; browsers open no file from there."""
    return dg.MetadataValue.url(page_address(asset, folder_hash))


def _chart(name: str, chart: dict[str, Any]) -> str:
    """Draw `rows_by_language` as counts of rows, `real_share_by_slice` as shares of a whole."""
    what, _, label = name.rpartition("_by_")
    label, drawn = label.replace("_", " "), in_order(chart)
    return share_chart(drawn, label=label) if what.endswith("share") else bar_chart(drawn, label=label, value="rows")


def displayable(value: Any) -> Any:
    """Return a value that the UI can show: NaN and infinity, which are no JSON, as text."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def markdown_table(rows: list[dict[str, Any]]) -> str:
    """Render rows as a Markdown table whose cells are short and cannot break out of it."""
    names = [name for name in rows[0] if name not in ("provenance", "sections")]
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(_cell(row[name]) for name in names) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return escape(text[: CELL_CHARS - 3] + "..." if len(text) > CELL_CHARS else text)


def _rejected(store: Store, root: str) -> dict[str, Any]:
    """Return how many rows fell to which reason, and a few of each to look at."""
    table = store.read_arrow(Rejection, root).select(["reason", "key", "detail", "excerpt"])
    counts = most_frequent(table.column("reason").to_pylist())
    if not counts:
        return {"rejected_by_reason": dg.MetadataValue.md("Nothing was rejected.")}
    chart = bar_chart(counts, label="reason", value="rows")
    samples = sample_by_reason(table.to_pylist(), MAX_REJECTED_SAMPLES)
    return {
        "rejected_by_reason": dg.MetadataValue.md(chart),
        "sample_rejections": dg.MetadataValue.md(markdown_table(samples)),
    }


def sample_by_reason(rows: list[dict[str, Any]], num_rows: int) -> list[dict[str, Any]]:
    """Return rows to look at: every reason in turn, the most frequent first, until there are enough."""
    by_reason: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_reason.setdefault(row["reason"], []).append(row)
    ranked = sorted(by_reason.values(), key=lambda found: (-len(found), found[0]["reason"]))
    turns = max(map(len, ranked), default=0)
    return list(islice((found[turn] for turn in range(turns) for found in ranked if turn < len(found)), num_rows))


def loss_plot(values: dict[str, Any]) -> dict[str, Any]:
    """Return the loss curve as metadata: a text plot that is readable on the asset's page, and the points as JSON."""
    curve = values.get("loss_curve") or []
    if not curve:
        return {}
    points = [[point[0], displayable(float(point[1]))] for point in curve]
    return {"loss": dg.MetadataValue.md(text_plot("loss", curve)), "loss_curve": dg.MetadataValue.json(points)}


def text_plot(name: str, points: list[Any]) -> str:
    """Draw (step, value) points as one line of bars that can be read on an asset's page, with the first and the last value."""
    values = [float(point[1]) for point in points]
    step = math.ceil(len(values) / PLOT_CHARS)
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    bars = "".join(_bar(value, min(finite), max(finite)) for value in values[::step])
    first, last = (f"{value:.3f}" if value == 0 or abs(value) >= 0.01 else f"{value:.3g}" for value in (values[0], values[-1]))
    return f"`{bars}`\n\n{name} {first} at step {points[0][0]}, {last} at step {points[-1][0]}"


def _bar(value: float, low: float, high: float) -> str:
    blocks = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
    if not math.isfinite(value):
        return "?"
    return blocks[round((value - low) / (high - low) * (len(blocks) - 1))] if high > low else blocks[0]
