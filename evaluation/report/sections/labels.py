"""Where answers are labels: accuracy label by label, and which label is taken for which.

label_rows(inputs)[0]      LabelRow(label="strings", num_items=73, base=0.0, candidate=0.81)
"""

from collections import Counter
from typing import NamedTuple

from markupsafe import Markup

from evaluation.records import EvalAnswer
from evaluation.report.inputs import ReportInputs
from evaluation.report.plots.dots import PairRow, draw_pairs
from evaluation.report.right import right_values
from evaluation.report.section import Section
from evaluation.tasks.measures import label_of

MAX_LABELS = 30
LONGEST_LABEL = 40


class LabelRow(NamedTuple):
    """Accuracy on the items with one right answer."""

    label: str
    num_items: int
    base: float
    candidate: float


class Confusion(NamedTuple):
    """A wrong answer of the candidate that occurs often."""

    reference: str
    answer: str
    num_items: int


def section(inputs: ReportInputs) -> Section | None:
    """Return accuracy by right answer; None if the answers of the main task are no labels."""
    rows = label_rows(inputs)
    if not rows:
        return None
    values = {"plot": _plot(rows), "confusions": confusions(inputs)}
    return Section("labels", "Where it is right, and where not", "labels.html.j2", values, short="Labels")


def label_rows(inputs: ReportInputs) -> list[LabelRow]:
    """Return accuracy by right answer, most items first; empty if the answers are not labels (too many, or too long)."""
    right = right_values(inputs)
    items: dict[str, list[str]] = {}
    for answer in _main_answers(inputs):
        items.setdefault(label_of(answer.reference), []).append(answer.item_key)
    if not 2 <= len(items) <= MAX_LABELS or any(len(label) > LONGEST_LABEL for label in items):
        return []
    rows = [
        LabelRow(label, len(keys), _mean(right, "base", keys), _mean(right, "candidate", keys)) for label, keys in items.items()
    ]
    return sorted(rows, key=lambda row: (-row.num_items, row.label))


def _main_answers(inputs: ReportInputs) -> list[EvalAnswer]:
    task = inputs.comparison.task
    return [answer for answer in inputs.answers if answer.comparator == "candidate" and task in ("", answer.task)]


def _mean(right: dict[str, float], comparator: str, keys: list[str]) -> float:
    return sum(right.get(f"{comparator}/{key}", 0.0) for key in keys) / len(keys)


def confusions(inputs: ReportInputs, *, limit: int = 8) -> list[Confusion]:
    """Return the candidate's most frequent wrong answers by right answer."""
    right = {key for key, value in right_values(inputs).items() if value >= 1}
    wrong = [answer for answer in _main_answers(inputs) if answer.key not in right]
    counts = Counter((label_of(answer.reference), shown_label(answer)) for answer in wrong)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [Confusion(reference, answer, count) for (reference, answer), count in ordered[:limit]]


def shown_label(answer: EvalAnswer) -> str:
    """Return what an answer says as a label, or that it says nothing readable."""
    label = label_of(answer.answer)
    if not label:
        return "(empty)"
    return label if len(label) <= LONGEST_LABEL else "(other text)"


def _plot(rows: list[LabelRow]) -> Markup:
    pairs = [PairRow(f"{row.label} ({row.num_items})", row.base, row.candidate, f"{row.candidate * 100:.0f} %") for row in rows]
    return draw_pairs(pairs, title="Right answers by label, %", before="base", after="candidate")
