"""Rows with a lineage, for the tests."""

from pathlib import Path

from curation.home import Home
from curation.records import Example, Message, Provenance, SourceSpan


def span_of(document: str) -> SourceSpan:
    return SourceSpan(document_key=document, document_hash="d" * 32, start=0, end=5)


def example(key: str, document: str = "", parents: tuple[str, ...] = (), requests: tuple[str, ...] = ()) -> Example:
    """Return a row made from a document or from other rows."""
    return Example(
        key=key,
        task="qa",
        messages=(Message(role="user", content=f"About {key}?"), Message(role="assistant", content="Yes.")),
        group=document or key,
        provenance=Provenance(
            origin="synthetic",
            method="grounded_qa",
            spans=(span_of(document),) if document else (),
            request_ids=requests,
            generation_depth=2 if parents else 1,
            parents=parents,
        ),
    )


def home_in(folder: Path) -> Home:
    return Home(path=folder, store_url=str(folder / "store"), database_url="", review_url="http://127.0.0.1:3001")
