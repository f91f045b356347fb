"""Which terms a row stands under: those of its source, of every document and parent it came from, and of its teachers.

    TermsIndex(config, {"api": "MIT"}, rows).requirements(row)
    frozenset({Requirement("license", "api", "MIT"), Requirement("teacher", "gpt-5-mini", "")})

More ancestors only ever add requirements.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from curation.records import source_of
from curation.terms.config import TermsConfig, TermsStatement
from curation.terms.expression import names_in, parse_license, spell
from curation.terms.output import split_texts

COPYING_TEACHERS = frozenset({"", "extractive"})
"""These copy or there is none: they add no terms of their own."""


class Requirement(NamedTuple):
    """One text that has to be kept to."""

    kind: Literal["license", "teacher", "output", "missing", "conflict"]
    subject: str
    """Source or model whose terms these are."""
    text: str
    """Licence expression, output terms, or what the conflict is."""


Requirements = frozenset[Requirement]


class TermsIndex:
    """Finds the requirements of rows. `rows` are all rows that may be parents, `documents` licences by document key."""

    def __init__(
        self,
        config: TermsConfig,
        licenses: Mapping[str, str],
        rows: Iterable[Any] = (),
        documents: Mapping[str, str] | None = None,
    ) -> None:
        self._config = config
        self._licenses = licenses
        self._documents = documents or {}
        self._rows: dict[str, list[Any]] = {}
        listed = list(rows)
        named = {parent for row in listed for parent in row.provenance.parents}
        for row in listed:
            if row.key in named:
                self._rows.setdefault(row.key, []).append(row)
        self._of_source = functools.cache(self._find_source)
        self._of_row = functools.cache(self._find_own)
        self._inherited: dict[str, Requirements] = {}

    def requirements(self, row: Any) -> Requirements:
        """Return what a row has to keep to, with everything that its ancestors have to keep to."""
        own = self._own(row)
        parents = row.provenance.parents
        return own.union(*(self._ancestry(key) for key in parents)) if parents else own

    def _own(self, row: Any) -> Requirements:
        origin = row.provenance
        spans = origin.spans
        if not spans:
            documents: frozenset[str] = frozenset()
        elif len(spans) == 1:
            documents = frozenset((self._document_name(spans[0].document_key),))
        else:
            documents = frozenset(self._document_name(span.document_key) for span in spans)
        is_invented = not spans and not origin.parents and bool(origin.request_ids) and not origin.license
        return self._of_row(source_of(row.key), origin.license, origin.output_terms, origin.teacher, documents, is_invented)

    def _document_name(self, key: str) -> str:
        return key if key in self._documents else source_of(key)

    def _find_own(
        self, source: str, license: str, output_terms: str, teacher: str, documents: frozenset[str], is_invented: bool
    ) -> Requirements:
        is_known = source in self._licenses or source in self._config.sources
        has_only_teacher = is_invented and not is_known and teacher not in COPYING_TEACHERS
        found = set() if has_only_teacher else set(self._of_source(source, license))  # what rests on nothing has no source
        for name in documents:
            found |= self._of_source(source_of(name), self._documents.get(name, ""))
        found |= {Requirement("output", source, part) for part in split_texts(output_terms)}
        if teacher not in COPYING_TEACHERS:
            found.update(self._teacher(teacher))
        return frozenset(found)

    def _teacher(self, model: str) -> Iterator[Requirement]:
        yield Requirement("teacher", model, "")
        statement = self._config.teachers.get(model)
        for part in split_texts(statement.output_terms if statement else ""):
            yield Requirement("output", model, part)

    def _find_source(self, source: str, carried: str) -> Requirements:
        """Return the requirements of a source whose row or document carries a licence text (which may be empty)."""
        statement = self._config.sources.get(source, TermsStatement())
        is_confirmed = statement.confirmed_by.strip() != ""
        declared = self._licenses.get(source, "").strip()
        texts = [text for text in (statement.license.strip(), declared, carried.strip()) if text]
        if is_confirmed and statement.license.strip():
            texts = texts[:1]
        if not texts:
            no_license: tuple[Requirement, ...] = (Requirement("missing", source, ""),)
            return frozenset((*no_license, *self._stated_output(source, statement)))
        spelled = {spell(parse_license(text)): text for text in texts}
        found = {Requirement("license", source, text) for text in spelled}
        if _contradict(texts):
            found.add(Requirement("conflict", source, " and ".join(sorted(spelled))))
        return frozenset(found.union(self._stated_output(source, statement)))

    def _stated_output(self, source: str, statement: TermsStatement) -> Iterator[Requirement]:
        return (Requirement("output", source, part) for part in split_texts(statement.output_terms))

    def _ancestry(self, key: str) -> Requirements:
        """Return what a parent and all before it have to keep to; walks without recursion and bears cycles."""
        if key in self._inherited:
            return self._inherited[key]
        found: set[Requirement] = set()
        pending, seen = [key], {key}
        while pending:
            current = pending.pop()
            rows = self._rows.get(current, [])
            if not rows:
                found |= self._of_source(source_of(current), self._documents.get(current, ""))
            for row in rows:
                found |= self._own(row)
                fresh = [parent for parent in row.provenance.parents if parent not in seen]
                seen.update(fresh)
                pending += fresh
        self._inherited[key] = frozenset(found)
        return self._inherited[key]


def _contradict(texts: list[str]) -> bool:
    """Tell whether a later text leaves out a licence that an earlier one names."""
    named = [set(names_in(parse_license(text))) for text in texts]
    return any(not before <= after for before, after in zip(named, named[1:], strict=False))
