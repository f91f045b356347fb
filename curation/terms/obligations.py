"""What has to be done when rows or a model trained on them are shared: names to name, licences to keep.

Obligation(kind="attribution", subject="api", license="MIT", text="api, under MIT", url="https://...", num_rows=900)
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from curation.terms.config import TermsConfig, TermsStatement
from curation.terms.licenses import find_license
from curation.terms.report import Obligation
from curation.terms.requirements import Requirement, Requirements
from curation.terms.ruling import Judge, best_of
from curation.terms.teachers import find_teacher
from curation.terms.uses import Uses

_Named = tuple[str, str, str, str, str]


def collect_obligations(shares: Mapping[Requirements, int], judge: Judge, config: TermsConfig) -> tuple[Obligation, ...]:
    """Return every obligation once, with the number of rows that it concerns, largest first."""
    numbers: Counter[_Named] = Counter()
    for requirements, number in shares.items():
        chosen = set(best_of(judge.combine(requirements).options).names)
        for named in {named for item in requirements for named in _obligations(item, chosen, judge, config)}:
            numbers[named] += number
    ordered = sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        Obligation(kind=kind, subject=subject, license=license, text=text, url=url, num_rows=number)
        for (kind, subject, license, text, url), number in ordered
    )


def _obligations(item: Requirement, chosen: set[str], judge: Judge, config: TermsConfig) -> Iterator[_Named]:
    if item.kind == "license":
        statement = config.sources.get(item.subject, TermsStatement())
        for name in _names(item, chosen, judge):
            listed = find_license(name)
            url = statement.url or (listed.url if listed else "")
            yield from _of_uses(item.subject, name, judge.uses_of(item, name), statement, url)
    elif item.kind == "teacher":
        statement, listed_teacher = config.teachers.get(item.subject, TermsStatement()), find_teacher(item.subject)
        if listed_teacher is not None:
            name = statement.license or listed_teacher.name
            yield from _of_uses(item.subject, name, listed_teacher.uses, statement, statement.url or listed_teacher.url)


def _names(item: Requirement, chosen: set[str], judge: Judge) -> Iterator[str]:
    """Yield the names of this requirement among those that were chosen for the row (of `A OR B`, one)."""
    of_item = {name for option in judge.rule(item).options for name in option.names}
    yield from sorted(of_item & chosen)


def _of_uses(subject: str, name: str, uses: Uses, statement: TermsStatement, url: str) -> Iterator[_Named]:
    if uses.attribution or statement.attribution:
        yield "attribution", subject, name, statement.attribution or f"{subject}, under {name}", url
    if uses.share_alike:
        yield "share_alike", subject, name, f"Share adaptations under {' or '.join(uses.share_alike)}.", url
    if uses.note:
        yield "note", subject, name, uses.note, url
