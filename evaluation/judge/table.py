"""What the judges say as two Markdown tables, for the asset's page and the report.

win_rate_table(summary)      | against | pairs | wins | ties | losses | plain | at equal length | required | verdict |
judge_table(summary)         | judge | judged | flips | first | length | kappa | labels | believed |
"""

from collections.abc import Sequence

from curation.judging.interval import Estimate
from evaluation.judge.summary import JudgeSummary


def win_rate_table(summary: JudgeSummary) -> str:
    """Return one row an opponent and task."""
    head = ("against", "pairs", "wins", "ties", "losses", "not judged", "plain", "at equal length", "required", "verdict")
    rows = [
        (
            f"{rate.opponent}, {rate.task}" if rate.task else rate.opponent,
            str(rate.num_pairs),
            str(rate.num_wins),
            str(rate.num_ties),
            str(rate.num_losses),
            str(rate.num_unjudged),
            _spread(rate.plain, rate.plain_low, rate.plain_high),
            _spread(rate.controlled, rate.controlled_low, rate.controlled_high),
            _percent(rate.required),
            rate.verdict if summary.may_gate else "advice only",
        )
        for rate in summary.win_rates
    ]
    return _table(head, rows)


def judge_table(summary: JudgeSummary) -> str:
    """Return one row a judge."""
    head = ("judge", "judged", "flagged", "failed", "flips", "first place", "length slope", "kappa", "labels", "believed")
    rows = [
        (
            judge.judge,
            str(judge.num_judged),
            str(judge.num_flagged),
            str(judge.num_failed),
            _percent(judge.flip_share),
            _percent(judge.first_share),
            f"{judge.length_slope:.2f} +- {judge.length_slope_error:.2f}",
            _kappa(judge.kappa),
            str(judge.num_labels),
            "yes" if judge.may_gate else "no",
        )
        for judge in summary.judges
    ]
    return _table(head, rows)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _spread(value: float, low: float, high: float) -> str:
    return f"{_percent(value)} ({low * 100:.1f} to {high * 100:.1f})"


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _kappa(found: Estimate) -> str:
    return "-" if found.value is None else str(found)
