"""How training went: the loss of every stage.

section(inputs).values["curves"][0]      (LossCurve(stage="sft_model", ...), the plot)
"""

from collections.abc import Sequence

from markupsafe import Markup

from evaluation.report.inputs import LossCurve, ReportInputs
from evaluation.report.plots.lines import draw_curve
from evaluation.report.section import Section

MAX_POINTS = 240


def section(inputs: ReportInputs) -> Section | None:
    """Return the losses; None if no stage has any."""
    curves = [(curve, _plot(curve)) for curve in inputs.loss_curves if curve.train]
    return Section("training", "Training", "training.html.j2", {"curves": curves}) if curves else None


def _plot(curve: LossCurve) -> Markup:
    return draw_curve(_thin(curve.train), title=f"Loss of {curve.stage}", also=_thin(curve.evaluation))


def _thin(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    every = max(1, len(points) // MAX_POINTS)
    kept = list(points[::every])
    return kept if not points or kept[-1] == points[-1] else [*kept, points[-1]]
