"""The sample viewer: every item with everybody's answers, filters, search, word differences, and the nearest training rows.

section(inputs).values["packed"].num_items      400

What scripts draw, the page has a short version of without them: the answers that got worse, then the wrong ones.
"""

from typing import NamedTuple

from evaluation.report.inputs import ReportInputs
from evaluation.report.item_data import pack_items
from evaluation.report.right import are_right
from evaluation.report.section import Section

MAX_TEXT = 400
SHOWN_WITHOUT_SCRIPTS = 20


class PlainRow(NamedTuple):
    """One item as it is shown without scripts."""

    key: str
    question: str
    reference: str
    base: str
    candidate: str
    base_is_right: bool
    candidate_is_right: bool
    state: str
    """`lost`, `wrong`, `gained` or `right`; lost and gained against the base."""


def section(inputs: ReportInputs) -> Section:
    """Return the viewer; every report has one."""
    rows = plain_rows(inputs)
    values = {
        "packed": pack_items(inputs),
        "rows": rows[:SHOWN_WITHOUT_SCRIPTS],
        "num_lost": sum(row.state == "lost" for row in rows),
        "num_gained": sum(row.state == "gained" for row in rows),
        "has_nearest": bool(inputs.nearest),
    }
    return Section("answers", "Answers side by side", "answers.html.j2", values, short="Answers")


def plain_rows(inputs: ReportInputs) -> list[PlainRow]:
    """Return all items with right and wrong answers, those first that say most: lost, then wrong, gained and right; by key."""
    right = are_right(inputs)
    answers = {answer.key: answer for answer in inputs.answers}
    rows = []
    for answer in inputs.answers:
        if answer.comparator != "candidate" or answer.key not in right:
            continue
        before = answers.get(f"base/{answer.item_key}")
        was_right, is_right = right.get(f"base/{answer.item_key}", False), right[answer.key]
        rows.append(
            PlainRow(
                answer.item_key,
                cut(answer.prompt),
                cut(answer.reference),
                cut(before.answer) if before else "",
                cut(answer.answer),
                was_right,
                is_right,
                ("right" if was_right else "gained") if is_right else ("lost" if was_right else "wrong"),
            )
        )
    order = ("lost", "wrong", "gained", "right")
    return sorted(rows, key=lambda row: (order.index(row.state), row.key))


def cut(text: str) -> str:
    """Return the beginning of a text."""
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]} [... {len(text) - MAX_TEXT:,} characters more]"
