"""What the candidate knows by heart: loss on training rows against held-out rows, rows continued verbatim, canaries.

section(inputs)      None where nobody measured
"""

from typing import NamedTuple

from evaluation.memorisation.summary import Extractable
from evaluation.report.inputs import ReportInputs
from evaluation.report.section import Section


class ExtractableRow(NamedTuple):
    """Rows continued word for word after a number of tokens."""

    side: str
    prefix: int
    share: str
    interval: str
    control: str
    counted: str


def section(inputs: ReportInputs) -> Section | None:
    """Return the figures of memorisation."""
    found = inputs.memorisation
    if found is None:
        return None
    values = {
        "gap": found.gap,
        "rows": [_row(item) for item in found.extractable if item.num_tried],
        "exposures": [f"{bits:.1f}" for bits in found.exposures],
        "chance": [f"{bits:.1f}" for bits in found.control_exposures],
        "references": found.num_references,
    }
    return Section("memorisation", "What it knows by heart", "memorisation.html.j2", values, short="By heart")


def _row(item: Extractable) -> ExtractableRow:
    return ExtractableRow(
        item.side.replace("_", " "),
        item.prefix_tokens,
        f"{item.share * 100:.1f} %",
        f"{item.low * 100:.1f} to {item.high * 100:.1f}",
        f"{item.control * 100:.1f} %",
        f"{item.num_verbatim:,} of {item.num_tried:,}",
    )
