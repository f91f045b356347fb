"""From raw data to training rows: what each stage kept and rejected, and why.

section(inputs)      None where no stage is known
"""

from evaluation.report.inputs import ReportInputs
from evaluation.report.plots.bars import BarRow, draw_bars
from evaluation.report.section import Section


def section(inputs: ReportInputs) -> Section | None:
    """Return the funnel of the data."""
    if not inputs.stage_rows:
        return None
    rows = [
        BarRow(item.stage.rpartition("/")[2].replace("_", " "), item.kept, sum(item.rejected.values()))
        for item in inputs.stage_rows
    ]
    values = {"plot": draw_bars(rows, title="Rows kept and rejected by stage"), "stages": inputs.stage_rows}
    return Section("rows", "From raw data to training rows", "rows.html.j2", values, short="Data")
