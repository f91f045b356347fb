"""Turning rows into review items, keyed by exactly what a reviewer is asked to judge.

    items = build_items(examples, pairs, evidence_lookup(documents), ReviewConfig(policy="sample"))

The key hashes kind, prompt, answer, alternative and rubric version, not the record: a row whose text comes back
unchanged (new teacher revision, new split) keeps its verdict, and changed text needs a new one.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Literal

from curation.ids import content_hash, stable_fraction
from curation.records import (
    Document,
    Example,
    Message,
    PreferencePair,
    ReviewItem,
    SourceSpan,
    VerifiableTask,
    record_hash,
)
from curation.review.config import ReviewConfig

GOLD_PREFIX = "gold:"
"""How the record keys of items begin that only test reviewers (`reviewers/gold.py`). No row's key does: the name of a source
holds no colon."""

Kind = Literal["example", "pair", "task"]

Row = Example | PreferencePair | VerifiableTask
"""What people review, row by row."""

Evidence = Callable[[SourceSpan], str]
"""Gives the verbatim text of a source span; empty when that version of the document is not there."""


def evidence_lookup(documents: Iterable[Document]) -> Evidence:
    """Return a lookup of source spans in these documents; spans of other versions, or out of bounds, give an empty text."""
    texts = {(document.key, record_hash(document)): document.text for document in documents}

    def find(span: SourceSpan) -> str:
        text = texts.get((span.document_key, span.document_hash), "")
        return text[span.start : span.end] if 0 <= span.start < span.end <= len(text) else ""

    return find


def is_gold(record_key: str) -> bool:
    """Tell whether an item only tests reviewers. It stands for no row, and its verdicts decide nothing."""
    return record_key.startswith(GOLD_PREFIX)


def shown_record_key(record_key: str) -> str:
    """Return a record key as reviewers may see it: that of a gold item looks like the key of the row it was copied from."""
    return record_key.removeprefix(GOLD_PREFIX).partition("/")[2] if is_gold(record_key) else record_key


def item_key(row: Row, config: ReviewConfig) -> str:
    """Return the key of the review item that stands for a row."""
    kind, prompt, answer, alternative = _shown(row)
    messages = [[message.role, message.text] for message in prompt]
    return content_hash([kind, messages, answer, alternative, config.rubric_version])


def needs_verdict(key: str, config: ReviewConfig) -> bool:
    """Tell whether the policy asks for a verdict on the item with this key.

    Where the recipe has lots, all of their items are listed, and `lots.inspection` says which need a verdict now.
    """
    if config.policy == "sample":
        return stable_fraction(key, "review") < config.share
    return config.policy == "all"


def build_items(
    examples: Iterable[Example],
    pairs: Iterable[PreferencePair],
    evidence: Evidence,
    config: ReviewConfig,
    required: Collection[str] = (),
    tasks: Iterable[VerifiableTask] = (),
) -> list[ReviewItem]:
    """Return the items that the policy wants reviewed, sorted by key; rows that show the same text share one item.

    Of those, a row that is required stands for the item, else the one with the smallest key.
    `required` holds the keys of rows that need a verdict whatever the policy says (a quality suite sent them here).
    """
    rows: dict[str, Row] = {}
    given: list[Row] = [*examples, *pairs, *tasks]
    for row in given:
        key = item_key(row, config)
        if needs_verdict(key, config) or row.key in required:
            rows[key] = min(row, rows.get(key, row), key=lambda each: (each.key not in required, each.key))
    return [_build_item(key, row, evidence, config) for key, row in sorted(rows.items())]


def _build_item(key: str, row: Row, evidence: Evidence, config: ReviewConfig) -> ReviewItem:
    kind, prompt, answer, alternative = _shown(row)
    return ReviewItem(
        key=key,
        kind=kind,
        prompt=prompt,
        answer=answer,
        alternative=alternative,
        rubric_version=config.rubric_version,
        record_key=row.key,
        record_hash=record_hash(row),
        evidence=tuple(text for span in row.provenance.spans if (text := evidence(span))),
        task=row.task,
        provenance=row.provenance,
        missing_spans=tuple(span for span in row.provenance.spans if not evidence(span)),
    )


def kind_of(row: Row) -> Kind:
    """Return what kind of item a row becomes."""
    return _shown(row)[0]


def _shown(row: Row) -> tuple[Kind, tuple[Message, ...], str, str]:
    match row:
        case Example():
            return "example", row.prompt, row.answer, ""
        case PreferencePair():
            return "pair", row.prompt, row.chosen, row.rejected
        case VerifiableTask():
            return "task", row.prompt, row.reference, row.grader
