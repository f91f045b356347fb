"""What people see on an asset's page: counts that Dagster plots, a few sample rows, rejections by reason, costs."""

import json
import math
from collections import Counter
from typing import Any

import dagster as dg

from assets.stage import StageRun
from curation.records import Document, Example, PreferencePair, Rejection, ReviewItem
from curation.store import Store
from evaluation.records import EvalAnswer, Score

RECORDS: dict[str, type] = {
    cls.__name__: cls for cls in (Document, Example, PreferencePair, Rejection, ReviewItem, EvalAnswer, Score)
}
SAMPLE_ROWS = 5
CELL_CHARS = 160
ENTITIES = {ord(mark): f"&#{ord(mark)};" for mark in "&<>|`[]\\*_~"}
"""What means something in Markdown or HTML; entities, since renderers differ on which backslashes count in a table."""


def metadata_of(store: Store, run: StageRun) -> dict[str, Any]:
    """Return the metadata of one materialization."""
    snapshot = run.snapshot
    metadata: dict[str, Any] = {f"num_{name}": table.num_rows for name, table in snapshot.tables.items()}
    metadata |= {name: displayable(value) for name, value in snapshot.values.items() if isinstance(value, (int, float, str))}
    metadata["reused"] = dg.MetadataValue.bool(run.is_reused)
    for name, table in snapshot.tables.items():
        rows = store.sample_rows(RECORDS[table.record], table.root, SAMPLE_ROWS) if table.num_rows else []
        if rows:
            metadata[f"sample_{name}"] = dg.MetadataValue.md(markdown_table(rows))
    if "rejections" in snapshot.tables:
        metadata["rejected_by_reason"] = dg.MetadataValue.md(_reasons(store, snapshot.tables["rejections"].root))
    for name, folder in snapshot.folders.items():
        metadata[f"{name}_path"] = dg.MetadataValue.path(str(store.get_folder(folder)))
    return metadata


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
    text = text[: CELL_CHARS - 3] + "..." if len(text) > CELL_CHARS else text
    return text.translate(ENTITIES)


def _reasons(store: Store, root: str) -> str:
    counts = Counter(store.read_arrow(Rejection, root).column("reason").to_pylist())
    if not counts:
        return "Nothing was rejected."
    return markdown_table([{"reason": reason, "rows": number} for reason, number in counts.most_common()])


def loss_plot(values: dict[str, Any]) -> dict[str, Any]:
    """Return the loss curve as metadata: a text plot that is readable on the asset's page, and the points as JSON."""
    curve = values.get("loss_curve") or []
    if not curve:
        return {}
    losses = [float(point[1]) for point in curve]
    step = max(1, len(losses) // 60)
    finite = [loss for loss in losses if math.isfinite(loss)] or [0.0]
    bars = "".join(_bar(loss, min(finite), max(finite)) for loss in losses[::step])
    text = f"`{bars}`\n\nloss {losses[0]:.3f} at step {curve[0][0]}, {losses[-1]:.3f} at step {curve[-1][0]}"
    points = [[point[0], displayable(float(point[1]))] for point in curve]
    return {"loss": dg.MetadataValue.md(text), "loss_curve": dg.MetadataValue.json(points)}


def _bar(value: float, low: float, high: float) -> str:
    blocks = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
    if not math.isfinite(value):
        return "?"
    return blocks[round((value - low) / (high - low) * (len(blocks) - 1))] if high > low else blocks[0]
