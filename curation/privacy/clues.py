r"""The prefilter: a few cheap scans that say which recognisers can find anything at all in a text.

clues_of("Call +1 212 736 5000")     Clues(words={"call", "1", ...}, num_digits=11, has_number=True, ...)
clues_of("Sort a list in Python")    nothing but the words: no recogniser runs

Every scan is linear: counts, substring tests, and one pattern whose repeats are bounded.
"""

import re
from dataclasses import dataclass

_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(r"\d(?:[ \-.()/\u00a0\u2011]{0,3}\d){6}")
_LONG_TOKEN = 14
_SECRET_WORDS = ("pass", "pwd", "secret", "token", "key", "auth", "credential", "bearer", "sig")
_SPACES = {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) == "_")}


@dataclass(frozen=True, slots=True)
class Clues:
    """What one look at a text tells."""

    lowered: str
    words: frozenset[str]
    """The words of the text in lower case."""
    num_digits: int
    has_number: bool
    """Seven digits or more with at most three separators between two of them."""
    long_tokens: str
    """The stretches of 14 characters or more without white space, joined by line ends."""
    has_at: bool
    has_assignment: bool
    """A word such as `password` and a sign that can assign."""

    def has_word(self, words: frozenset[str]) -> bool:
        """Tell whether one of the words (lower case) occurs."""
        return not self.words.isdisjoint(words)

    def has_part(self, parts: tuple[str, ...]) -> bool:
        """Tell whether one of the strings (lower case) occurs."""
        return _has_part(self.lowered, parts)


def clues_of(text: str) -> Clues:
    """Look once at a text; linear in its length."""
    lowered = text.lower()
    num_digits = sum(map(text.count, "0123456789")) if text.isascii() else len(_DIGIT.findall(text))
    assigns = "=" in text or ":" in text or "--" in text
    return Clues(
        lowered=lowered,
        words=frozenset(lowered.translate(_SPACES).split()),
        num_digits=num_digits,
        has_number=num_digits >= 7 and _NUMBER.search(text) is not None,
        long_tokens="\n".join([token for token in text.split() if len(token) >= _LONG_TOKEN]),
        has_at="@" in text,
        has_assignment=assigns and _has_part(lowered, _SECRET_WORDS),
    )


def _has_part(lowered: str, parts: tuple[str, ...]) -> bool:
    for part in parts:  # noqa: SIM110 (a generator takes three times as long, and this is the hot path)
        if part in lowered:
            return True
    return False


def near(text: str, start: int, end: int, before: int = 60, after: int = 30) -> str:
    """Return what stands around a span, in lower case, without the span itself."""
    return f"{text[max(0, start - before) : start]} {text[end : end + after]}".lower()
