"""What the collapse guard says: one finding for each slice and measure, with value, limit and rows to look at.

report.status                      "fail"
report.findings[0]                 Finding(slice="qa", measure="real_share", value=0.12, limit=0.3, status="fail", ...)
"""

from dataclasses import dataclass
from typing import Literal

Status = Literal["pass", "warn", "fail"]
Measure = Literal[
    "real_share",
    "generation_depth",
    "seed_kept",
    "slice_coverage",
    "distinct_1",
    "distinct_2",
    "distinct_3",
    "self_similarity",
    "compression",
    "vendi",
    "tail_coverage",
]
_RANK = {"pass": 0, "warn": 1, "fail": 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One measure of one slice."""

    slice: str
    """The slice, or `*` for all rows."""
    measure: Measure
    status: Status
    value: float
    """What was measured on the synthetic rows (shares, similarities and ratios as named in the detail)."""
    reference: float | None
    """The same of the slice's human rows; None if there are too few to compare with."""
    retained: float | None
    """How much of the reference's diversity is left: 1 is all of it; None without a reference."""
    limit: float
    """What value or retained was held against."""
    detail: str
    """One sentence for people."""
    example_keys: tuple[str, ...] = ()
    """Rows to look at, at most five."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SliceSize:
    """How a slice is made up."""

    slice: str
    num_rows: int
    num_real: int
    real_share: float
    """Share of the human rows by weight."""
    max_depth: int
    """The highest generation depth, resolved through parents."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CollapseReport:
    """Every finding, sorted by slice and in the order of the measures; the sizes of the slices, sorted by name."""

    findings: tuple[Finding, ...]
    slices: tuple[SliceSize, ...]

    @property
    def status(self) -> Status:
        """The worst status of all findings."""
        return max((finding.status for finding in self.findings), key=_RANK.__getitem__, default="pass")

    @property
    def alarms(self) -> tuple[Finding, ...]:
        """The findings that do not pass, failures first."""
        return tuple(
            sorted((found for found in self.findings if found.status != "pass"), key=lambda found: -_RANK[found.status])
        )
