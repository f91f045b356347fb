"""Documents in review, for recipes that set `review.documents`; for all others nothing here adds an input or a dependency.

Documents stand in the same queue as rows, and their verdicts open the same gate: what rests on a rejected document, or on one
that waits, is among the rejections of `verified_examples`, and only the documents kept there reach the corpus.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from assets.curated import ROW_CLASSES, read_rows, shard_snapshots
from assets.recipe import Recipe
from curation.records import Document, PrivacyFinding
from curation.review.documents import DocumentReview
from curation.review.flagged import flag_documents
from curation.review.items import Row
from curation.store import Snapshot, Store


class Added(NamedTuple):
    """What the assets of review have besides, where documents are reviewed."""

    deps: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    settings: tuple[Any, ...] = ()


def add_documents(recipe: Recipe) -> Added:
    """Return what reviewing documents adds to an asset."""
    if recipe.review.documents == "none":
        return Added()
    return Added(
        deps=("documents", "source_manifest"),
        modules=("curation.review.documents", "curation.review.flagged"),
        settings=(recipe.terms, [source.license for source in recipe.sources]),
    )


def document_inputs(recipe: Recipe, store: Store) -> list[Snapshot]:
    """Return the documents, and what was found in them (which is no part of their version), as inputs."""
    if recipe.review.documents == "none":
        return []
    snapshots = shard_snapshots(recipe, store, "documents")
    return [*snapshots, *finding_snapshots(snapshots)]


def finding_snapshots(snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    """Return the personal data that was found in rows as inputs of their own: it is no part of the version of the rows."""
    return [
        Snapshot(asset=f"{item.asset}/findings", partition=item.partition, version=item.tables["findings"].root)
        for item in snapshots
        if "findings" in item.tables
    ]


def read_documents(recipe: Recipe, store: Store) -> list[Document]:
    """Return the documents of all shards."""
    snapshots = shard_snapshots(recipe, store, "documents")
    return [row for item in snapshots for row in store.read_table(Document, item.tables["documents"].root)]


def document_review(recipe: Recipe, store: Store) -> DocumentReview:
    """Return the documents as review sees them; none where the recipe reviews none."""
    if recipe.review.documents == "none":
        return DocumentReview()
    documents, snapshots = read_documents(recipe, store), shard_snapshots(recipe, store, "documents")
    findings = (row for item in snapshots for row in store.read_table(PrivacyFinding, item.tables["findings"].root))
    licenses = {source.name: source.license for source in recipe.sources}
    flagged = flag_documents(documents, findings, recipe.terms, licenses)
    return DocumentReview(
        documents=documents,
        flagged=flagged.keys,
        terms=flagged.terms,
        read_ancestors=lambda: _rows_made(recipe, store),
    )


def _rows_made(recipe: Recipe, store: Store) -> list[Row]:
    """Return every row before curation: one that curation dropped may stand between a document and a row that it kept."""
    made = shard_snapshots(recipe, store, "demonstrations", "candidates")
    return [row for table in ROW_CLASSES for row in read_rows(store, made, table)]
