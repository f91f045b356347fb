"""What the preflight found, before it is written for people: plain and small, ready for JSON.

Hit("bos_repeated", rows=[4, 9])                     a rule that does not hold, with the rows
Finding(rule="bos_repeated", severity="error", count=2, rows=(RowView(key="a#1", tokens=(...)),))
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from training.preflight.rules import Severity

Learnt = Literal["trained", "masked"]
FOLDER = "preflight"
"""Where the report of a stage lies in its work folder, and its name among the folders of the model's snapshot."""


class Hit(NamedTuple):
    """A rule that does not hold."""

    rule: str
    rows: Sequence[int] = ()
    """Rows in question; none if it is about tokenizer, template or sizes."""
    detail: str = ""
    """What exactly, as one sentence."""
    severity: Severity | None = None
    """Instead of the rule's own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """A token as text, or a few that make one character."""

    text: str
    state: Learnt
    is_special: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RowView:
    """A row, decoded token by token."""

    key: str
    part: str = ""
    """`chosen` or `rejected` of a pair; otherwise empty."""
    tokens: tuple[Token, ...] = ()
    num_tokens: int = 0
    num_trained: int = 0
    num_left_out: int = 0
    """Tokens in the middle that are not shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One rule that does not hold, for people."""

    rule: str
    severity: Severity
    problem: str
    advice: str
    detail: str = ""
    count: int = 0
    """Rows in question; 0 if the finding is not about rows."""
    first_row: str = ""
    rows: tuple[RowView, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PreflightReport:
    """Everything that was looked at, and what was found."""

    stage: str
    kind: str
    num_rows: int
    num_tokens: int
    num_trained: int
    rejected: dict[str, int]
    """Reason -> rows that were left out before."""
    rules_held: tuple[str, ...]
    findings: tuple[Finding, ...]
    """Errors first."""
    not_checked: tuple[str, ...] = ()
    """What could not be looked at, as sentences."""
    samples: tuple[RowView, ...] = ()
    """A few rows as they will be trained, whatever was found."""
    facts: dict[str, str] = dataclasses.field(default_factory=dict)
    """Small facts for people: tokens by name, sizes."""

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stop the stage."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def passed(self) -> bool:
        """Whether the stage may load its model."""
        return not self.errors

    def as_plain(self) -> dict[str, Any]:
        """Return dicts, lists and scalars, ready for JSON."""
        return {"passed": self.passed, **dataclasses.asdict(self)}
