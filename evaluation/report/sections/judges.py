"""What judges prefer, and whether they are to be believed.

section(inputs)      None where no judge was asked
"""

from evaluation.report.inputs import ReportInputs
from evaluation.report.section import Section


def section(inputs: ReportInputs) -> Section | None:
    """Return the win rates and the judges."""
    if not inputs.judges:
        return None
    return Section("judges", "What judges prefer", "judges.html.j2", {"judges": inputs.judges}, short="Judges")
