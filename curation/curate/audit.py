"""May these data sets be trained on? Contamination, terms and collapse, judged on exactly the rows that training reads.

    audit = audit_datasets(training_rows, eval_rows, background, settings, collapse, benchmark_items=items)
    audit.judgements["contamination"].passed, audit.judgements["terms"].detail

Curation drops what it finds, so an audit usually passes; it fails closed when something has changed in between: an edited
row, a benchmark that was added, terms that nobody stated.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from curation.collapse.assess import assess_collapse
from curation.collapse.config import CollapseConfig
from curation.collapse.report import CollapseReport
from curation.contamination.find import find_contamination
from curation.contamination.items import EvalItem, items_of
from curation.contamination.report import ContaminationReport, assess
from curation.curate.row_checks import Row
from curation.curate.settings import CurateSettings
from curation.embedding.embedder import Embedder
from curation.records import ContaminationPair, Example
from curation.terms.judge import judge_terms
from curation.terms.report import TermsAssessment, TermsReport, assess_terms

GUARDS = ("contamination", "terms", "collapse")


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """One guard's answer."""

    passed: bool
    """Training refuses unless it is true."""
    is_warning: bool
    """It passed, but a person should read the detail."""
    detail: str
    """One or two sentences, with the first rows by name."""


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What the three guards say about the rows that training reads."""

    judgements: Mapping[str, Judgement]
    """By guard, all of GUARDS."""
    contamination: ContaminationReport
    num_items: Mapping[str, int]
    """Items compared with, by benchmark."""
    terms: TermsReport
    terms_assessment: TermsAssessment
    collapse: CollapseReport

    @property
    def pairs(self) -> tuple[ContaminationPair, ...]:
        """Every pair of a training row and an item that it gives away, those that a person has cleared among them."""
        return (*self.contamination.pairs, *self.contamination.cleared)


def audit_datasets(
    rows: Sequence[Row],
    eval_rows: Iterable[Example],
    background: Iterable[Row],
    settings: CurateSettings,
    collapse: CollapseConfig,
    *,
    weights: Mapping[str, float] | None = None,
    benchmark_items: Sequence[EvalItem] = (),
    embedder: Embedder | None = None,
) -> Audit:
    """Judge the rows of all training sets together.

    Args:
        rows: what training reads.
        eval_rows: the evaluation set.
        background: all curated rows; how common a run of words is, is counted over them and the rows together, and they are
            the parents of rows.
        settings: what the recipe asks of curation.
        collapse: limits of the collapse guard.
        weights: weight of the sources in training.
        benchmark_items: items of the recipe's benchmark files.
        embedder: makes vectors for paraphrases; None where the recipe wants none.
    """
    known = {(type(row), row.key): row for row in background if row.split != "eval"}
    known |= {(type(row), row.key): row for row in rows}
    everything = list(known.values())
    items = [*items_of(eval_rows), *benchmark_items]
    contamination = _contamination(rows, everything, items, settings, embedder)
    terms = judge_terms(rows, settings.terms, settings.licenses, ancestors=everything).report
    terms_assessment = assess_terms(terms, settings.terms)
    collapsed = assess_collapse(rows, collapse, weights=weights, ancestors=everything)
    return Audit(
        judgements={
            "contamination": _judge_contamination(contamination, settings),
            "terms": Judgement(
                passed=terms_assessment.passed, is_warning=terms.num_refused > 0, detail=terms_assessment.detail
            ),
            "collapse": _judge_collapse(collapsed),
        },
        contamination=contamination,
        num_items=dict(sorted(Counter(item.benchmark for item in items).items())),
        terms=terms,
        terms_assessment=terms_assessment,
        collapse=collapsed,
    )


def _contamination(
    rows: Sequence[Row], everything: list[Any], items: list[EvalItem], settings: CurateSettings, embedder: Embedder | None
) -> ContaminationReport:
    report = find_contamination(everything, items, settings.contamination, embedder)
    keys = {row.key for row in rows}
    mine = tuple(pair for pair in report.pairs if pair.record_key in keys)
    cleared = tuple(pair for pair in report.cleared if pair.record_key in keys)
    excerpt = report.excerpt if mine == report.pairs else ""
    return replace(report, pairs=mine, cleared=cleared, num_rows=len(rows), excerpt=excerpt)


def _judge_contamination(report: ContaminationReport, settings: CurateSettings) -> Judgement:
    assessment = assess(report, settings.contamination)
    fine = f"None of {report.num_rows:,} rows gives away any of {report.num_items:,} items."
    only_told = settings.contamination.action == "report"
    return Judgement(passed=assessment.passed or only_told, is_warning=not assessment.passed, detail=assessment.problem or fine)


def _judge_collapse(report: CollapseReport) -> Judgement:
    alarms = report.alarms
    told = " ".join(f"{finding.slice}: {finding.detail}" for finding in alarms[:5])
    more = f" There are {len(alarms) - 5} more." if len(alarms) > 5 else ""
    fine = "Every slice is within the limits for real data, generation depth and diversity."
    return Judgement(passed=report.status != "fail", is_warning=report.status == "warn", detail=f"{told}{more}" or fine)
