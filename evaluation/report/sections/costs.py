"""What an answer takes: latency, tokens and price of every comparator, and quality over it.

section(inputs)      None where nothing was measured
"""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from evaluation.gate.comparison import Summary
from evaluation.gate.worth import tuning_worth
from evaluation.report.inputs import ReportInputs
from evaluation.report.plots.scatter import ScatterPoint, draw_scatter
from evaluation.report.section import Section
from evaluation.report.wording import is_share, name_of, shown, title_of

UNKNOWN = "not measured"


class CostRow(NamedTuple):
    """One comparator in words."""

    comparator: str
    quality: str
    p50: str
    p95: str
    tokens_in: str
    tokens_out: str
    price: str


def section(inputs: ReportInputs) -> Section | None:
    """Return the table of comparators with what they take, and the plot of quality over price, or over latency."""
    comparison = inputs.comparison
    measured = [item for item in comparison.summaries if item.latency_p50_s is not None or item.prompt_tokens is not None]
    if not measured:
        return None
    quality = {item.comparator: comparison.mean(item.comparator, comparison.metric) for item in comparison.summaries}
    worth = tuning_worth(comparison)
    plot, over = _plot(comparison.summaries, quality, comparison.metric)
    values = {
        "rows": [_row(item, quality[item.comparator], comparison.metric) for item in comparison.summaries],
        "metric": title_of(comparison.metric),
        "plot": plot,
        "over": over,
        "is_share": is_share(comparison.metric),
        "worth": worth.sentence if worth else "",
    }
    return Section("costs", "Cost against quality", "costs.html.j2", values, short="Cost")


def _row(item: Summary, quality: float | None, metric: str) -> CostRow:
    return CostRow(
        comparator=item.comparator,
        quality=UNKNOWN if quality is None else shown(metric, quality),
        p50=UNKNOWN if item.latency_p50_s is None else _seconds(item.latency_p50_s),
        p95=UNKNOWN if item.latency_p95_s is None else _seconds(item.latency_p95_s),
        tokens_in=UNKNOWN if item.prompt_tokens is None else f"{item.prompt_tokens:,.1f}",
        tokens_out=UNKNOWN if item.completion_tokens is None else f"{item.completion_tokens:,.1f}",
        price="price unknown" if item.cost_per_1000_usd is None else f"${item.cost_per_1000_usd:,.4g}",
    )


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def _plot(summaries: Sequence[Summary], quality: dict[str, float | None], metric: str) -> tuple[Markup, str]:
    priced = [(item, item.cost_per_1000_usd) for item in summaries if item.cost_per_1000_usd is not None]
    timed = [(item, item.latency_p50_s * 1000) for item in summaries if item.latency_p50_s is not None]
    chosen, unit = (priced, "USD for 1,000 requests") if len(priced) > 1 else (timed, "median latency, ms")
    points = [
        ScatterPoint(name_of(item.comparator), float(x), float(y), item.comparator == "candidate")
        for item, x in chosen
        if (y := quality[item.comparator]) is not None
    ]
    title = f"{title_of(metric)} over {unit}"
    return draw_scatter(points, title=title, unit=unit, scale=100.0 if is_share(metric) else 1.0), unit
