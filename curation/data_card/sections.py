"""The sections of a card as plain tables, so that Markdown and the page tell the same.

Section(id="splits", title="Splits", text="...", head=("Split", "Rows", "Groups"), rows=(("train", "4,200", "801"),))
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from curation.data_card.card import DataCard

MAX_ROWS = 200
"""Rows that a table shows; the largest come first."""
Rows = tuple[tuple[str, ...], ...]


class Section(NamedTuple):
    """A heading with a text and a table; each may be empty, but not both."""

    id: str
    title: str
    text: str = ""
    head: tuple[str, ...] = ()
    rows: Rows = ()
    code: tuple[int, ...] = ()
    """Columns that hold hashes or paths."""


def sections_of(card: DataCard) -> list[Section]:
    """Return the sections that have something to tell, in order."""
    found = [section for build in _BUILDERS for section in build(card)]
    return [_capped(_without_empty_columns(section)) for section in found if section.text or section.rows]


def _capped(section: Section) -> Section:
    left_out = len(section.rows) - MAX_ROWS
    if left_out <= 0:
        return section
    return section._replace(rows=section.rows[:MAX_ROWS], text=f"{section.text} {left_out:,} further rows are left out here.")


def _without_empty_columns(section: Section) -> Section:
    kept = [index for index in range(len(section.head)) if any(row[index] for row in section.rows)]
    return section._replace(
        head=tuple(section.head[index] for index in kept),
        rows=tuple(tuple(row[index] for index in kept) for row in section.rows),
        code=tuple(kept.index(index) for index in section.code if index in kept),
    )


def _terms(card: DataCard) -> Iterator[Section]:
    terms = card.terms
    verdicts = tuple((name, f"{rows:,}") for name, rows in terms.verdicts.items())
    text = terms.detail or (f"Declared: {terms.use}." if terms.use else "")
    yield Section("terms", "Terms", text, ("Verdict", "Rows"), verdicts)
    sources = tuple(
        (
            item.name,
            item.license or "not stated",
            item.output_terms,
            item.url,
            item.retrieved,
            f"{item.rows:,}" if item.rows else "",
            item.sha256 or item.version,
        )
        for item in card.sources
    )
    head = ("Source", "Licence", "Output terms", "Terms at", "Read on", "Rows", "Hash")
    yield Section("sources", "Sources", "", head, sources, (len(head) - 1,))
    kinds = {"attribution": "Name", "share_alike": "Share alike", "note": "Note"}
    duties = tuple(
        (kinds.get(item.kind, item.kind), item.subject, item.license, item.text, item.url, f"{item.num_rows:,}")
        for item in terms.obligations
    )
    yield Section("obligations", "When you share it", "", ("What", "For", "Licence", "Text", "Address", "Rows"), duties)


def _rows(card: DataCard) -> Iterator[Section]:
    unit = card.unit
    head = ("Slice", "Name", "Rows", unit.capitalize() if unit == "words" else unit)
    slices = tuple((item.dimension, item.name, f"{item.rows:,}", f"{item.tokens:,}") for item in card.slices)
    total = f"{card.rows:,} rows, {card.tokens:,} {unit}." if card.rows else ""
    yield Section("rows", "Rows", total, head, slices)
    splits = tuple((item.split, f"{item.rows:,}", f"{item.groups:,}") for item in card.splits)
    text = "Whole groups are held out: no group stands on both sides." if len(splits) > 1 else ""
    yield Section("splits", "Splits", text, ("Split", "Rows", "Groups"), splits)


def _stages(card: DataCard) -> Iterator[Section]:
    rows = tuple(
        (
            item.stage,
            f"{item.kept:,}",
            f"{sum(item.rejected.values()):,}",
            f"{item.tokens:,}" if item.tokens else "",
            _told(item),
        )
        for item in card.stages
    )
    yield Section("stages", "From raw data to rows", "", ("Stage", "Kept", "Rejected", card.unit, "Reasons"), rows)
    filters = tuple((item.rule, item.setting, f"{item.checked:,}", f"{item.rejected:,}") for item in card.filters)
    yield Section("filters", "Filters", "", ("Rule", "Setting", "Checked", "Rejected"), filters)


def _told(stage: object) -> str:
    rejected: dict[str, int] = dict(getattr(stage, "rejected", {}))
    ordered = sorted(rejected.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{reason} {count:,}" for reason, count in ordered)


def _duplicates(card: DataCard) -> Iterator[Section]:
    rows = tuple((item.kind, item.kept_source, item.dropped_source, f"{item.rows:,}") for item in card.duplicates)
    yield Section("duplicates", "Duplicates", "", ("Kind", "Kept from", "Dropped from", "Rows"), rows)


def _contamination(card: DataCard) -> Iterator[Section]:
    rows = tuple(
        (item.benchmark, f"{item.items:,}", f"{item.pairs:,}", f"{item.rows:,}", item.method, item.detail)
        for item in card.contamination
    )
    head = ("Benchmark", "Items", "Pairs", "Rows", "Method", "Remark")
    yield Section("contamination", "Contamination", "", head, rows)


def _privacy(card: DataCard) -> Iterator[Section]:
    rows = tuple((item.entity, item.action, f"{item.findings:,}") for item in card.privacy)
    yield Section("privacy", "Personal data and secrets", "", ("Entity", "Action", "Findings"), rows)


def _texts(card: DataCard) -> Iterator[Section]:
    ordered = sorted(card.languages.items(), key=lambda item: (-item[1], item[0]))
    yield Section("languages", "Languages", "", ("Language", "Rows"), tuple((name, f"{rows:,}") for name, rows in ordered))
    lengths = tuple(
        (item.part, item.unit, *(f"{value:,.0f}" for value in (item.minimum, item.median, item.p95, item.maximum)))
        for item in card.lengths
    )
    yield Section("lengths", "Lengths", "", ("Part", "Unit", "Shortest", "Median", "95 %", "Longest"), lengths)


def _generation(card: DataCard) -> Iterator[Section]:
    rows = tuple((item.method, item.teacher, item.template, str(item.depth), f"{item.rows:,}") for item in card.generation)
    text = "Depth 0 is written by people, 1 is made from source text, one more for each row made by a model before it."
    head = ("Method", "Teacher", "Template", "Depth", "Rows")
    yield Section("generation", "How rows were made", text if rows else "", head, rows)
    figures = tuple((name.replace("_", " "), f"{value:.4g}") for name, value in card.collapse.items())
    yield Section("collapse", "Collapse guard", "", ("Figure", "Value"), figures)


def _evidence(card: DataCard) -> Iterator[Section]:
    files = tuple(
        (item.path, item.kind, item.split, f"{item.rows:,}", f"{item.num_bytes:,}", item.sha256) for item in card.files
    )
    yield Section("files", "Files", "", ("File", "Kind", "Split", "Rows", "Bytes", "SHA-256"), files, (0, 5))
    hashes = tuple((name, value) for name, value in (("version", card.version), *card.hashes.items()) if value)
    yield Section("hashes", "Hashes", "", ("Name", "Hash"), hashes, (1,))


def _limits(card: DataCard) -> Iterator[Section]:
    yield Section("limits", "Known limits", "", ("What does not hold",), tuple((text,) for text in card.limits))


_BUILDERS: Iterable[Callable[[DataCard], Iterator[Section]]] = (
    _rows,
    _terms,
    _stages,
    _duplicates,
    _contamination,
    _privacy,
    _texts,
    _generation,
    _limits,
    _evidence,
)
