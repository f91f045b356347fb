"""The model card: Markdown with the front matter of the Hugging Face Hub. What is unknown is left out.

model_card(inputs, base_model="meta-llama/Llama-3.2-1B", license="llama3.2", promoted=True)
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from evaluation.report_inputs import ReportInputs
from evaluation.report_views import METRIC_NAMES, label_rows, name_of
from evaluation.verdict import format_p

_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]{1,40}")


def model_card(inputs: ReportInputs, *, base_model: str = "", license: str = "", promoted: bool | None = None) -> str:
    """Return the model card.

    Args:
        inputs: what the report shows.
        base_model: Hub name of the base; empty if the base was built on the spot.
        license: licence of the model, or of its data, as a name of the Hub; several are joined by commas.
        promoted: whether the model is the champion; None leaves it out.
    """
    front: dict[str, Any] = {
        "base_model": base_model,
        **_license_fields(license),
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["tunewright"],
        "model-index": [_model_index(inputs)],
    }
    sections = [
        ("Evaluation", _evaluation(inputs, promoted)),
        ("Limits", _limits(inputs)),
        ("Training", _training(inputs, base_model)),
        ("Training data", _data(inputs)),
        ("Use", _usage()),
        ("Provenance", _provenance(inputs)),
    ]
    return _card(front, inputs.recipe, inputs.description, sections)


def _card(front: Mapping[str, Any], title: str, description: str, sections: Iterable[tuple[str, str]]) -> str:
    filled = {name: value for name, value in front.items() if value}
    head = yaml.safe_dump(filled, sort_keys=False, allow_unicode=True, width=1000)
    body = [f"# {_plain(title)}", _plain(description), *(f"## {name}\n\n{text}" for name, text in sections if text)]
    return f"---\n{head}---\n\n" + "\n\n".join(part for part in body if part) + "\n"


def _license_fields(license: str) -> dict[str, str]:
    name = license.strip().lower()
    if not name:
        return {}
    return {"license": name} if _LICENSE.fullmatch(name) else {"license": "other", "license_name": license.strip()[:200]}


def _model_index(inputs: ReportInputs) -> dict[str, Any]:
    summary = next(item for item in inputs.comparison.summaries if item.comparator == "candidate")
    metrics = [
        {"type": item.metric, "name": METRIC_NAMES.get(item.metric, item.metric), "value": round(item.mean, 4)}
        for item in summary.estimates
    ]
    result = {
        "task": {"type": "text-generation"},
        "dataset": {"type": inputs.recipe, "name": f"{inputs.recipe}, held-out groups"},
        "metrics": metrics,
    }
    return {"name": inputs.recipe, "results": [result]}


def _evaluation(inputs: ReportInputs, promoted: bool | None) -> str:
    comparison = inputs.comparison
    metrics = [item.metric for item in comparison.summaries[0].estimates]
    rows = [
        (
            name_of(summary.comparator),
            *(f"{item.mean * 100:.1f} % ({item.low * 100:.1f} to {item.high * 100:.1f})" for item in summary.estimates),
        )
        for summary in comparison.summaries
    ]
    lines = [
        f"Verdict: **{comparison.verdict}**. {_plain(comparison.reason)}",
        f"{comparison.num_items:,} held-out items in {comparison.num_groups:,} groups; mean and "
        f"{comparison.confidence * 100:g} % interval.",
        _table(("Answered by", *(METRIC_NAMES.get(metric, metric) for metric in metrics)), rows),
    ]
    against = comparison.against("base")
    if against is not None:
        lines.append(
            f"Against the base: exact McNemar p {format_p(against.p_value)}, by group p {format_p(against.group_p_value)}."
        )
    if promoted is not None:
        lines.append("It is the champion of its recipe." if promoted else "It was not promoted.")
    return "\n\n".join(lines)


def _limits(inputs: ReportInputs) -> str:
    lines = [f"Measured on the task of the recipe `{_plain(inputs.recipe)}` only; nothing is known about other tasks."]
    weakest = sorted(label_rows(inputs), key=lambda row: (row.candidate, row.label))[:3]
    if weakest:
        told = ", ".join(f"{_plain(row.label)} ({row.candidate * 100:.0f} % of {row.num_items})" for row in weakest)
        lines.append(f"Weakest right answers: {told}.")
    return "\n\n".join(lines)


def _training(inputs: ReportInputs, base_model: str) -> str:
    rows = [
        (curve.stage, f"{curve.train[-1][0]:,}", f"{curve.train[0][1]:.3f}", f"{curve.train[-1][1]:.3f}")
        for curve in inputs.loss_curves
        if curve.train
    ]
    base = f"Base: `{_plain(base_model)}`." if base_model else "Base: a small Llama built on the spot."
    seeds = ", ".join(f"{_plain(name)} {value}" for name, value in inputs.seeds.items())
    table = _table(("Stage", "Steps", "First loss", "Last loss"), rows)
    return "\n\n".join(part for part in (base, table, f"Seeds: {seeds}." if seeds else "") if part)


def _data(inputs: ReportInputs) -> str:
    rows = [(item.stage, f"{item.kept:,}", f"{sum(item.rejected.values()):,}") for item in inputs.stage_rows]
    lines = [_table(("Stage", "Rows kept", "Rows rejected"), rows)]
    if inputs.teacher:
        cost = f", ${inputs.teacher_cost_usd:.2f}" if inputs.teacher_cost_usd else ""
        lines.append(f"Teacher: {_plain(inputs.teacher)}, {inputs.teacher_calls:,} replies{cost}.")
    if inputs.review:
        lines.append("Review: " + ", ".join(f"{_plain(name)} {count:,}" for name, count in inputs.review.items()) + ".")
    return "\n\n".join(line for line in lines if line)


def _usage() -> str:
    return (
        "```python\nfrom transformers import pipeline\n\n"
        'ask = pipeline("text-generation", model="PATH_TO_THIS_FOLDER")\n'
        'ask([{"role": "user", "content": "..."}], do_sample=False)\n```'
    )


def _provenance(inputs: ReportInputs) -> str:
    return _pairs({**inputs.model_hashes, **inputs.data_roots, **inputs.versions})


def _pairs(values: Mapping[str, Any]) -> str:
    return _table(("Name", "Value"), ((name, f"`{_plain(str(value))}`") for name, value in values.items() if str(value)))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(_plain(cell) for cell in row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", "|" + " --- |" * len(head), *lines]) if lines else ""


def _plain(text: str) -> str:
    flat = " ".join(str(text).split())
    return flat.replace("<", "&lt;").replace("|", "\\|")
