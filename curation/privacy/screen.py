"""Screen documents before a teacher sees them, and rows before anybody trains on them.

screened = screen_documents(documents, PrivacyConfig())
len(documents) == len(screened.kept) + len(screened.rejections)
screened.findings[0]    PrivacyFinding(record_key="mail/7", field="text", entity="EMAIL", start=11, end=27, action="mask", ...)

Documents come first: spans of provenance point into the stored document, which is the screened one, so examples have to be
generated from screened documents. What was found stands in no result: not in a rejection's excerpt, not in an error.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from curation.privacy.config import PrivacyConfig
from curation.privacy.detect import Detector
from curation.privacy.echoes import Values
from curation.privacy.finding import Finding, Recogniser
from curation.privacy.json_text import fit_edits, is_json, unescape
from curation.privacy.pseudonyms import pseudonym
from curation.privacy.record_texts import R, Row, texts_of, with_texts
from curation.privacy.replace import Edit, Edited, apply_edits, shift_sections
from curation.records import Document, PrivacyFinding, Rejection, record_hash, reject

STAGE = "privacy"
K = TypeVar("K", bound=Document | Row)


@dataclass(frozen=True, kw_only=True, slots=True)
class Screened(Generic[K]):
    """What screening keeps, drops and found, each sorted by key; records in = kept + rejected."""

    kept: tuple[K, ...]
    rejections: tuple[Rejection, ...]
    findings: tuple[PrivacyFinding, ...]


def screen_documents(
    documents: Iterable[Document], config: PrivacyConfig, recognisers: Sequence[Recogniser] = ()
) -> Screened[Document]:
    """Screen titles, texts and headings; sections keep covering the same text apart from what was replaced."""
    return _screen(documents, config, recognisers)


def screen_rows(rows: Iterable[R], config: PrivacyConfig, recognisers: Sequence[Recogniser] = ()) -> Screened[R]:
    """Screen every message, answer, tool call and tool definition; JSON stays JSON.

    A value found in one text of a row is found in all of its texts. `PrivacySaltMissingError` if a pseudonym is asked for
    without a key.
    """
    return _screen(rows, config, recognisers)


def _screen(records: Iterable[R], config: PrivacyConfig, recognisers: Sequence[Recogniser]) -> Screened[R]:
    screener = Screener(config, recognisers)
    kept: list[R] = []
    rejections: list[Rejection] = []
    findings: list[PrivacyFinding] = []
    for record in records:
        outcome = screener.screen(record)
        findings.extend(outcome.findings)
        if isinstance(outcome.result, Rejection):
            rejections.append(outcome.result)
        else:
            kept.append(outcome.result)
    return Screened(
        kept=tuple(_in_order(kept)),
        rejections=tuple(sorted(rejections, key=lambda item: (item.key, item.reason, item.record_hash))),
        findings=tuple(sorted(findings, key=lambda item: (item.record_key, item.field, item.start, item.entity))),
    )


def _in_order(records: list[R]) -> list[R]:
    ordered = sorted(records, key=lambda record: record.key)
    if len({record.key for record in ordered}) == len(ordered):
        return ordered
    return sorted(ordered, key=lambda record: (record.key, record_hash(record)))


@dataclass(frozen=True, slots=True)
class _Scan:
    """One text as it is searched (JSON: with its escapes decoded), and where its characters stand in the original."""

    original: str
    text: str
    offsets: list[int] | None
    is_json: bool
    findings: tuple[Finding, ...]

    def span(self, finding: Finding) -> tuple[int, int]:
        """Return the span in the original text."""
        if self.offsets is None:
            return finding.start, finding.end
        return self.offsets[finding.start], self.offsets[finding.end]

    def value(self, finding: Finding) -> str:
        return self.text[finding.start : finding.end]


@dataclass(frozen=True, slots=True)
class Outcome(Generic[K]):
    """What screening made of one record: the record, masked where needed, or a rejection; and what was found."""

    result: K | Rejection
    findings: list[PrivacyFinding]


class Screener:
    """Screens record by record; what it has loaded is used again."""

    def __init__(self, config: PrivacyConfig, recognisers: Sequence[Recogniser] = ()) -> None:
        self.config = config
        self.detector = Detector(config, recognisers)
        wants_key = any(config.action_for(entity) == "pseudonym" for entity in config.entities)
        self.key = config.key_of_pseudonyms() if wants_key else b""

    def mask(self, text: str) -> str:
        """Return a text with everything that is found masked, also what the recipe would keep (for excerpts)."""
        return self._edit(self._scan(text), mask_all=True).text

    def screen(self, record: R) -> Outcome[R]:
        """Screen one document or row."""
        texts = texts_of(record)
        longest = max(map(len, texts.values()), default=0)
        if longest > self.config.max_chars:
            detail = f"A text of {longest:,} characters is longer than privacy.max_chars, so nobody has looked through it."
            return Outcome(_without_excerpt(record, "too_long_to_screen", detail), [])
        scans = {field: self._scan(text) for field, text in texts.items()}
        if not any(scan.findings for scan in scans.values()):
            return Outcome(record, [])
        scans = self._with_echoes(scans)
        findings = [item for field, scan in scans.items() for item in self._describe(record.key, field, scan)]
        refused = sorted({item.entity for item in findings if item.action == "reject"})
        if refused:
            detail = f"It holds {', '.join(refused)}, which the recipe rejects."
            return Outcome(self._reject(record, scans, "private_data", detail), findings)
        edited = {field: self._edit(scan, mask_all=False) for field, scan in scans.items() if scan.findings}
        if any(scans[field].is_json and not is_json(new.text) for field, new in edited.items()):
            detail = "Replacing what was found would break its JSON."
            return Outcome(self._reject(record, scans, "unmaskable_private_data", detail), findings)
        return Outcome(_apply(record, edited), findings)

    def _scan(self, text: str) -> _Scan:
        decoded = unescape(text) if "\\" in text and is_json(text) else None
        shown, offsets = decoded if decoded is not None else (text, None)
        findings = self.detector.find(shown)
        return _Scan(text, shown, offsets, bool(findings) and is_json(text), findings)

    def _with_echoes(self, scans: dict[str, _Scan]) -> dict[str, _Scan]:
        values = Values()
        for scan in scans.values():
            values.add(scan.text, scan.findings)
        with_echoes = {field: self.detector.with_echoes(scan.text, scan.findings, values) for field, scan in scans.items()}
        return {
            field: replace(scan, findings=with_echoes[field], is_json=bool(with_echoes[field]) and is_json(scan.original))
            for field, scan in scans.items()
        }

    def _describe(self, key: str, field: str, scan: _Scan) -> Iterable[PrivacyFinding]:
        for finding in scan.findings:
            start, end = scan.span(finding)
            yield PrivacyFinding(
                key=f"{key}#{field}/{start}",
                record_key=key,
                field=field,
                entity=finding.entity,
                start=start,
                end=end,
                detector=finding.detector,
                action=self.config.action_for(finding.entity),
            )

    def _edit(self, scan: _Scan, *, mask_all: bool) -> Edited:
        edits = []
        for finding in scan.findings:
            action = "mask" if mask_all else self.config.action_for(finding.entity)
            if action == "keep":
                continue
            new = pseudonym(finding.entity, scan.value(finding), self.key) if action == "pseudonym" else f"[{finding.entity}]"
            edits.append(Edit(*scan.span(finding), new))
        return apply_edits(scan.original, fit_edits(scan.original, edits) if scan.is_json else edits)

    def _reject(self, record: R, scans: dict[str, _Scan], reason: str, detail: str) -> Rejection:
        """Describe a dropped record with everything that was found masked, also what the recipe would keep."""
        masked = with_texts(record, {field: self._edit(scan, mask_all=True).text for field, scan in scans.items()})
        rejection = reject(masked, stage=STAGE, reason=reason, detail=detail)
        return replace(rejection, record_hash=record_hash(record))


def _apply(record: R, edited: dict[str, Edited]) -> R:
    new = with_texts(record, {field: item.text for field, item in edited.items()})
    if isinstance(new, Document) and "text" in edited:
        return replace(new, sections=shift_sections(new.sections, edited["text"]))
    return new


def _without_excerpt(record: R, reason: str, detail: str) -> Rejection:
    return replace(reject(record, stage=STAGE, reason=reason, detail=detail), excerpt="")
