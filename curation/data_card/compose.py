"""The data card of a recipe's data sets, put together from what every stage stored.

card = compose_card(CardInputs(name="sdk_assistant", rows=rows, rejections=rejections, findings=findings, ...))
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from curation.data_card.card import (
    ContaminationResult,
    DataCard,
    DuplicateCount,
    FilterCount,
    PrivacyCount,
    StageCount,
)
from curation.data_card.describe import with_rows, with_sources, with_terms
from curation.data_card.shapes import Row
from curation.filters.rule_table import RULES
from curation.ids import merkle_root
from curation.records import ContaminationPair, PrivacyFinding, Rejection, source_of
from curation.terms.config import TermsConfig
from curation.terms.judge import judge_terms
from curation.terms.report import assess_terms

_DUPLICATE = "_duplicate"


@dataclass(frozen=True, kw_only=True)
class CardInputs:
    """What the card is made from."""

    name: str
    description: str = ""
    owner: str = ""
    created_at: str = ""
    """ISO 8601, UTC."""
    rows: Sequence[Row] = ()
    """Rows of all data sets, training and evaluation."""
    ancestors: Sequence[Row] = ()
    """Rows that some of them were made from."""
    stages: Sequence[tuple[str, int, Mapping[str, int]]] = ()
    """Stage, rows kept, rejected rows by reason, in the order of the graph."""
    rejections: Sequence[Rejection] = ()
    """Of curation, for duplicates by source."""
    rows_curated: int = 0
    """Rows that the rules of curation were held against."""
    findings: Sequence[PrivacyFinding] = ()
    contamination_pairs: Sequence[ContaminationPair] = ()
    items: Mapping[str, int] = field(default_factory=dict)
    """Benchmark -> items compared with."""
    contamination_method: str = ""
    languages: Mapping[str, int] = field(default_factory=dict)
    collapse: Mapping[str, float] = field(default_factory=dict)
    licenses: Mapping[str, str] = field(default_factory=dict)
    terms: TermsConfig = TermsConfig()
    roots: Mapping[str, str] = field(default_factory=dict)
    """Root of the table of each data set."""
    source_versions: Mapping[str, str] = field(default_factory=dict)
    """Source -> version of the data that were read."""
    limits: Sequence[str] = ()


def compose_card(inputs: CardInputs) -> DataCard:
    """Return the card; files are added when the data set is exported."""
    card = DataCard(
        name=inputs.name,
        description=inputs.description,
        owner=inputs.owner,
        created_at=inputs.created_at,
        version=merkle_root(inputs.roots.values()),
        stages=tuple(StageCount(stage=name, kept=kept, rejected=dict(reasons)) for name, kept, reasons in inputs.stages),
        filters=tuple(_filters(inputs)),
        duplicates=tuple(_duplicates(inputs.rejections)),
        contamination=tuple(_contamination(inputs)),
        privacy=tuple(_privacy(inputs.findings)),
        languages=dict(inputs.languages),
        collapse=dict(inputs.collapse),
        hashes=dict(inputs.roots),
        limits=tuple(inputs.limits),
    )
    card = with_sources(with_rows(card, inputs.rows), inputs.rows, inputs.licenses, inputs.terms)
    sources = (replace(source, version=inputs.source_versions.get(source.name, "")) for source in card.sources)
    judged = judge_terms(inputs.rows, inputs.terms, inputs.licenses, ancestors=inputs.ancestors).report
    return with_terms(replace(card, sources=tuple(sources)), judged, assess_terms(judged, inputs.terms))


def _filters(inputs: CardInputs) -> list[FilterCount]:
    counts = Counter(rejection.reason for rejection in inputs.rejections)
    found = ((name, sum(counts[reason] for reason in rule.reasons)) for name, rule in RULES.items())
    return [FilterCount(rule=name, checked=inputs.rows_curated, rejected=number) for name, number in found if number]


def _duplicates(rejections: Sequence[Rejection]) -> list[DuplicateCount]:
    counts = Counter(
        (item.reason.partition(_DUPLICATE)[0], source_of(item.other_key), source_of(item.key))
        for item in rejections
        if _DUPLICATE in item.reason
    )
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [DuplicateCount(kind=key[0], kept_source=key[1], dropped_source=key[2], rows=number) for key, number in ordered]


def _contamination(inputs: CardInputs) -> list[ContaminationResult]:
    results = []
    for benchmark, num_items in sorted(inputs.items.items()):
        pairs = [pair for pair in inputs.contamination_pairs if pair.benchmark == benchmark]
        dropped = sum(item.reason == "contaminated" for item in inputs.rejections) if benchmark == "eval_set" else 0
        results.append(
            ContaminationResult(
                benchmark=benchmark,
                items=num_items,
                pairs=len(pairs),
                rows=len({pair.record_key for pair in pairs}),
                method=inputs.contamination_method,
                detail=f"Curation dropped {dropped:,} rows that gave an item away." if dropped else "",
            )
        )
    return results


def _privacy(findings: Sequence[PrivacyFinding]) -> list[PrivacyCount]:
    counts = Counter((finding.entity, finding.action) for finding in findings)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [PrivacyCount(entity=entity, action=action, findings=number) for (entity, action), number in ordered]
