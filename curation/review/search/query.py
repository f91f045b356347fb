"""What somebody typed into the search box, read so that no input is an error.

    parse_query('trim "white space" -date state:open')
    Query(terms=(Term(words=("trim",)), Term(words=("white", "space")), Term(words=("date",), is_negated=True)),
          filters=(Filter(field="state", value="open"),), problems=())

Words have to stand in an item, all of them; a phrase in quotes as it is; `-` leaves out; `trim*` is a beginning. Several
filters of one field mean any of them. A filter that makes no sense is a problem, and then nothing is found: to leave it
out would find more than was asked for.
"""

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass

from curation.review.search.words import split_words

MAX_CHARS = 1_000
MAX_PARTS = 32

STATES = ("open", "partial", "disputed", "decided", "withdrawn")
KINDS = ("example", "pair", "task", "document")
DECISIONS = ("approve", "edit", "reject", "prefer_a", "prefer_b", "tie", "both_bad", "none")
FIELDS = ("kind", "task", "state", "decision", "reviewer", "reason", "lot", "before", "after")

_PART = re.compile(
    rf'(?P<minus>-?)(?:(?P<field>(?i:{"|".join(FIELDS)})):(?:"(?P<quoted>[^"]*)"?|(?P<bare>[^\s"]*))|"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))'
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """Words that stand next to each other."""

    words: tuple[str, ...]
    is_negated: bool = False
    is_prefix: bool = False
    """The last word is the beginning of one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """A field and what it has to be."""

    field: str
    value: str
    is_negated: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """What is looked for."""

    text: str = ""
    """As typed."""
    terms: tuple[Term, ...] = ()
    filters: tuple[Filter, ...] = ()
    problems: tuple[str, ...] = ()
    """Sentences for the person who typed it."""

    @property
    def wanted(self) -> tuple[Term, ...]:
        """The terms that have to be there."""
        return tuple(term for term in self.terms if not term.is_negated)

    def values(self, field: str, *, is_negated: bool = False) -> tuple[str, ...]:
        """Return what a field has to be (or must not be), each value once."""
        found = (each.value for each in self.filters if each.field == field and each.is_negated == is_negated)
        return tuple(dict.fromkeys(found))


def parse_query(text: str) -> Query:
    """Return what a text asks for. Never raises."""
    terms: list[Term] = []
    filters: list[Filter] = []
    problems: list[str] = []
    if len(text) > MAX_CHARS:
        problems.append(f"The search has {len(text):,} characters; at most {MAX_CHARS:,} are read.")
    parts = list(_PART.finditer(text[:MAX_CHARS]))
    if len(parts) > MAX_PARTS:
        problems.append(f"The search has {len(parts)} words; at most {MAX_PARTS} are looked for at once.")
    for part in parts[:MAX_PARTS]:
        if part["field"]:
            _read_filter(part, filters, problems)
        else:
            _read_term(part, terms)
    return Query(text=text[:MAX_CHARS], terms=tuple(terms), filters=tuple(filters), problems=tuple(problems))


def set_filter(text: str, field: str, value: str) -> str:
    """Return a search in which a field has to be one value and nothing else; an empty value takes the field out."""
    kept = [part[0] for part in _PART.finditer(text[:MAX_CHARS]) if (part["field"] or "").lower() != field]
    shown = f'"{value}"' if " " in value else value
    return " ".join([*kept, *([f"{field}:{shown}"] if value else [])])


def _read_term(part: re.Match[str], terms: list[Term]) -> None:
    word = part["word"] or ""
    words = tuple(split_words(part["phrase"] or word))
    if words:
        terms.append(Term(words=words, is_negated=bool(part["minus"]), is_prefix=word.endswith("*")))


def _read_filter(part: re.Match[str], filters: list[Filter], problems: list[str]) -> None:
    field = part["field"].lower()
    value = (part["quoted"] if part["quoted"] is not None else part["bare"] or "").strip()
    problem = _CHECKS[field](value) if value else f"Say what {field}: has to be, for example {field}:{EXAMPLES[field]}"
    if problem:
        problems.append(problem)
        return
    value = value.lower() if field in _CHOICES else value
    filters.append(Filter(field=field, value=value, is_negated=bool(part["minus"])))


def _is_one_of(field: str) -> Callable[[str], str]:
    return lambda value: "" if value.lower() in _CHOICES[field] else f"{field}: is one of {', '.join(_CHOICES[field])}."


def _is_text(value: str) -> str:
    usable = "\0" not in value and not any("\ud800" <= each <= "\udfff" for each in value)
    return "" if usable else "A filter holds characters that no text may hold (NUL or half a surrogate pair)."


def _is_day(value: str) -> str:
    try:
        datetime.date.fromisoformat(value)
    except ValueError:
        return "before: and after: take a day, such as 2026-11-29."
    return "" if len(value) == len("2026-11-29") else "before: and after: take a day, such as 2026-11-29."


_CHOICES = {"kind": KINDS, "state": STATES, "decision": DECISIONS}
_CHECKS: dict[str, Callable[[str], str]] = {
    **{field: _is_one_of(field) for field in _CHOICES},
    **dict.fromkeys(("task", "reviewer", "reason", "lot"), _is_text),
    **dict.fromkeys(("before", "after"), _is_day),
}
EXAMPLES = {
    "kind": "pair",
    "task": "routing",
    "state": "open",
    "decision": "reject",
    "reviewer": '"Ada Byron"',
    "reason": "ungrounded",
    "lot": "2026-48",
    "before": "2026-11-29",
    "after": "2026-11-01",
}
"""Field -> a value of it, for the help beside the search box."""
