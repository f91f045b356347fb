"""How long answers are: base, candidate and reference, and whether long answers are the right ones.

section(inputs).values["rows"][1]      LengthRow(label="candidate", median=18, mean=18.4, longest=42, right=18.2, wrong=19.0)
"""

import math
from collections.abc import Sequence
from statistics import mean, median
from typing import NamedTuple

from markupsafe import Markup

from evaluation.records import EvalAnswer
from evaluation.report.inputs import ReportInputs
from evaluation.report.plots.bars import HistogramRow, draw_histogram
from evaluation.report.right import are_right
from evaluation.report.section import Section
from evaluation.report.wording import name_of

NUM_BINS = 8
SHOWN = ("base", "champion", "candidate")


class LengthRow(NamedTuple):
    """Lengths of the answers of one comparator, in characters."""

    label: str
    median: float
    mean: float
    longest: int
    right: float | None
    """Mean length of right answers; None if none is right."""
    wrong: float | None
    plot: Markup


def section(inputs: ReportInputs) -> Section | None:
    """Return the lengths of what was written (not chosen by likelihood); None if all are alike."""
    right = are_right(inputs)
    series = {
        name: [answer for answer in inputs.answers if answer.comparator == name and not answer.log_likelihoods]
        for name in SHOWN
    }
    lengths = {name: [len(answer.answer) for answer in found] for name, found in series.items() if found}
    references = [len(answer.reference) for answer in series["candidate"]]
    edges = bin_edges([*references, *(value for found in lengths.values() for value in found)])
    if edges is None:
        return None
    rows = [
        _row(name_of(name), found, lengths[name], right, edges, name == "candidate") for name, found in series.items() if found
    ]
    rows.append(_row("reference", [], references, {}, edges, False))
    return Section("lengths", "Length of answers", "lengths.html.j2", {"rows": rows}, short="Length")


def bin_edges(values: Sequence[int]) -> list[float] | None:
    """Return the edges of bins that hold all values, closer where values are small; None if all are 0 or alike."""
    largest, smallest = max(values, default=0), min(values, default=0)
    if largest == smallest:
        return None
    if largest > 40 * max(smallest, 5):
        first = math.log1p(smallest)
        step = (math.log1p(largest) - first) / NUM_BINS
        return [round(math.expm1(first + step * index)) for index in range(NUM_BINS)] + [float(largest + 1)]
    step = (largest + 1 - smallest) / NUM_BINS
    return [round(smallest + step * index, 1) for index in range(NUM_BINS)] + [float(largest + 1)]


def _row(
    label: str,
    answers: Sequence[EvalAnswer],
    lengths: Sequence[int],
    right: dict[str, bool],
    edges: Sequence[float],
    is_main: bool,
) -> LengthRow:
    counts = [0] * (len(edges) - 1)
    for value in lengths:
        at = next((index for index in range(len(counts)) if value < edges[index + 1]), len(counts) - 1)
        counts[at] += 1
    good = [len(answer.answer) for answer in answers if right.get(answer.key, False)]
    bad = [len(answer.answer) for answer in answers if not right.get(answer.key, True)]
    plot = draw_histogram(
        HistogramRow(label, tuple(counts)), edges=edges, unit="characters", title=f"Length of answers: {label}", is_main=is_main
    )
    return LengthRow(
        label,
        median(lengths),
        mean(lengths),
        max(lengths),
        mean(good) if good else None,
        mean(bad) if bad else None,
        plot,
    )
