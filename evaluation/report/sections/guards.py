"""What else had to hold: further metrics to win, and metrics, tasks and slices that must not become worse.

section(inputs)      None where the recipe asks for neither
"""

from typing import NamedTuple

from evaluation.gate.guards import GuardResult
from evaluation.report.inputs import ReportInputs
from evaluation.report.section import ItemLink, Section
from evaluation.report.wording import ahead, name_of, shown, title_of


class GuardRow(NamedTuple):
    """One requirement or guard in words."""

    kind: str
    where: str
    opponent: str
    ours: str
    theirs: str
    difference: str
    interval: str
    required: str
    item: GuardResult
    link: dict[str, str]


def section(inputs: ReportInputs) -> Section | None:
    """Return requirements and guards, those that do not hold first."""
    comparison = inputs.comparison
    found = [("must win", item) for item in comparison.requirements] + [("must not lose", item) for item in comparison.guards]
    if not found:
        return None
    order = {"fail": 0, "undecided": 1, "pass": 2}
    rows = [_row(kind, item) for kind, item in sorted(found, key=lambda pair: (not pair[1].decisive, order[pair[1].verdict]))]
    held = sum(row.item.verdict == "pass" for row in rows)
    return Section("guards", "What else had to hold", "guards.html.j2", {"rows": rows, "held": held}, short="Guards")


def _row(kind: str, item: GuardResult) -> GuardRow:
    metric = item.metric
    return GuardRow(
        kind,
        ", ".join(part for part in (title_of(metric), item.task, item.slice) if part),
        name_of(item.opponent),
        shown(metric, item.candidate_mean),
        shown(metric, item.opponent_mean),
        ahead(metric, item.difference),
        f"{ahead(metric, item.low)} to {ahead(metric, item.high)}",
        ahead(metric, item.required),
        item,
        ItemLink(task=item.task, slice=item.slice, against=item.opponent, outcome="worse").as_attributes(),
    )
