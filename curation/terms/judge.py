"""Give every row a verdict on its terms for the recipe's declared use.

    judged = judge_terms(rows, TermsConfig(use="commercial"), {"api": "MIT", "news": "CC-BY-NC-4.0"})
    judged.rows[0].provenance.terms_verdict       # "allowed"
    assess_terms(judged.report, config).passed    # False: rows of `news` are forbidden

A row stands under the terms of its own licence, of every document and parent that it came from, and of its teachers.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from curation.records import Rejection, reject, source_of
from curation.terms.config import TermsConfig
from curation.terms.expression import parse_license, spell
from curation.terms.obligations import collect_obligations
from curation.terms.report import MAX_KEYS, TermsCount, TermsProblem, TermsReport, describe_use
from curation.terms.requirements import COPYING_TEACHERS, Requirements, TermsIndex
from curation.terms.ruling import Judge
from curation.terms.uses import SEVERITY, VERDICTS

R = TypeVar("R")


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedRows(Generic[R]):
    """The rows that stay, each with its verdict, and those that action `drop` took out."""

    rows: list[R]
    rejected: list[Rejection]
    report: TermsReport
    """About all rows that came in."""


def judge_terms(
    rows: Sequence[R],
    config: TermsConfig,
    licenses: Mapping[str, str],
    *,
    ancestors: Iterable[Any] = (),
    documents: Mapping[str, str] | None = None,
    stage: str = "terms",
) -> JudgedRows[R]:
    """Judge rows (examples, pairs, tasks: anything with `key` and `provenance`) in their order.

    Args:
        rows: the rows.
        config: declared use and statements.
        licenses: licence by source name, as the recipe's sources declare it.
        ancestors: rows that are no longer in the data set but are parents of some that are.
        documents: licence by document key, where documents of one source differ.
        stage: what the rejections of action `drop` name as their stage.
    """
    index = TermsIndex(config, licenses, (*rows, *ancestors), documents)
    judge = Judge(config)
    kept: list[R] = []
    rejected: list[Rejection] = []
    tally = _Tally(config)
    for row in rows:
        requirements = index.requirements(row)
        ruling = judge.combine(requirements)
        judged = _with_verdict(row, ruling.verdict)
        tally.add(judged, requirements, ruling.verdict, ruling.detail)
        if ruling.verdict != "allowed" and config.action == "drop":
            rejected.append(reject(judged, stage=stage, reason=f"terms_{ruling.verdict}", detail=ruling.detail))
        else:
            kept.append(judged)
    return JudgedRows(rows=kept, rejected=rejected, report=tally.report(judge))


def _with_verdict(row: R, verdict: str) -> R:
    if row.provenance.terms_verdict == verdict:  # type: ignore[attr-defined]
        return row
    provenance = replace(row.provenance, terms_verdict=verdict)  # type: ignore[attr-defined]
    return replace(row, provenance=provenance)  # type: ignore[type-var]


class _Tally:
    """Counts while rows go by; nothing in it depends on their order."""

    def __init__(self, config: TermsConfig) -> None:
        self._config = config
        self._kinds: Counter[tuple[Requirements, str, str, str, str]] = Counter()
        self._keys: defaultdict[tuple[str, str], list[str]] = defaultdict(list)

    def add(self, row: Any, requirements: Requirements, verdict: str, detail: str) -> None:
        teacher = row.provenance.teacher
        self._kinds[requirements, verdict, detail, source_of(row.key), teacher] += 1
        if verdict != "allowed":
            keys = self._keys[verdict, detail]
            keys.append(row.key)
            if len(keys) > 1000:
                keys[:] = heapq.nsmallest(MAX_KEYS, keys)

    def report(self, judge: Judge) -> TermsReport:
        verdicts: Counter[str] = Counter()
        counts: Counter[tuple[str, str, str]] = Counter()
        problems: Counter[tuple[str, str]] = Counter()
        shares: Counter[Requirements] = Counter()
        for (requirements, verdict, detail, source, teacher), number in self._kinds.items():
            verdicts[verdict] += number
            shares[requirements] += number
            problems[verdict, detail] += number
            counts["source", source, verdict] += number
            if teacher not in COPYING_TEACHERS:
                counts["teacher", teacher, verdict] += number
            for name in _license_names(requirements):
                counts["license", name, verdict] += number
        return TermsReport(
            use=describe_use(self._config),
            num_rows=sum(verdicts.values()),
            verdicts={verdict: verdicts[verdict] for verdict in VERDICTS if verdicts[verdict]},
            counts=tuple(_counts(counts)),
            problems=tuple(self._problems(problems)),
            obligations=collect_obligations(shares, judge, self._config),
        )

    def _problems(self, problems: Counter[tuple[str, str]]) -> list[TermsProblem]:
        found = [
            TermsProblem(
                verdict=verdict,
                detail=detail,
                num_rows=number,
                first_keys=tuple(heapq.nsmallest(MAX_KEYS, self._keys[verdict, detail])),
            )
            for (verdict, detail), number in problems.items()
            if verdict != "allowed"
        ]
        return sorted(found, key=lambda item: (-SEVERITY[item.verdict], -item.num_rows, item.detail))


def _license_names(requirements: Requirements) -> set[str]:
    names = {spell(parse_license(item.text)) for item in requirements if item.kind == "license"}
    return names or {"not stated"}


def _counts(counts: Counter[tuple[str, str, str]]) -> list[TermsCount]:
    ordered = sorted(counts.items(), key=lambda item: (item[0][0], -item[1], item[0]))
    return [
        TermsCount(dimension=dimension, name=name, verdict=verdict, num_rows=number)
        for (dimension, name, verdict), number in ordered
    ]
