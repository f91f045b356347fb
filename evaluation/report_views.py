"""What the report's template shows: rows prepared from scores, answers and counts.

answer_rows(inputs)[0].state     "gained": the base was wrong and the candidate is right
label_rows(inputs)               accuracy by right answer, when the answers are labels
"""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Literal, NamedTuple

from curation.ids import stable_fraction
from evaluation.records import EvalAnswer
from evaluation.report_inputs import ReportInputs
from evaluation.scoring import canonical_answer
from evaluation.verdict import NAMES

METRIC_NAMES = {"exact_match": "Exact match", "json_valid": "Valid JSON", "token_f1": "Token F1"}
MAX_ANSWERS = 400
MAX_TEXT = 600
MAX_LABELS = 30
SHOWN_SIDE_BY_SIDE = ("base", "base_few_shot", "champion", "candidate")
State = Literal["gained", "lost", "right", "wrong"]


class AnswerCell(NamedTuple):
    """One answer, cut to a readable length, and whether it is right."""

    comparator: str
    text: str
    is_right: bool


@dataclass(frozen=True, kw_only=True)
class AnswerRow:
    """One item with everybody's answers."""

    key: str
    question: str
    reference: str
    cells: tuple[AnswerCell, ...]
    state: State
    """`gained` and `lost` are against the base; otherwise both are right, or both wrong."""


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


def side_by_side(inputs: ReportInputs) -> list[str]:
    """Return the comparators whose answers are shown next to each other."""
    asked = {summary.comparator for summary in inputs.comparison.summaries}
    return [name for name in SHOWN_SIDE_BY_SIDE if name in asked]


def answer_rows(inputs: ReportInputs) -> list[AnswerRow]:
    """Return a stable sample of the items, by key, with the answers of base, few-shot base, champion and candidate."""
    right = {score.key: score.exact_match >= 1 for score in inputs.scores}
    answers = {answer.key: answer for answer in inputs.answers}
    shown = side_by_side(inputs)
    candidates = [answer for answer in inputs.answers if answer.comparator == "candidate"]
    sample = sorted(candidates, key=lambda answer: stable_fraction(answer.item_key, "report"))[:MAX_ANSWERS]
    rows = []
    for answer in sorted(sample, key=lambda answer: answer.item_key):
        keys = [f"{name}/{answer.item_key}" for name in shown]
        cells = tuple(
            AnswerCell(name, cut(answers[key].answer), right.get(key, False))
            for name, key in zip(shown, keys, strict=True)
            if key in answers
        )
        rows.append(
            AnswerRow(
                key=answer.item_key,
                question=cut(answer.prompt),
                reference=cut(answer.reference),
                cells=cells,
                state=_state(right.get(f"base/{answer.item_key}", False), right.get(answer.key, False)),
            )
        )
    return rows


def _state(was_right: bool, is_right: bool) -> State:
    if is_right:
        return "right" if was_right else "gained"
    return "lost" if was_right else "wrong"


def label_rows(inputs: ReportInputs) -> list[LabelRow]:
    """Return accuracy by right answer, most items first; empty if the answers are not labels (too many, or too long)."""
    right = {score.key: score.exact_match for score in inputs.scores}
    items: dict[str, list[str]] = {}
    for answer in inputs.answers:
        if answer.comparator == "candidate":
            items.setdefault(label_of(answer.reference), []).append(answer.item_key)
    if not 2 <= len(items) <= MAX_LABELS or any(len(label) > 40 for label in items):
        return []
    rows = [
        LabelRow(label, len(keys), _mean(right, "base", keys), _mean(right, "candidate", keys)) for label, keys in items.items()
    ]
    return sorted(rows, key=lambda row: (-row.num_items, row.label))


def _mean(right: dict[str, float], comparator: str, keys: list[str]) -> float:
    return sum(right.get(f"{comparator}/{key}", 0.0) for key in keys) / len(keys)


def confusions(inputs: ReportInputs, *, limit: int = 8) -> list[Confusion]:
    """Return the candidate's most frequent wrong answers by right answer."""
    right = {score.key for score in inputs.scores if score.exact_match >= 1}
    wrong = [answer for answer in inputs.answers if answer.comparator == "candidate" and answer.key not in right]
    counts = Counter((label_of(answer.reference), shown_label(answer)) for answer in wrong)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [Confusion(reference, answer, count) for (reference, answer), count in ordered[:limit]]


def shown_label(answer: EvalAnswer) -> str:
    """Return what an answer says as a label, or that it says nothing readable."""
    label = label_of(answer.answer)
    if not label:
        return "(empty)"
    return label if len(label) <= 40 else "(other text)"


def label_of(text: str) -> str:
    """Return the one value of `{"part":"strings"}`, or the text itself."""
    canonical = canonical_answer(text)
    parsed = json.loads(canonical) if canonical is not None else None
    if isinstance(parsed, dict) and len(parsed) == 1:
        value = next(iter(parsed.values()))
        if isinstance(value, str):
            return value
    return text.strip()


def cut(text: str) -> str:
    """Return at most 600 characters of a text."""
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]} [... {len(text) - MAX_TEXT:,} characters more]"


def name_of(comparator: str) -> str:
    """Return what people read for a comparator."""
    return NAMES.get(comparator, comparator)
