"""Which documents a person should look at: those with personal data or secrets, or whose terms do not allow the use.

    flagged = flag_documents(documents, findings, recipe.terms, {"mail": "proprietary"})
    flagged.keys         frozenset({"mail/7"})
    flagged.terms        {"mail/7": "forbidden", "docs/intro.md": "allowed"}

A finding counts whatever was done about it: what was masked may have been masked in part.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from curation.records import Document, PrivacyFinding, Provenance
from curation.terms.config import TermsConfig
from curation.terms.requirements import TermsIndex
from curation.terms.ruling import Judge


class Flagged(NamedTuple):
    """What was found about documents."""

    keys: frozenset[str]
    terms: dict[str, str]
    """Document key -> `allowed`, `forbidden`, `unknown` or `conflicting`."""


class _Origin(NamedTuple):
    """A document as the terms see a row."""

    key: str
    provenance: Provenance


def flag_documents(
    documents: Sequence[Document], findings: Iterable[PrivacyFinding], terms: TermsConfig, licenses: Mapping[str, str]
) -> Flagged:
    """Return what privacy and terms found about documents; `licenses` is licence by source name, as the recipe declares it."""
    index, judge = TermsIndex(terms, licenses), Judge(terms)
    verdicts = {document.key: judge.combine(index.requirements(_as_origin(document))).verdict for document in documents}
    private = {finding.record_key for finding in findings}
    keys = (key for key, verdict in verdicts.items() if verdict != "allowed" or key in private)
    return Flagged(frozenset(keys), dict(verdicts))


def _as_origin(document: Document) -> _Origin:
    origin = Provenance(origin="human", method="document", license=document.license, output_terms=document.output_terms)
    return _Origin(document.key, origin)
