"""Judge single terms against the declared use.

    Judge(TermsConfig(use="commercial")).rule(Requirement("license", "news", "CC-BY-NC-4.0")).verdict == "forbidden"

`A OR B` may be kept by either, so a ruling holds one option for each way of keeping to it; `A AND B` joins them. Two
share-alike licences that cannot be joined on one row conflict if the rows are handed on.
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from curation.terms.config import AllowedUses, TermsConfig, TermsStatement
from curation.terms.expression import AllOf, Expression, Name, parse_license, spell
from curation.terms.licenses import find_license
from curation.terms.output import read_output_terms, split_texts
from curation.terms.requirements import Requirement
from curation.terms.teachers import AS_OF, find_teacher
from curation.terms.uses import KINDS, SEVERITY, Uses, Verdict, worst

MAX_OPTIONS = 256
"""More ways than this to keep to the licences of one row are not weighed up: that is a conflict for a person."""

UNKNOWN_USES = Uses(
    train="unknown", commercial="unknown", redistribute_data="unknown", redistribute_model="unknown", compete="unknown"
)
KIND_NAMES = {
    "train": "training",
    "commercial": "commercial use",
    "redistribute_data": "handing rows on",
    "redistribute_model": "handing the model on",
    "compete": "training a competing model",
}


class Option(NamedTuple):
    """One way of keeping to terms."""

    verdict: Verdict
    share_alike: tuple[str, ...] | None
    """Licences under which the row may be shared; None if it does not matter."""
    names: tuple[str, ...]
    """The licences that were chosen."""


class Ruling(NamedTuple):
    """What one requirement means for the declared use."""

    verdict: Verdict
    detail: str
    options: tuple[Option, ...]


class Judge:
    """Rules on requirements under one configuration; every ruling is made once."""

    def __init__(self, config: TermsConfig) -> None:
        self._config = config
        self.rule = functools.cache(self._rule)
        self.combine = functools.cache(self._combine)
        statements = (*config.sources.values(), *config.teachers.values())
        self._granted = {
            part: item.allowed for item in statements if item.allowed for part in sorted(split_texts(item.output_terms))
        }

    def uses_of(self, requirement: Requirement, name: str) -> Uses:
        """Return what one licence allows to the subject of a requirement, with what was granted to the recipe."""
        listed = find_license(name)
        statement = self._statement(requirement)
        return granted(listed.uses if listed else UNKNOWN_USES, statement.allowed if statement else None)

    def _statement(self, requirement: Requirement) -> TermsStatement | None:
        stated = self._config.teachers if requirement.kind == "teacher" else self._config.sources
        return stated.get(requirement.subject)

    def _rule(self, requirement: Requirement) -> Ruling:
        rules = {"license": self._rule_license, "teacher": self._rule_teacher, "output": self._rule_output}
        if requirement.kind in rules:
            return rules[requirement.kind](requirement)
        source = requirement.subject
        if requirement.kind == "missing":
            return _plain(
                "unknown",
                f"source '{source}' has no licence: add `license:` to the source, or state it under `terms.sources.{source}`.",
            )
        return _plain(
            "conflicting",
            f"source '{source}' is given as {requirement.text}: correct one of them, or set `terms.sources.{source}` with the "
            "licence that holds, `reason` and `confirmed_by`.",
        )

    def _rule_license(self, requirement: Requirement) -> Ruling:
        options = self._options(parse_license(requirement.text), requirement)
        best = best_of(options)
        where = f"terms.sources.{requirement.subject}"
        return Ruling(best.verdict, self._explain(best, requirement, f"source '{requirement.subject}'", where), options)

    def _options(self, expression: Expression, requirement: Requirement) -> tuple[Option, ...]:
        if isinstance(expression, Name):
            uses = self.uses_of(requirement, expression.text)
            share_alike = uses.share_alike if self._config.redistribute_data and uses.share_alike else None
            return (Option(self._verdict(uses), share_alike, (expression.text,)),)
        parts = [self._options(part, requirement) for part in expression.parts]
        if isinstance(expression, AllOf):
            return functools.reduce(join_options, parts)
        return prune(option for part in parts for option in part)

    def _verdict(self, uses: Uses) -> Verdict:
        return worst([verdict for _, verdict in self._by_kind(uses)])

    def _by_kind(self, uses: Uses) -> list[tuple[str, Verdict]]:
        """Judge each kind of use that was declared; whether internal use is commercial is for a person to say."""
        config = self._config
        wanted = {
            "train": True,
            "commercial": config.use != "research",
            "redistribute_data": config.redistribute_data,
            "redistribute_model": config.redistribute_model,
            "compete": config.competes_with_teacher,
        }
        words: dict[str, Verdict] = {"yes": "allowed", "no": "forbidden", "unknown": "unknown"}
        found = [(kind, words[uses.permission(kind)]) for kind in KINDS if wanted[kind]]
        is_unsure = config.use == "internal"
        return [
            (kind, "unknown" if is_unsure and kind == "commercial" and verdict == "forbidden" else verdict)
            for kind, verdict in found
        ]

    def _explain(self, option: Option, requirement: Requirement, subject: str, where: str) -> str:
        lines = []
        for name in option.names:
            shown = name[:200]
            if find_license(name) is None:
                lines.append(f"licence '{shown}' of {subject} is not in the catalogue")
            told = [
                f"{KIND_NAMES[kind]} {'is forbidden' if verdict == 'forbidden' else 'is not clear'}"
                for kind, verdict in self._by_kind(self.uses_of(requirement, name))
                if verdict != "allowed"
            ]
            if told:
                lines.append(f"{shown} ({subject}): {', '.join(told)}")
        if not lines:
            return ""
        return "; ".join(lines) + f". State what was granted under `{where}.allowed`, with `reason` and `confirmed_by`."

    def _rule_teacher(self, requirement: Requirement) -> Ruling:
        model = requirement.subject
        statement, listed = self._config.teachers.get(model), find_teacher(model)
        if statement is not None and statement.license.strip():
            options = self._options(parse_license(statement.license), requirement)
        else:
            uses = granted(listed.uses if listed else UNKNOWN_USES, statement.allowed if statement else None)
            options = (Option(self._verdict(uses), None, ()),)
        best = best_of(options)
        known = f"{listed.statement} ({listed.url}, as of {AS_OF})" if listed else "its output terms are not in the catalogue."
        is_confirmed = statement is not None and statement.confirmed_by.strip() != ""
        if is_confirmed and best.verdict == "allowed":
            return Ruling("allowed", "", options)
        if not is_confirmed:
            options = tuple(item._replace(verdict=worst([item.verdict, "unknown"])) for item in options)
        asked = "correct" if best.verdict == "forbidden" else "state"
        detail = (
            f"teacher '{model}': {known} Read the terms, then {asked} them under `terms.teachers.{model}` "
            "with `confirmed_by` (and `allowed` with `reason` where they differ)."
        )
        return Ruling(best_of(options).verdict, detail, options)

    def _rule_output(self, requirement: Requirement) -> Ruling:
        text = requirement.text
        if text in self._granted:
            listed = [granted(UNKNOWN_USES, self._granted[text])]
        else:
            listed = read_output_terms(text) or self._read_as_license(text)
        verdict = worst([self._verdict(uses) for uses in listed])
        if verdict == "allowed":
            return _plain("allowed", "")
        told = f"the output terms '{text[:200]}' of '{requirement.subject}'"
        kinds = sorted({KIND_NAMES[kind] for uses in listed for kind, found in self._by_kind(uses) if found == verdict})
        word = "forbid" if verdict == "forbidden" else "do not say whether they allow"
        return _plain(
            verdict, f"{told} {word} {', '.join(kinds)}. Repeat the text in a statement under `terms` with `allowed`."
        )

    def _read_as_license(self, text: str) -> list[Uses]:
        expression = parse_license(text)
        listed = find_license(expression.text) if isinstance(expression, Name) else None
        return [listed.uses if listed else UNKNOWN_USES]

    def _combine(self, requirements: frozenset[Requirement]) -> Ruling:
        """Rule on all requirements of a row together."""
        ordered = sorted(requirements)
        rulings = [self.rule(item) for item in ordered]
        start: tuple[Option, ...] = (Option("allowed", None, ()),)
        options = functools.reduce(join_options, (ruling.options for ruling in rulings), start)
        alone = worst([ruling.verdict for ruling in rulings])
        best = best_of(options)
        details = [ruling.detail for ruling in rulings if ruling.verdict != "allowed"]
        if SEVERITY[best.verdict] > SEVERITY[alone]:
            shown = ", ".join(sorted({spell(parse_license(item.text)) for item in ordered if item.kind == "license"}))
            details.append(f"share-alike licences of one row exclude each other when rows are handed on: {shown[:300]}.")
        return Ruling(worst([best.verdict, alone]), " ".join(details), options)


def granted(uses: Uses, allowed: AllowedUses | None) -> Uses:
    """Return what is allowed once a person's findings stand in for the catalogue's."""
    if allowed is None:
        return uses
    found = {kind: getattr(allowed, kind) for kind in KINDS}
    changes: dict[str, Any] = {kind: "yes" if value else "no" for kind, value in found.items() if value is not None}
    return replace(uses, **changes)


def join_options(left: Sequence[Option], right: Sequence[Option]) -> tuple[Option, ...]:
    """Return every way of keeping to both; adding terms never makes the best of them milder."""
    return prune(_both(one, other) for one in left for other in right)


def _both(one: Option, other: Option) -> Option:
    verdict = worst([one.verdict, other.verdict])
    names = tuple(sorted({*one.names, *other.names}))
    if one.share_alike is None or other.share_alike is None:
        return Option(verdict, one.share_alike if other.share_alike is None else other.share_alike, names)
    shared = tuple(sorted({*one.share_alike} & {*other.share_alike}))
    return Option(verdict if shared else worst([verdict, "conflicting"]), shared, names)


def prune(options: Iterable[Option]) -> tuple[Option, ...]:
    """Keep the mildest option for each set of licences to share under."""
    kept: dict[tuple[str, ...] | None, Option] = {}
    for option in options:
        key = None if option.share_alike is None else tuple(sorted(option.share_alike))
        if key not in kept or _rank(option) < _rank(kept[key]):
            kept[key] = option
    ordered = tuple(sorted(kept.values(), key=_rank))
    if len(ordered) <= MAX_OPTIONS:
        return ordered
    hardest = worst(["conflicting", ordered[0].verdict])
    return (Option(hardest, (), ordered[0].names),)


def best_of(options: Sequence[Option]) -> Option:
    """Return the option that asks for least."""
    return min(options, key=_rank)


def _rank(option: Option) -> tuple[int, int, int, tuple[str, ...]]:
    return SEVERITY[option.verdict], int(option.share_alike is not None), len(option.names), option.names


def _plain(verdict: Verdict, detail: str) -> Ruling:
    return Ruling(verdict, detail, (Option(verdict, None, ()),))
