r"""The words of a text, in a form in which those of an answer and of its source can be compared.

read_words("It doesn't cost 1,000 dollars.")
    [Word(start=0, end=2, stem="it", ...), Word(stem="doesn't", is_negation=True, ...), ..., Word(stem="1000", unit="dollar")]

English only where it knows words (negations, opposites, endings); numbers, names and plain words work in any language.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

_TOKEN = re.compile(
    r"\d+(?:[.,:]\d+)*(?![^\W\d])|%|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]|"
    r"\w+(?:['\u2019](?:s|t|re|ll|ve|d|m))?",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d[\d.,:]*")
_IDENTIFIER = re.compile(r"\w_\w|\d")
_START = re.compile(r"[.!?:;\n\"\u201c(\[*#>|-]\s*$")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_SUFFIXES = _listed("ations ation ments ment ings ing ions ion ies ied ers er ors or ed es ly al s e y")
_SMALL = _listed(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen"
    " nineteen twenty"
)
_TENS = _listed("thirty forty fifty sixty seventy eighty ninety hundred")
_NUMBERS = {name: str(value) for value, name in enumerate(_SMALL)} | {
    name: str(10 * value) for value, name in enumerate(_TENS, start=3)
}
_SCALES = frozenset(_listed("thousand million billion"))
_NEGATIONS = frozenset(_listed("not no never none neither nor without cannot nothing nobody hardly unable"))
_EMPTY = frozenset(
    _listed(
        "a an and are as at be been being but by can could did do does for from had has have he her him his how i if in into is"
        " it its may me might my of on or our shall she should so some such than that the their them then there these they this"
        " those to too us was we were what when where which while who will with would you your also any just very s t please"
        " yes thus hence however therefore about per via one ones let lets"
    )
)
_UNITS = {
    unit: names.split()[0]
    for names in (
        "% percent pct",
        "kb kilobyte kilobytes kib",
        "mb megabyte megabytes mib",
        "gb gigabyte gigabytes gib",
        "tb terabyte terabytes",
        "ms millisecond milliseconds",
        "second seconds sec secs",
        "minute minutes min mins",
        "hour hours hr hrs",
        "day days",
        "week weeks",
        "month months",
        "year years",
        "dollar dollars usd",
        "euro euros eur",
        "pound pounds gbp",
        "km kilometre kilometres kilometer kilometers",
        "metre metres meter meters",
        "kg kilogram kilograms",
        "byte bytes",
    )
    for unit in names.split()
}


class Word(NamedTuple):
    """A word and where it stands (half-open characters)."""

    start: int
    end: int
    stem: str
    """What it is compared by: without ending and case; for a number its value."""
    is_number: bool = False
    is_name: bool = False
    """Looks like a name or an identifier: `Berlin`, `max_retries`, `HTTP2`."""
    is_negation: bool = False
    is_content: bool = True
    """Says something by itself."""
    unit: str = ""
    """Of a number: the unit that follows it."""


def read_words(text: str) -> list[Word]:
    """Return the words of a text, in order."""
    return list(_read(text, list(_TOKEN.finditer(text))))


def _read(text: str, tokens: list[re.Match[str]]) -> Iterator[Word]:
    previous_end = 0
    for number, token in enumerate(tokens):
        word = token[0].replace("\u2019", "'")
        low = word.casefold()
        is_negation = low in _NEGATIONS or low.endswith("n't")
        if low in _NUMBERS and low != "one" or _DIGITS.fullmatch(low):
            unit = _unit([after[0] for after in tokens[number + 1 : number + 3]])
            yield Word(token.start(), token.end(), _value(low), is_number=True, unit=unit)
        else:
            yield Word(
                token.start(),
                token.end(),
                stem(low),
                is_name=word != low
                and _is_name(word, text[previous_end : token.start()], tokens[number + 1 : number + 2])
                or _IDENTIFIER.search(low) is not None,
                is_negation=is_negation,
                is_content=not is_negation and low not in _EMPTY,
            )
        previous_end = token.end()


def _unit(following: list[str]) -> str:
    """Return the unit that follows a number, also after `million`."""
    names = [name.casefold() for name in following]
    return _UNITS.get(names[-1] if names[0] in _SCALES else names[0], "") if names else ""


def _value(number: str) -> str:
    if number in _NUMBERS:
        return _NUMBERS[number]
    plain = number.replace(",", "") if _THOUSANDS.fullmatch(number) else number.replace(",", ".")
    whole, dot, rest = plain.partition(".")
    return (whole.lstrip("0") or "0") + (dot + rest if rest.strip("0") else "")


def _is_name(word: str, before: str, following: list[re.Match[str]]) -> bool:
    """Tell whether a word with capitals is a name; at the start of a sentence only if the next one has a capital too."""
    letters = word.removesuffix("'s")
    if letters.isupper():
        return len(letters) > 1
    if any(map(str.isupper, letters[1:])):
        return True
    starts = not before or _START.search(before[-8:]) is not None
    return letters.casefold() not in _EMPTY and (not starts or (bool(following) and following[0][0].istitle()))


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Return a lower-case word without its ending, so that `ships`, `shipped` and `shipping` are one."""
    word = _UNITS.get(word, word).removesuffix("'s")
    for suffix in _SUFFIXES if word.isascii() else ():
        kept = word.removesuffix(suffix)
        if kept != word and len(kept) >= 3 and re.search("[aeiouy]", kept):
            word = kept
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiouls" else word


OPPOSITES = tuple(
    (frozenset(stem(word) for word in left.split()), frozenset(stem(word) for word in right.split()))
    for left, right in (
        (
            "increase increases increased raise raises rise rises grow grows",
            "decrease decreases lower lowers reduce reduces fall falls",
        ),
        ("before", "after"),
        ("more above over exceeds longer larger greater higher", "less fewer below under shorter smaller lower"),
        ("maximum most", "minimum least"),
        ("always all every", "sometimes some few"),
        ("first earliest oldest", "last latest newest"),
        ("enable enables enabled", "disable disables disabled"),
        (
            "allow allows allowed accept accepts accepted permitted",
            "forbid forbids forbidden deny denies denied refuse refuses rejected",
        ),
        ("open opens opened", "close closes closed"),
        ("start starts begin begins", "stop stops end ends"),
        ("required mandatory must", "optional voluntary"),
        ("true", "false"),
        ("free", "paid charged chargeable"),
        ("ascending", "descending"),
        ("left", "right"),
        ("north northern", "south southern"),
        ("east eastern", "west western"),
        ("positive", "negative"),
        ("continue continues", "stop stops"),
        ("hot warm", "cold"),
        ("public", "private"),
        ("add adds added", "remove removes removed"),
        ("succeed succeeds succeeded", "fail fails failed"),
        ("buy buys bought", "sell sells sold"),
    )
)
"""Groups of stems that say the contrary of each other."""
