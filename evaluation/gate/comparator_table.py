"""All comparators in one table: what they score, how fast, with how many tokens, and at what price.

comparator_table(comparison)     "| comparator | Exact match | latency p50 | ... |" as Markdown
comparison_values(comparison)    {"exact_match_candidate": 0.71, "gsm8k_accuracy_base": 0.12, ...}: what Dagster plots
"""

from collections.abc import Iterable, Sequence
from typing import Any

from evaluation.gate.comparison import Comparison, Summary
from evaluation.gate.paired import Estimate
from evaluation.gate.slices import SliceResult
from evaluation.gate.task_results import ConfusionCell, TaskResult
from evaluation.gate.verdict import NAMES
from evaluation.gate.worth import tuning_worth
from evaluation.tasks.metrics import METRICS, shown, title_of

UNKNOWN = "not measured"
MAX_LABELS = 30


def comparator_table(comparison: Comparison) -> str:
    """Return the main task and the costs of each comparator as a Markdown table, and whether the training was worth it."""
    metrics = [item.metric for item in comparison.summaries[0].estimates]
    costs = ("latency p50, s", "latency p95, s", "tokens in", "tokens out", "USD for 1,000 requests")
    rows = [(NAMES[item.comparator], *_cells(item)) for item in comparison.summaries]
    table = _table(("answered by", *(title_of(metric) for metric in metrics), *costs), rows)
    worth = tuning_worth(comparison)
    return f"{table}\n\n{worth.sentence}" if worth else table


def _cells(summary: Summary) -> list[str]:
    quality = [_with_interval(item) for item in summary.estimates]
    costs = (summary.latency_p50_s, summary.latency_p95_s, summary.prompt_tokens, summary.completion_tokens)
    price = "price unknown" if summary.cost_per_1000_usd is None else f"{summary.cost_per_1000_usd:.4g}"
    return [*quality, *(UNKNOWN if each is None else f"{each:.3g}" for each in costs), price]


def _with_interval(item: Estimate) -> str:
    mean, low, high = (shown(item.metric, number) for number in (item.mean, item.low, item.high))
    return f"{mean} ({low} to {high})"


def task_table(tasks: Sequence[TaskResult]) -> str:
    """Return the main metric of each task and comparator, with its interval, as a Markdown table; empty for one task."""
    if len(tasks) < 2:
        return ""
    names = [summary.comparator for summary in tasks[0].summaries]
    rows = [(task.task, task.area, title_of(task.metric), str(task.num_items), *_means(task, names)) for task in tasks]
    return _table(("task", "area", "metric", "items", *(NAMES[name] for name in names)), rows)


def _means(task: TaskResult, names: Sequence[str]) -> list[str]:
    found = {(each.comparator, item.metric): item for each in task.summaries for item in each.estimates}
    return [_with_interval(found[name, task.metric]) for name in names]


def slice_table(comparison: Comparison) -> str:
    """Return candidate and base slice by slice as a Markdown table; empty without slices."""
    rows = [_slice_row(item) for item in comparison.slices]
    return _table(("task", "slice", "metric", "items", "base", "candidate", "candidate ahead by"), rows) if rows else ""


def _slice_row(item: SliceResult) -> tuple[str, ...]:
    scale = 100 if METRICS[item.metric].is_higher_better else 1
    ahead = f"{item.difference * scale:+.3g} ({item.low * scale:+.3g} to {item.high * scale:+.3g})"
    means = (shown(item.metric, item.base_mean), shown(item.metric, item.candidate_mean))
    return (item.task, item.slice, title_of(item.metric), str(item.num_items), *means, ahead)


def guard_table(comparison: Comparison) -> str:
    """Return what was required and guarded besides the release metric as a Markdown table; empty if nothing was."""
    results = (*comparison.requirements, *comparison.guards)
    rows = [(item.verdict if item.decisive else f"{item.verdict} (for information)", item.reason) for item in results]
    return _table(("verdict", "reason"), rows) if rows else ""


def confusion_table(cells: Sequence[ConfusionCell], comparator: str = "candidate") -> str:
    """Return one comparator's confusion matrix as a Markdown table, right labels in rows; empty without labels."""
    own = {(cell.label, cell.predicted): cell.num_items for cell in cells if cell.comparator == comparator}
    labels = sorted({label for label, _ in own})
    if not 1 <= len(labels) <= MAX_LABELS:
        return ""
    columns = sorted({predicted for _, predicted in own} | set(labels))
    rows = [(label, *(str(own.get((label, column), 0)) for column in columns)) for label in labels]
    return _table(("right label", *columns), rows)


def comparison_values(comparison: Comparison) -> dict[str, Any]:
    """Return the figures of a comparison by name, numbers only where they are plotted over materializations."""
    found: dict[str, Any] = {"verdict": comparison.verdict, "reason": comparison.reason, "num_items": comparison.num_items}
    for task in comparison.tasks:
        prefix = "" if task.task == comparison.task else f"{task.task}_"
        for summary in task.summaries:
            found |= {f"{prefix}{item.metric}_{summary.comparator}": item.mean for item in summary.estimates}
    for each in comparison.summaries:
        costs = {"latency_p95_s": each.latency_p95_s, "cost_per_1000_usd": each.cost_per_1000_usd}
        found |= {f"{name}_{each.comparator}": number for name, number in costs.items() if number is not None}
    worth = tuning_worth(comparison)
    found |= {"fine_tuning": worth.sentence} if worth else {}
    base = comparison.against("base")
    if base is not None:
        found |= {"difference": base.difference, "low": base.low, "high": base.high, "p_value": base.p_value}
        found["detectable_effect"] = base.detectable_effect
    found["guards_hurt"] = sum(item.verdict == "fail" and item.decisive for item in comparison.guards)
    return found


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + " --- |" * len(head), *lines[1:]])


def _cell(text: str) -> str:
    flat = " ".join(str(text).split())[:300]
    return flat.replace("<", "&lt;").replace("|", "\\|").replace("[", "\\[").replace("`", "\\`")
