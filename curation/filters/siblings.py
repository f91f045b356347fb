r"""The sibling guard: prompts that look alike but ask for different things are no duplicates.

sibling_signature("What is 7 times 8?") != sibling_signature("What is 7 times 9?")
sibling_signature("Does `head` copy?") != sibling_signature("Does `tail` copy?")
"""

import re
from typing import NamedTuple

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_NEGATION = re.compile(
    r"\b(?:not|no|never|without|cannot|none|nor|neither|except|un(?:like|less))\b|n['\u2019]t\b", re.IGNORECASE
)
_IDENTIFIER = re.compile(
    r"`[^`\n]{1,200}`"  # inline code
    r"|\"[^\"\n]{1,100}\""  # quoted
    r"|\b\w+(?:\.\w+)+\b"  # dotted names, versions, file names
    r"|\b\w*_\w+\b"  # snake_case
    r"|\b[a-z]+[A-Z]\w*\b|\b[A-Z][a-z0-9]+[A-Z]\w*\b"  # camelCase, PascalCase
    r"|\b[A-Z][A-Z0-9]+\b"  # ACRONYMS
    r"|\b\w+\(\)?"  # calls
)


class SiblingSignature(NamedTuple):
    """What two prompts must share, in order, to be copies of each other."""

    numbers: tuple[str, ...]
    negations: tuple[str, ...]
    identifiers: tuple[str, ...]


def sibling_signature(text: str) -> SiblingSignature:
    """Return the numbers, negations and code-like tokens of a text, in order."""
    return SiblingSignature(
        numbers=tuple(_NUMBER.findall(text)),
        negations=tuple(found.lower().replace("\u2019", "'") for found in _NEGATION.findall(text)),
        identifiers=tuple(found.strip("`") for found in _IDENTIFIER.findall(text)),
    )
