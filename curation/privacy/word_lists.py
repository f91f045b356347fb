"""The word lists beside this module, one file each.

words_of("passwords")      frozenset({"password", "hunter2", ...})
"""

from functools import cache
from pathlib import Path


@cache
def words_of(name: str) -> frozenset[str]:
    """Return the words of a list, which white space separates."""
    return frozenset(_text_of(name).split())


@cache
def lines_of(name: str) -> tuple[str, ...]:
    """Return the lines of a list, in order."""
    return tuple(line for line in _text_of(name).splitlines() if line)


def _text_of(name: str) -> str:
    return (Path(__file__).with_name("words") / f"{name}.txt").read_text(encoding="utf-8")
