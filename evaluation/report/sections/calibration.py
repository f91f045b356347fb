"""Confidence against correctness: of choices that were weighed by likelihood, and of answers that a local model wrote.

calibrate([Sure(0.9, True, "g1"), Sure(0.6, False, "g2")])      Calibration(ece=0.35, low=0.1, high=0.6, brier=0.185, ...)

The confidence of a choice is its share of the likelihood of all choices. That of a written answer is the geometric mean of the
probabilities of its tokens: how sure the model was of its words. Expected calibration error over ten bins (Naeini et al. 2015,
"Obtaining well calibrated probabilities using Bayesian binning"), with an interval over whole groups. It is never below 0, so
what an honest model would show with as many answers stands beside it. And the Brier score.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from evaluation.records import EvalAnswer
from evaluation.report.inputs import ReportInputs
from evaluation.report.plots.lines import ReliabilityBin, draw_reliability
from evaluation.report.right import main_metrics, right_values
from evaluation.report.section import Section
from evaluation.report.wording import name_of
from evaluation.scoring import values_of
from evaluation.statistics import CHUNK_CELLS, Floats, Interval
from evaluation.tasks.metrics import METRICS

NUM_BINS = 10
SHOWN = ("base", "champion", "candidate")
FEWEST = 20
"""Answers below which nothing is drawn."""
SAMPLES = 1000
CHOSEN = "Choices: confidence is the share of the chosen one in the likelihood of all choices."
WRITTEN = (
    "Written answers: confidence is the geometric mean of the probabilities of their tokens. It says how sure the model was of "
    "its words and not of their meaning: where a right answer has many wordings, it is low and yet right."
)


class Sure(NamedTuple):
    """One answer: how sure its model was, in [0, 1], and whether it is right."""

    confidence: float
    is_right: bool
    group: str


class Calibration(NamedTuple):
    """How honest the confidence of one comparator is."""

    ece: float
    low: float
    high: float
    by_chance: float
    """Mean calibration error of a model that is right exactly as often as it is sure."""
    brier: float
    mean_confidence: float
    accuracy: float
    bins: list[ReliabilityBin]


class CalibrationRow(NamedTuple):
    """One comparator with its plot."""

    comparator: str
    num_answers: int
    num_unknown: int
    """Answers of this kind of which nobody knows how sure the model was."""
    found: Calibration
    plot: Markup


def section(inputs: ReportInputs) -> Section | None:
    """Return calibration; None where no comparator has enough answers of which one knows how sure it was."""
    kinds = [(CHOSEN, chosen_answers(inputs)), (WRITTEN, written_answers(inputs))]
    parts = [(told, rows) for told, sure in kinds if (rows := _rows(inputs, sure))]
    values = {"parts": parts, "confidence": f"{inputs.comparison.confidence * 100:g} %"}
    return (
        Section("calibration", "Does it know when it is right?", "calibration.html.j2", values, short="Calibration")
        if parts
        else None
    )


def _rows(inputs: ReportInputs, answers: Mapping[str, list[Sure | None]]) -> list[CalibrationRow]:
    rows = []
    for name in SHOWN:
        known = [sure for sure in answers.get(name, ()) if sure is not None]
        if len(known) >= FEWEST:
            found = calibrate(known, confidence=inputs.comparison.confidence)
            plot = draw_reliability(found.bins, title=f"Right answers over confidence: {name_of(name)}")
            rows.append(CalibrationRow(name, len(known), len(answers[name]) - len(known), found, plot))
    return rows


def chosen_answers(inputs: ReportInputs) -> dict[str, list[Sure | None]]:
    """Return by comparator every answer that has likelihoods of two choices or more; right is the likeliest one."""
    right = right_values(inputs) | values_of(inputs.scores, "accuracy")  # never the one that is likeliest for its length
    found: dict[str, list[Sure | None]] = {}
    for answer in inputs.answers:
        if len(answer.log_likelihoods) > 1:
            found.setdefault(answer.comparator, []).append(_sure(_share(answer.log_likelihoods), right.get(answer.key), answer))
    return found


def written_answers(inputs: ReportInputs) -> dict[str, list[Sure | None]]:
    """Return by comparator every answer that a model wrote to a task whose answers are right or wrong."""
    told = {row.key: math.exp(min(0.0, row.mean_log_probability)) for row in inputs.confidences}
    is_told = {name: METRICS[name].is_binary or METRICS[name].aggregate == "macro_f1" for name in METRICS}
    tasks = {task for task, metric in main_metrics(inputs).items() if is_told.get(metric, False)}
    right, found = right_values(inputs), dict[str, list[Sure | None]]()
    for answer in inputs.answers:
        if answer.task in tasks and answer.num_tokens and not answer.log_likelihoods and not answer.error:
            found.setdefault(answer.comparator, []).append(_sure(told.get(answer.key), right.get(answer.key), answer))
    return found


def _sure(confidence: float | None, right: float | None, answer: EvalAnswer) -> Sure | None:
    is_known = confidence is not None and math.isfinite(confidence) and right is not None
    return Sure(confidence or 0.0, (right or 0.0) >= 1, answer.group) if is_known else None


def _share(log_likelihoods: Sequence[float]) -> float | None:
    best = max(log_likelihoods)
    if not math.isfinite(best):
        return None
    total = sum(math.exp(value - best) for value in log_likelihoods if math.isfinite(value))
    return 1.0 / total


def calibrate(answers: Sequence[Sure], *, confidence: float = 0.95, seed: int = 0) -> Calibration:
    """Return calibration error with its interval, Brier score and the bins that hold an answer."""
    sure = np.array([answer.confidence for answer in answers])
    right = np.array([float(answer.is_right) for answer in answers])
    places = np.minimum((sure * NUM_BINS).astype(np.int64), NUM_BINS - 1)
    in_bin = np.eye(NUM_BINS)[places]
    gaps = in_bin * (right - sure)[:, None]
    drawn = [
        ReliabilityBin(float(sure[places == at].mean()), float(right[places == at].mean()), int((places == at).sum()))
        for at in np.unique(places)
    ]
    interval = _resample(in_bin, gaps, [answer.group for answer in answers], confidence, seed)
    return Calibration(
        ece=float(np.abs(gaps.sum(axis=0)).sum() / len(answers)),
        low=interval.low,
        high=interval.high,
        by_chance=_by_chance(sure, in_bin, seed),
        brier=float(np.square(sure - right).mean()),
        mean_confidence=float(sure.mean()),
        accuracy=float(right.mean()),
        bins=drawn,
    )


def _resample(in_bin: Floats, gaps: Floats, groups: Sequence[str], confidence: float, seed: int) -> Interval:
    """Return the percentile interval of the calibration error when whole groups are resampled; one group tells nothing."""
    index: dict[str, int] = {}
    codes = np.array([index.setdefault(group, len(index)) for group in groups])
    if len(index) < 2:
        return Interval(0.0, 1.0)
    totals, sizes = np.zeros((len(index), NUM_BINS)), np.zeros(len(index))
    np.add.at(totals, codes, gaps)
    np.add.at(sizes, codes, in_bin.sum(axis=1))
    rng, found, chunk = np.random.default_rng(seed), [], max(1, CHUNK_CELLS // len(index))
    for start in range(0, SAMPLES, chunk):
        counts = rng.multinomial(len(index), np.full(len(index), 1 / len(index)), size=min(chunk, SAMPLES - start))
        found.append(np.abs(counts @ totals).sum(axis=1) / (counts @ sizes))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(found), [tail, 1 - tail])
    return Interval(float(low), float(high))


def _by_chance(sure: Floats, in_bin: Floats, seed: int) -> float:
    """Return the mean calibration error of answers that are right with just the probability that is their confidence."""
    rng, found, chunk = np.random.default_rng(seed), [], max(1, CHUNK_CELLS // len(sure))
    for start in range(0, SAMPLES, chunk):
        right = rng.random((min(chunk, SAMPLES - start), len(sure))) < sure
        found.append(np.abs((right - sure) @ in_bin).sum(axis=1) / len(sure))
    return float(np.concatenate(found).mean())
