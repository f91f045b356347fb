"""Documents in review: which of them need a verdict, and what verdicts do to them and to every row that rests on them.

    review = DocumentReview(documents=documents, flagged={"mail/7"})
    build_document_items(review, config)                    [ReviewItem(kind="document", record_key="mail/7", ...), ...]
    judged = judge_documents(review, verdicts, config)      judged.kept, judged.rejections, judged.withheld
    withhold_rows(rows, ancestors, judged.withheld)         {"mail/7#qa/0": Withheld(reason="document_rejected", ...)}

The key of an item hashes the text with licence and output terms, since those are what a reviewer is asked about. An edited
document counts as rejected: rows cite its text by place, so it has to be corrected in its source.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from curation.ids import content_hash, stable_fraction
from curation.records import Document, Provenance, Rejection, ReviewItem, Verdict, record_hash, reject
from curation.review.config import ReviewConfig
from curation.review.items import Row


@dataclass(frozen=True, kw_only=True)
class DocumentReview:
    """The documents of a recipe, and what is known about them."""

    documents: Sequence[Document] = ()
    flagged: Collection[str] = frozenset()
    """Keys of documents in which something was found (see `flagged.flag_documents`)."""
    terms: Mapping[str, str] = field(default_factory=dict)
    """Document key -> verdict of the terms on the declared use, shown to reviewers."""
    read_ancestors: Callable[[], Iterable[Row]] = tuple
    """Rows that are not curated (any more), but may stand between a document and a curated row; read only if needed."""


class Withheld(NamedTuple):
    """Why nothing that rests on a document may be used."""

    reason: str
    """`document_rejected` or `awaiting_review`."""
    detail: str


@dataclass(frozen=True, kw_only=True)
class JudgedDocuments:
    """What the verdicts on documents come to: every one is kept or rejected."""

    kept: list[Document] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    withheld: dict[str, Withheld] = field(default_factory=dict)
    """Document key -> why it is not among those kept."""
    open_items: dict[str, str] = field(default_factory=dict)
    """Item key -> key of the document that waits."""
    decided_by: dict[str, str] = field(default_factory=dict)
    """Item key -> reviewer kind, of those that need a verdict and have one."""


def document_item_key(document: Document, config: ReviewConfig) -> str:
    """Return the key of the review item that stands for a document."""
    terms = [document.license, document.output_terms]
    return content_hash(["document", [], document.text, terms, config.rubric_version])


def needs_document_verdict(document: Document, key: str, config: ReviewConfig, flagged: Collection[str]) -> bool:
    """Tell whether the recipe asks for a verdict on a document, given the key of its item."""
    match config.documents:
        case "none":
            return False
        case "sample":
            return stable_fraction(key, "review") < config.share
        case "all":
            return True
        case "flagged":
            return document.key in flagged


def build_document_items(review: DocumentReview, config: ReviewConfig) -> list[ReviewItem]:
    """Return the items that the recipe wants reviewed, sorted by key; documents with the same text and terms share one."""
    chosen: dict[str, Document] = {}
    for document in review.documents:
        key = document_item_key(document, config)
        if needs_document_verdict(document, key, config, review.flagged):
            chosen[key] = min(document, chosen.get(key, document), key=lambda each: each.key)
    return [_build_item(key, chosen[key], review, config) for key in sorted(chosen)]


def _build_item(key: str, document: Document, review: DocumentReview, config: ReviewConfig) -> ReviewItem:
    origin = Provenance(
        origin="human",
        method="document",
        license=document.license,
        output_terms=document.output_terms,
        terms_verdict=review.terms.get(document.key, ""),
    )
    return ReviewItem(
        key=key,
        kind="document",
        prompt=(),
        answer=document.text,
        alternative="",
        rubric_version=config.rubric_version,
        record_key=document.key,
        record_hash=record_hash(document),
        evidence=(),
        task=document.kind,
        provenance=origin,
    )


def judge_documents(
    review: DocumentReview, verdicts: Mapping[str, Verdict], config: ReviewConfig, *, stage: str
) -> JudgedDocuments:
    """Sort documents by the verdicts that count (item key -> verdict); under `none`, all are kept and no verdict is read."""
    judged = JudgedDocuments()
    for document in review.documents:
        key = document_item_key(document, config)
        is_needed = needs_document_verdict(document, key, config, review.flagged)
        verdict = verdicts.get(key) if config.documents != "none" else None
        if verdict is not None and is_needed:
            judged.decided_by[key] = verdict.reviewer_kind
        if verdict is not None and verdict.decision in ("reject", "edit"):
            _withhold(judged, document, verdict, stage)
        elif verdict is None and is_needed:
            judged.open_items.setdefault(key, document.key)
            detail = f"No verdict of a person yet; review.documents is `{config.documents}`."
            judged.withheld[document.key] = Withheld("awaiting_review", f"Its document {document.key} waits: {detail}")
            judged.rejections.append(reject(document, stage=stage, reason="awaiting_review", detail=detail))
        else:
            judged.kept.append(document)
    return judged


def _withhold(judged: JudgedDocuments, document: Document, verdict: Verdict, stage: str) -> None:
    wanted = "rejected it" if verdict.decision == "reject" else "wants another text (correct it in the source)"
    said = f"{verdict.reviewer} (verdict {verdict.sequence}) {wanted}: {verdict.reason or 'no reason given'}."
    judged.withheld[document.key] = Withheld("document_rejected", f"Of its document {document.key}, {said}")
    judged.rejections.append(reject(document, stage=stage, reason="rejected_by_reviewer", detail=said))


def withhold_rows(rows: Iterable[Row], ancestors: Iterable[Row], documents: Mapping[str, Withheld]) -> dict[str, Withheld]:
    """Return row key -> why it may not be used: it cites such a document, or descends from a row that does.

    A rejected document goes before one that waits.
    """
    found: dict[str, Withheld] = {}
    children: defaultdict[str, list[str]] = defaultdict(list)
    for row in itertools.chain(ancestors, rows):
        origin = row.provenance
        for parent in origin.parents:
            children[parent].append(row.key)
        named = [documents[key] for key in (*(span.document_key for span in origin.spans), *origin.parents) if key in documents]
        if named:
            found[row.key] = max(named, key=_is_final)
    for is_final in (False, True):
        pending = [key for key, why in found.items() if _is_final(why) == is_final]
        while pending:
            parent = pending.pop()
            for child in children.get(parent, ()):
                if child not in found or (is_final and not _is_final(found[child])):
                    found[child] = found[parent]
                    pending.append(child)
    return found


def _is_final(why: Withheld) -> bool:
    return why.reason == "document_rejected"
