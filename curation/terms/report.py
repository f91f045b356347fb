"""What judging terms found in a whole data set, and whether the data set passes.

assess_terms(report, config).detail
"12 of 900 rows are not allowed. forbidden, 12 rows: CC-BY-NC-4.0 (source 'news'): commercial use is forbidden... First: news/1"
"""

from dataclasses import dataclass

from curation.terms.config import TermsConfig

MAX_KEYS = 5
"""Keys of rows that a problem names."""
MAX_TOLD = 10
"""Problems that an assessment tells in full."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TermsCount:
    """Rows by verdict of one licence, source or teacher."""

    dimension: str
    """`license`, `source` or `teacher`."""
    name: str
    verdict: str
    num_rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TermsProblem:
    """Rows that are not allowed for the same reason."""

    verdict: str
    detail: str
    num_rows: int
    first_keys: tuple[str, ...]
    """The first keys in alphabetical order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Obligation:
    """What has to be done when rows, or a model trained on them, are shared."""

    kind: str
    """`attribution`, `share_alike` or `note`."""
    subject: str
    """Source or teacher."""
    license: str
    text: str
    url: str
    num_rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TermsReport:
    """Verdicts of all rows for one declared use."""

    use: str
    """The declared use in words."""
    num_rows: int
    verdicts: dict[str, int]
    """Rows by verdict, mild first; only those that occur."""
    counts: tuple[TermsCount, ...]
    problems: tuple[TermsProblem, ...]
    obligations: tuple[Obligation, ...]

    @property
    def num_refused(self) -> int:
        """Rows that are not allowed."""
        return self.num_rows - self.verdicts.get("allowed", 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class TermsAssessment:
    """Whether a data set may be used as declared."""

    passed: bool
    detail: str


def describe_use(config: TermsConfig) -> str:
    """Say the declared use in words."""
    parts = [f"{config.use} use"]
    if config.redistribute_data:
        parts.append("the rows are handed on")
    if config.redistribute_model:
        parts.append("the model is handed on")
    if config.competes_with_teacher:
        parts.append("the model competes with the teacher's")
    return ", ".join(parts)


def assess_terms(report: TermsReport, config: TermsConfig) -> TermsAssessment:
    """Tell whether the data set passes: with action `block` only if every row is allowed; `drop` and `warn` only tell."""
    if report.num_refused == 0:
        return TermsAssessment(passed=True, detail=f"All {report.num_rows} rows are allowed for {report.use}.")
    shown = " ".join(_tell(problem) for problem in report.problems[:MAX_TOLD])
    more = len(report.problems) - MAX_TOLD
    tail = f" There are {more} more problems." if more > 0 else ""
    done = {"block": "are not allowed", "drop": "were dropped", "warn": "are kept although they are not allowed"}[config.action]
    detail = f"{report.num_refused} of {report.num_rows} rows {done} ({report.use}). {shown}{tail}"
    return TermsAssessment(passed=config.action != "block", detail=detail)


def _tell(problem: TermsProblem) -> str:
    keys = ", ".join(key[:100] for key in problem.first_keys)
    return f"{problem.verdict}, {problem.num_rows} rows: {problem.detail} First: {keys}."
