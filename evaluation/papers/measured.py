"""Results of a stored comparison, with the place of each in comparison.json.

for result in read_results(comparison): result.comparator, result.metric, result.mean, result.place
for difference in read_differences(comparison): difference.opponent, difference.low, difference.place
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from evaluation.papers.citations import pointer


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one comparator reached on one metric of one task."""

    comparator: str
    task: str
    metric: str
    mean: float
    low: float
    high: float
    num_items: int
    place: str
    """JSON pointer of the object that holds mean, low and high."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The candidate against one opponent on one metric."""

    opponent: str
    task: str
    metric: str
    difference: float
    low: float
    high: float
    p_value: float
    required: float
    verdict: str
    reason: str
    decisive: bool
    place: str
    """JSON pointer of the object that holds these fields."""


def candidate_results(comparison: Mapping[str, Any]) -> dict[str, list[Result]]:
    """Return what the candidate reached by task, without what is not a number."""
    by_task: dict[str, list[Result]] = {}
    for result in read_results(comparison):
        if result.comparator == "candidate" and math.isfinite(result.mean):
            by_task.setdefault(result.task, []).append(result)
    return by_task


def read_results(comparison: Mapping[str, Any]) -> list[Result]:
    """Return all results in their order, task by task."""
    tasks = list(enumerate(comparison.get("tasks") or ()))
    if not tasks:
        return _results(comparison["summaries"], "", comparison["num_items"], ("summaries",))
    return [
        result
        for index, task in tasks
        for result in _results(task["summaries"], task["task"], task["num_items"], ("tasks", index, "summaries"))
    ]


def _results(summaries: Iterable[Mapping[str, Any]], task: str, num_items: int, at: tuple[str | int, ...]) -> list[Result]:
    return [
        Result(
            comparator=summary["comparator"],
            task=task,
            metric=estimate["metric"],
            mean=float(estimate["mean"]),
            low=float(estimate["low"]),
            high=float(estimate["high"]),
            num_items=int(num_items),
            place=pointer(*at, first, "estimates", second),
        )
        for first, summary in enumerate(summaries)
        for second, estimate in enumerate(summary["estimates"])
    ]


def read_differences(comparison: Mapping[str, Any]) -> list[Compared]:
    """Return the candidate against everybody else."""
    return [
        Compared(
            opponent=item["opponent"],
            task=str(comparison.get("task", "")),
            metric=item["metric"],
            difference=float(item["difference"]),
            low=float(item["low"]),
            high=float(item["high"]),
            p_value=float(item["p_value"]),
            required=float(item["required"]),
            verdict=str(item["verdict"]),
            reason=str(item["reason"]),
            decisive=bool(item["decisive"]),
            place=pointer("differences", index),
        )
        for index, item in enumerate(comparison["differences"])
    ]


@dataclass(frozen=True, kw_only=True)
class Required:
    """A further metric that had to be won, or a metric, task or slice that must not become worse."""

    kind: str
    """`requirement` or `guard`."""
    task: str
    metric: str
    slice: str
    opponent: str
    difference: float
    low: float
    high: float
    required: float
    verdict: str
    reason: str
    decisive: bool
    place: str
    """JSON pointer of the object that holds these fields."""


def read_requirements(comparison: Mapping[str, Any]) -> list[Required]:
    """Return what the candidate had to show besides the release metric; nothing where nothing was asked for."""
    fields = ("task", "metric", "slice", "opponent", "difference", "low", "high", "required", "verdict", "reason", "decisive")
    return [
        Required(kind=kind, place=pointer(name, index), **{field: item[field] for field in fields})
        for kind, name in (("requirement", "requirements"), ("guard", "guards"))
        for index, item in enumerate(comparison.get(name) or ())
    ]


@dataclass(frozen=True, kw_only=True)
class Running:
    """What the answers of one comparator took; None where nothing was measured."""

    comparator: str
    latency_p50_s: float | None
    latency_p95_s: float | None
    prompt_tokens: float | None
    completion_tokens: float | None
    cost_per_1000_usd: float | None
    place: str
    """JSON pointer of the object that holds these fields."""


def read_running(comparison: Mapping[str, Any]) -> list[Running]:
    """Return latency, tokens and price by comparator, of those for which any of it was measured."""
    fields = ("latency_p50_s", "latency_p95_s", "prompt_tokens", "completion_tokens", "cost_per_1000_usd")
    found = [
        Running(
            comparator=item["comparator"], place=pointer("summaries", index), **{field: item.get(field) for field in fields}
        )
        for index, item in enumerate(comparison["summaries"])
    ]
    return [item for item in found if any(getattr(item, field) is not None for field in fields)]
