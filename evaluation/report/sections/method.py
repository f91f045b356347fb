"""How it was measured, for those who want to know.

section(inputs)
"""

from evaluation.report.inputs import ReportInputs
from evaluation.report.section import Section


def section(inputs: ReportInputs) -> Section:
    """Return the description of the method."""
    return Section(
        "method", "How this was measured", "method.html.j2", {"alpha": f"{inputs.comparison.alpha:g}"}, short="Method"
    )
