"""What the answers of each comparator took: latency, tokens, and money for 1,000 requests.

measure_costs(answers, timings, config)["candidate"]     Costs(latency_p50_s=0.11, latency_p95_s=0.32, prompt_tokens=61.0, ...)

A local model costs the price of its machine for the seconds that it took (`evaluation.gpu_usd_per_hour`), an endpoint what it
charged. What was not measured is None and never 0.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from evaluation.config import EvaluationConfig
from evaluation.records import AnswerTiming, EvalAnswer


class Costs(NamedTuple):
    """What an answer takes on average; None where nothing was measured."""

    latency_p50_s: float | None = None
    latency_p95_s: float | None = None
    prompt_tokens: float | None = None
    completion_tokens: float | None = None
    cost_per_1000_usd: float | None = None


def measure_costs(answers: Iterable[EvalAnswer], timings: Iterable[AnswerTiming], config: EvaluationConfig) -> dict[str, Costs]:
    """Return the costs by comparator over all answers that a model gave; an answer without a timing was not timed."""
    times = {timing.key: timing for timing in timings}
    given: dict[str, list[tuple[EvalAnswer, AnswerTiming]]] = {}
    for answer in sorted(answers, key=lambda answer: answer.key):
        timing = times.get(answer.key) or AnswerTiming(key=answer.key)
        if not answer.error and (answer.num_prompt_tokens or timing.latency_s):
            given.setdefault(answer.comparator, []).append((answer, timing))
    return {name: _measure(pairs, config) for name, pairs in given.items()}


def _measure(pairs: Sequence[tuple[EvalAnswer, AnswerTiming]], config: EvaluationConfig) -> Costs:
    rows = [answer for answer, _ in pairs]
    latencies = sorted(timing.latency_s for _, timing in pairs if timing.latency_s > 0)
    return Costs(
        latency_p50_s=_quantile(latencies, 0.5),
        latency_p95_s=_quantile(latencies, 0.95),
        prompt_tokens=round(sum(row.num_prompt_tokens for row in rows) / len(rows), 2),
        completion_tokens=round(sum(row.num_tokens for row in rows) / len(rows), 2),
        cost_per_1000_usd=_price(rows, sum(timing.machine_s for _, timing in pairs), config.gpu_usd_per_hour),
    )


def _price(rows: Sequence[EvalAnswer], seconds: float, usd_per_hour: float | None) -> float | None:
    if any(row.cost_usd > 0 for row in rows):
        return round(1000 * sum(row.cost_usd for row in rows) / len(rows), 6)
    if usd_per_hour is None or not seconds:
        return None
    return round(1000 * seconds / len(rows) * usd_per_hour / 3600, 6)


def _quantile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that at least this share of the sorted values does not exceed; None without values."""
    if not values:
        return None
    return round(values[max(0, math.ceil(share * len(values) - 1e-9) - 1)], 6)
