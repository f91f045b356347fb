r"""Street addresses by form: number and street word, post boxes, with flat, town and code where they follow.

find_streets("Ship to 221 Baker Street, Apt 4, London NW1 6XE.", clues)     STREET_ADDRESS, span 8 to 47
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from curation.privacy.clues import Clues
from curation.privacy.finding import Finding

_ENGLISH = (
    "street st avenue ave av road rd boulevard blvd lane ln drive court ct place pl square sq terrace ter way parkway pkwy"
    " circle cir highway hwy trail crescent close alley"
)
_JOINED = (
    *(
        "stra\u00dfe",
        "strasse",
        "str.",
        "gasse",
        "platz",
        "allee",
        "damm",
        "gatan",
        "v\u00e4gen",
        "vej",
        "gade",
        "veien",
        "vegen",
    ),
    *("gata", "straat", "laan", "plein", "kade", "katu", "utca", "weg", "stien", "braut"),
)
_JOINED_PARTS = (
    *(
        "stra",
        "str.",
        "gasse",
        "platz",
        "allee",
        "damm",
        "gata",
        "v\u00e4gen",
        "vej",
        "gade",
        "veien",
        "vegen",
        "laan",
        "plein",
    ),
    *("kade ", "katu ", "utca ", "weg ", "stien", "braut"),
)
_FIRST = (
    *("rue", "avenue", "boulevard", "via", "viale", "piazza", "corso", "calle", "avenida", "paseo", "plaza", "rua", "travessa"),
    *("pra\u00e7a", "ulica", "ul.", "cit\u00e9"),
)
_WORD = r"[^\W\d_][\w'\u2019.\-]{0,25}"
_WORDS = rf"{_WORD}(?:[ ]{{1,2}}{_WORD}){{0,3}}"
_UNIT = r"(?:,?\s{1,3}(?i:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Fl|Room|Rm)\.?\s?#?\w{1,6}|,?[ ]?#[ ]?\w{1,6})?"
_CODE = r"(?:[A-Z]{2}[ ]{1,2})?(?:\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]?[ ]?\d[A-Z]{2})"
_TOWN = rf"(?:,?[ ]?\n?[ >?]{{0,4}}{_WORDS}(?:,?[ ]?\n{{0,2}}[ >?,]{{0,4}}{_WORDS})?,?[ \n]{{1,2}}{_CODE}(?!\w))?"
_TAIL = _UNIT + _TOWN


@dataclass(frozen=True, slots=True)
class _Form:
    name: str
    score: float
    words: frozenset[str]
    """One of these words occurs in the text, or else one of the parts."""
    parts: tuple[str, ...]
    pattern: re.Pattern[str]


def _any_of(names: tuple[str, ...] | list[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


_NUMBER_FIRST = r"\d(?<![\w.,\-]\d)\d{0,5}[A-Za-z]?[ ]{1,2}"
_CAPITAL = r"(?:[A-Z\u00c0-\u024f\u0370-\u03ff\u0400-\u04ff][\w'\u2019\-]{0,25}\.?|\d{1,3}(?:st|nd|rd|th))"
_STREET = _any_of([form for word in _ENGLISH.split() for form in (word.capitalize(), word.upper())])
_ENGLISH_FORM = rf"{_NUMBER_FIRST}(?:\d{{1,6}}[ ])?{_CAPITAL}(?:[ ]{{1,2}}{_CAPITAL}){{0,3}}[ ]{{1,2}}(?:{_STREET})\b\.?{_TAIL}"
_JOINED_FORM = (
    rf"(?<!\w)(?:\d{{1,6}}[ ]{{1,2}})?[A-Z\u00c0-\u024f][\w\-]{{1,25}}(?:{_any_of(_JOINED)})[ ]{{1,2}}"
    rf"\d{{1,4}}[a-zA-Z]?(?![\w%]){_TAIL}"
)
_OF = r"(?:(?:de|du|des|d|la|le|les|del|della|dei|delle|do|da|dos|das|of)[ '\u2019]){0,2}"
_FIRST_NAME = rf"(?i:{_any_of(_FIRST)})[ ]{{1,2}}{_OF}{_CAPITAL}(?:[ ]{{1,2}}{_OF}{_CAPITAL}){{0,3}}"
_NUMBER_THEN_FIRST = rf"{_NUMBER_FIRST}(?:\d{{1,6}},?[ ]{{1,2}})?{_FIRST_NAME}(?:[ ]\d{{1,4}})?{_TAIL}"
_FIRST_THEN_NUMBER = rf"(?<!\w){_FIRST_NAME},?[ ]{{1,2}}\d{{1,5}}(?![\w%]){_TAIL}"
_BOX = rf"(?<!\w)(?:\d{{1,6}}[ ])?(?i:P\.?[ ]?O\.?[ ]?Box)[ ]{{1,2}}\d{{1,6}}(?:[ ]{_WORDS})?{_TAIL}"
_MILITARY = (
    r"(?<!\w)(?:(?:PSC|Unit|USN[SV]|USS|USCGC)[ ]{1,2}[\w'\-]{1,20},?[ ]{0,2}(?:Box[ ]\d{1,6})?[, \n]{0,3})?"
    r"(?:APO|FPO|DPO)[ ](?:AA|AE|AP)[ ]\d{5}"
)
_FLAT = r"(?<!\w)(?:Apt\.|Apartment|Suite)[ ]{1,2}\d{1,5}(?!\w)"
_CORNER = rf"(?<!\w)(?i:the corner of)[ ]{{1,2}}(?:\d{{1,4}}[ ])?{_WORDS}(?:[ ]\d{{1,4}})?[ ]and[ ]{{1,2}}{_WORDS}"
_TOLD = (
    r"(?i:(?:address(?:es)?(?: is| to(?: the same)?| with|,)?|(?:located|lives?|living|office is|restaurant is"
    r"|drops you off|delivered|arrived) (?:at|on)"
    r"|(?:meet|see) (?:me|you) at|(?:return|send it|ship|sent|new one) to|location|where))(?: is)?[: \n]{1,4}"
    rf"(?P<address>\d{{1,6}}(?:,?[ \n]{{1,3}}(?:{_CAPITAL}|\d{{1,6}}[A-Za-z]?|de|da|do|del|la|the)){{1,8}}{_TAIL})"
)
_FORMS = (
    _Form("english", 0.8, frozenset(_ENGLISH.split()), (), re.compile(_ENGLISH_FORM)),
    _Form("joined", 0.75, frozenset(), _JOINED_PARTS, re.compile(_JOINED_FORM)),
    _Form("first", 0.75, frozenset(_FIRST), ("ul.",), re.compile(_NUMBER_THEN_FIRST)),
    _Form("first", 0.75, frozenset(_FIRST), ("ul.",), re.compile(_FIRST_THEN_NUMBER)),
    _Form("post_box", 0.8, frozenset(("box",)), (), re.compile(_BOX)),
    _Form("military", 0.8, frozenset(("apo", "fpo", "dpo")), (), re.compile(_MILITARY)),
    _Form("flat", 0.55, frozenset(("apt", "apartment", "suite")), (), re.compile(_FLAT)),
    _Form("corner", 0.6, frozenset(("corner",)), (), re.compile(_CORNER)),
    _Form(
        "told",
        0.6,
        frozenset(("address", "addresses", "located", "lives", "live", "meet", "return", "office", "location")),
        (),
        re.compile(_TOLD),
    ),
)


def find_streets(text: str, clues: Clues) -> Iterator[Finding]:
    """Find addresses; spans run from the first number or word to the last part that belongs to them."""
    for form in _FORMS:
        if not (clues.has_word(form.words) or clues.has_part(form.parts)):
            continue
        for match in form.pattern.finditer(text):
            start = match.start("address") if "address" in form.pattern.groupindex else match.start()
            yield Finding(
                "STREET_ADDRESS",
                start,
                start + len(text[start : match.end()].rstrip(" \n,.")),
                f"street:{form.name}",
                form.score,
            )
