"""What is done to every row by itself: cleaned, screened for personal data, held against the rules. Done once a row.

    checked = check_rows(rows, rules=config.rules, privacy=privacy, version="5c...", known=known_checks(previous))
    checked.kept, checked.rejections, checked.findings, checked.checks, checked.num_reused

The outcome for a row depends on the row, the configuration and the code alone, so it is stored under their hashes and found
again when the row comes back: after one edit, one row is worked on.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from curation.filters.calculator_marks import clean_marks
from curation.filters.language import detect_language
from curation.filters.rule_config import RuleConfig
from curation.filters.rule_table import check_rows as find_row_problems
from curation.filters.text_view import view_of
from curation.ids import canonical_json, hash_text
from curation.ingest.text import normalise_text
from curation.privacy.config import PrivacyConfig
from curation.privacy.screen import Screener
from curation.record_rows import as_row, from_row
from curation.records import (
    Example,
    Message,
    PreferencePair,
    PrivacyFinding,
    Rejection,
    UnpairedPreference,
    VerifiableTask,
    reject,
)

Row: TypeAlias = Example | PreferencePair | UnpairedPreference | VerifiableTask

STAGE = "curated_examples"
UNDETERMINED = "und"
"""ISO 639-2 code for a language that is not known."""
CLASSES: dict[str, type] = {cls.__name__: cls for cls in (Example, PreferencePair, UnpairedPreference, VerifiableTask)}


@dataclass(frozen=True, kw_only=True, slots=True)
class RowCheck:
    """The outcome for one row, as it is stored."""

    key: str
    """Hash of the row as it came in, key included."""
    version: str
    """Hash of code and configuration that gave this outcome."""
    record: str
    """Class of the row."""
    reason: str
    """Why it was rejected; empty if it was kept."""
    detail: str
    excerpt: str
    """What a rejection shows of it, personal data masked; empty if it was kept."""
    language: str
    cleaned: str
    """The row as kept, as canonical JSON; empty where cleaning changed nothing."""
    findings: tuple[PrivacyFinding, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedRows:
    """Rows as they go on, and all that was found out on the way."""

    kept: list[Row]
    """In the order given."""
    rejections: list[Rejection]
    findings: list[PrivacyFinding]
    languages: dict[str, str]
    """Record key -> language of the kept rows; `und` where it cannot be told."""
    checks: list[RowCheck]
    """One a row, to be stored and handed in as `known` next time."""
    num_reused: int


def known_checks(stored: Iterable[RowCheck], version: str) -> dict[str, RowCheck]:
    """Return stored outcomes by row hash; those of other code or configuration are left out."""
    return {check.key: check for check in stored if check.version == version}


def check_rows(
    rows: Sequence[Row], *, rules: RuleConfig, privacy: PrivacyConfig, version: str, known: Mapping[str, RowCheck]
) -> CheckedRows:
    """Clean, screen and check rows; what is known already is not done again.

    Args:
        rows: the rows; two may share a key.
        rules: what the rules look for.
        privacy: what is done about personal data and secrets.
        version: hash of code and configuration, which the outcomes are stored under.
        known: outcomes of this version by row hash (see `known_checks`).
    """
    hashes = [hash_text(canonical_json([type(row).__name__, as_row(row)])) for row in rows]
    fresh: dict[str, Row] = {}
    for digest, row in zip(hashes, rows, strict=True):
        if digest not in known:
            fresh.setdefault(digest, row)
    made = {check.key: check for check in _check(fresh, rules, privacy, version)}
    out = CheckedRows(kept=[], rejections=[], findings=[], languages={}, checks=[], num_reused=0)
    for digest, row in zip(hashes, rows, strict=True):
        _collect(out, row, made.get(digest) or known[digest])
    num_reused = sum(digest in known for digest in hashes)
    unique = {check.key: check for check in out.checks}
    return CheckedRows(
        kept=out.kept,
        rejections=out.rejections,
        findings=out.findings,
        languages=out.languages,
        checks=list(unique.values()),
        num_reused=num_reused,
    )


def _collect(out: CheckedRows, row: Row, check: RowCheck) -> None:
    out.checks.append(check)
    out.findings.extend(check.findings)
    if check.reason:
        out.rejections.append(_rejection(row, check))
        return
    kept: Row = from_row(CLASSES[check.record], json.loads(check.cleaned)) if check.cleaned else row
    out.kept.append(kept)
    out.languages[kept.key] = check.language


def _rejection(row: Row, check: RowCheck) -> Rejection:
    return Rejection(
        key=row.key,
        stage=STAGE,
        reason=check.reason,
        detail=check.detail,
        record_hash=hash_text(canonical_json(as_row(row))),
        excerpt=check.excerpt,
    )


def _check(rows: Mapping[str, Row], rules: RuleConfig, privacy: PrivacyConfig, version: str) -> list[RowCheck]:
    screener = Screener(privacy)
    cleaned: dict[str, Any] = {digest: clean_row(row, rules) for digest, row in rows.items()}
    screened = {digest: screener.screen(row) for digest, row in cleaned.items()}
    passed = {digest: seen.result for digest, seen in screened.items() if not isinstance(seen.result, Rejection)}
    problems = dict(zip(passed, find_row_problems(list(passed.values()), rules), strict=True))
    made = []
    for digest, row in rows.items():
        result, problem = screened[digest].result, problems.get(digest)
        if problem is not None and not isinstance(result, Rejection):
            result = reject(result, stage=STAGE, reason=problem.reason, detail=problem.detail)
        made.append(_outcome(digest, version, row, result, tuple(screened[digest].findings)))
    return made


def _outcome(digest: str, version: str, row: Row, result: Row | Rejection, findings: tuple[PrivacyFinding, ...]) -> RowCheck:
    refusal = result if isinstance(result, Rejection) else None
    return RowCheck(
        key=digest,
        version=version,
        record=type(row).__name__,
        reason=refusal.reason if refusal else "",
        detail=refusal.detail if refusal else "",
        excerpt=refusal.excerpt if refusal else "",
        language="" if isinstance(result, Rejection) else language_of(result),
        cleaned="" if refusal or result == row else canonical_json(as_row(result)),
        findings=findings,
    )


def clean_row(row: Row, rules: RuleConfig) -> Row:
    """Return the row with normalised texts, calculator marks taken out if the rules say so."""
    if isinstance(row, Example):
        return clean_marks(replace(row, messages=_clean(row.messages)), rules)
    if isinstance(row, PreferencePair):
        chosen, rejected = normalise_text(row.chosen), normalise_text(row.rejected)
        return clean_marks(replace(row, prompt=_clean(row.prompt), chosen=chosen, rejected=rejected), rules)
    if isinstance(row, VerifiableTask):
        return replace(row, prompt=_clean(row.prompt), reference=normalise_text(row.reference))
    return clean_marks(replace(row, prompt=_clean(row.prompt), answer=normalise_text(row.answer)), rules)


def _clean(messages: Iterable[Message]) -> tuple[Message, ...]:
    return tuple(replace(message, content=normalise_text(message.content)) for message in messages)


def language_of(row: Row) -> str:
    """Return the language of question and answer together; `und` where too little text tells."""
    view = view_of(row)
    return detect_language(f"{view.question}\n{view.answer or view.rejected}").code or UNDETERMINED
