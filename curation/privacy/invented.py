"""Invented surnames for pseudonyms: 13,824 that hardly anybody bears, so that a pseudonym is known again when it comes back.

invented_surname(17)                     "Bramelmarsh"
is_invented_name("Robin Bramelmarsh")    True
"""

import re

from curation.privacy.word_lists import lines_of


def _part(name: str) -> tuple[str, ...]:
    lines = (line.partition(":") for line in lines_of("invented_names"))
    return tuple(word for label, _, words in lines if label == name for word in words.split())


FIRST_NAMES, _HEADS, _MIDDLES, _TAILS = _part("first"), _part("head"), _part("middle"), _part("tail")
COUNT = len(_HEADS) * len(_MIDDLES) * len(_TAILS)
_INVENTED = re.compile(rf"\b(?i:{'|'.join(_HEADS)})(?:{'|'.join(_MIDDLES)})(?:{'|'.join(_TAILS)})\b")


def invented_surname(number: int) -> str:
    """Return the surname with this number (taken modulo `COUNT`)."""
    number, tail = divmod(number % COUNT, len(_TAILS))
    head, middle = divmod(number, len(_MIDDLES))
    return f"{_HEADS[head]}{_MIDDLES[middle]}{_TAILS[tail]}"


def is_invented_name(text: str) -> bool:
    """Tell whether a text holds one of the invented surnames."""
    return _INVENTED.search(text) is not None
