r"""The sibling guard: texts that look alike but ask for different things are no duplicates.

are_siblings(read_marks("What is 7 times 8?"), read_marks("What is 7 times 9?"))              True
are_siblings(read_marks("Does `head` copy?"), read_marks("Does `tail` copy?"))                True
are_siblings(read_marks("HOW DO I CALL HEAD()?"), read_marks("How do I call head()?"))        False

Two texts are siblings if their numbers, their negations, or their identifiers (code, quoted words, acronyms, and in short
texts names) differ or stand in another order, or if only one has a single letter, or the opposite of a word of the other.
Case, punctuation and other words do not matter.
"""

import re
from collections.abc import Set
from typing import NamedTuple

from curation.duplicates.sibling_words import CJK_NEGATIONS, NEGATIONS, NUMBER_WORDS, OPPOSITES

MAX_CHARS = 200_000
"""Only the start of longer texts is looked at."""
SHORT_WORDS = 20
"""In texts with fewer words, capitalised words count as identifiers."""

_WORD = re.compile(r"\w+")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_DIGITS = re.compile(r"\d+")
_IDENTIFIERS: tuple[tuple[str, re.Pattern[str]], ...] = (  # what must stand in a text for the pattern to be tried
    ("`", re.compile(r"`[^`\n]{1,200}`")),  # inline code
    ('"', re.compile(r"\"[^\"\n]{1,60}\"")),  # quoted
    ("\u201c", re.compile("\u201c[^\u201d\n]{1,60}\u201d")),
    (".", re.compile(r"\b[^\W\d]\w*(?:\.\w+)+\b")),  # dotted names, file names
    ("_", re.compile(r"\b\w*_\w+\b")),  # snake_case
    ("(", re.compile(r"\b\w+\(")),  # calls
)
_DOT_INSIDE = re.compile(r"\.\w")
_CAPITALISED = re.compile(r"\b(?:[a-z]+[A-Z]\w*|[A-Z](?:[a-z0-9]+[A-Z]\w*|[A-Z0-9]+\b))")  # camelCase, PascalCase, ACRONYMS
_NAME = re.compile(r"(?<![.!?:;\n] )(?<!^)(?<![\w'\u2019\"\u201c`.])[A-Z][a-z]+\b")
_LETTERS = frozenset("bcefghjklnopqruvwxyz")
"""Single letters that are no words and no ends of contractions: "Hepatitis B", "column x"."""


class Marks(NamedTuple):
    """What two texts are told apart by."""

    words: tuple[str, ...]
    """All words, folded, in order."""
    numbers: tuple[str, ...]
    negations: tuple[str, ...]
    identifiers: frozenset[str]
    """Folded words of code, quotes, acronyms and names."""


def read_marks(text: str) -> Marks:
    """Return the marks of a text."""
    text = text[:MAX_CHARS].replace("n't", "nt").replace("n\u2019t", "nt").replace("N'T", "NT")
    text = _THOUSANDS.sub("", text) if "," in text else text
    words = tuple(_WORD.findall(text.casefold()))
    return Marks(words, _numbers(text, words), _negations(text, words), frozenset(_identifiers(text, len(words))))


def are_siblings(one: Marks, two: Marks) -> bool:
    """Tell whether two similar texts ask for different things."""
    if one.words == two.words:
        return False
    if one.numbers != two.numbers or one.negations != two.negations:
        return True
    either = one.identifiers | two.identifiers
    if either and _only(one.words, either) != _only(two.words, either):
        return True
    mine, theirs = set(one.words), set(two.words)
    if any(len(word) == 1 and word in _LETTERS for word in mine ^ theirs):
        return True
    return any(OPPOSITES[word] & (theirs - mine) for word in OPPOSITES.keys() & (mine - theirs))


def _only(words: tuple[str, ...], chosen: Set[str]) -> list[str]:
    return [word for word in words if word in chosen]


def _numbers(text: str, words: tuple[str, ...]) -> tuple[str, ...]:
    if not _DIGITS.search(text) and NUMBER_WORDS.keys().isdisjoint(words):
        return ()
    found: list[str] = []
    for word in words:
        if word in NUMBER_WORDS:
            found.append(NUMBER_WORDS[word])
        elif not word.isalpha():  # most are, and looking takes longer
            found.extend(_DIGITS.findall(word))
    return tuple(found)


def _negations(text: str, words: tuple[str, ...]) -> tuple[str, ...]:
    found = [] if NEGATIONS.keys().isdisjoint(words) else [NEGATIONS[word] for word in words if word in NEGATIONS]
    return tuple(found if text.isascii() else [*found, *(char for char in text if char in CJK_NEGATIONS)])


def _identifiers(text: str, num_words: int) -> list[str]:
    """Return the words of identifiers; capitals say nothing where most words have some."""
    found: list[str] = []
    capitalised = [word for word in text.split() if not word.islower() and word != word.lower()]
    if num_words < 4 or 2 * len(capitalised) <= num_words:
        found += _CAPITALISED.findall(" ".join(capitalised))
        found += _NAME.findall(text) if num_words < SHORT_WORDS else []
    for needed, pattern in _IDENTIFIERS:
        if needed in text and (needed != "." or _DOT_INSIDE.search(text)):
            found += pattern.findall(text)
    return [word for item in found for word in _WORD.findall(item.casefold())]
