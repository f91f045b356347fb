"""Plots of one quantity over another: a loss over steps, and confidence against correctness.

draw_curve([(1, 4.2), (10, 2.1)], title="Loss of sft_model")
draw_reliability([ReliabilityBin(0.4, 0.35, 20)], title="Confidence of the candidate")
"""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from evaluation.report.plots.drawing import Axis, dot, figure, finite, line, path, words

WIDTH, HEIGHT = 340, 190


class ReliabilityBin(NamedTuple):
    """Answers of about one confidence: the mean confidence and the share that is right."""

    confidence: float
    accuracy: float
    num_answers: int


def draw_curve(points: Sequence[tuple[float, float]], *, title: str, also: Sequence[tuple[float, float]] = ()) -> Markup:
    """Draw loss over steps; `also` is a second, dashed line (held-out loss). Points that are not finite are left out."""
    main, second = finite(points), finite(also)
    if not main:
        return Markup()
    steps = [step for step, _ in main + second]
    losses = [loss for _, loss in main + second]
    across = Axis(min(steps), max(steps), 44, WIDTH - 12)
    up = Axis(min(0.0, *losses), max(losses) * 1.05 or 1.0, HEIGHT - 28, 10)
    parts = _frame(across, up)
    parts += path(main, across, up, "curve") + path(second, across, up, "curve dashed")
    described = f"Loss from {main[0][1]:.3f} at step {main[0][0]:g} to {main[-1][1]:.3f} at step {main[-1][0]:g}."
    return figure(parts, WIDTH, HEIGHT, title, described)


def draw_reliability(bins: Sequence[ReliabilityBin], *, title: str) -> Markup:
    """Draw the share of right answers over the confidence, a dot a bin as large as its answers; honest is the diagonal."""
    across, up = Axis(0.0, 1.0, 44, WIDTH - 12), Axis(0.0, 1.0, HEIGHT + 62, 10)
    height = HEIGHT + 90
    parts = [*_frame(across, up, height), line(across.at(0), up.at(0), across.at(1), up.at(1), "zero")]
    most = max((item.num_answers for item in bins), default=0) or 1
    points = [(item.confidence, item.accuracy) for item in bins]
    parts += path(finite(points), across, up, "curve")
    parts += [dot(across.at(item.confidence), up.at(item.accuracy), 3 + 6 * item.num_answers / most, "main") for item in bins]
    described = "; ".join(f"confidence {item.confidence:.0%}: {item.accuracy:.0%} right of {item.num_answers}" for item in bins)
    return figure(parts, WIDTH, height, title, described)


def _frame(across: Axis, up: Axis, height: float = HEIGHT) -> list[str]:
    parts = []
    for tick in up.ticks(4):
        parts += [
            line(44, up.at(tick), WIDTH - 12, up.at(tick), "grid"),
            words(38, up.at(tick) + 4, f"{tick:g}", "tick", "end"),
        ]
    return parts + [words(across.at(tick), height - 8, f"{tick:g}", "tick", "middle") for tick in across.ticks(4)]
